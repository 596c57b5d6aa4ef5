//! What is trained, apart from how: a run that goes on must share the first, the second may change.
//!
//! What: the base model's weights, seed, adapters, user model, what is learnt, batch and rates, the comparisons as tokens, and how many
//! of them choose the best step.
//! How: rows at a time, replicas, devices, when to save, to validate and to stop, the number of epochs, names of files.
//!
//! Where the comparisons differ, a message names the keys that they come from and that differ; alone, such a key may change.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use user_model::{UserModelConfig, UserModelKind};

use crate::config::{Shuffle, TrainingSection};
use crate::example::Example;
use crate::lineage::same_weights;

/// Where keys stand that matter by what comes of them.
const SOURCES: &str = "sources";

/// What comes of keys: its name, what it is, the key that is to blame if no other is, and the sections that it comes from.
struct Derived(
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const DERIVED: [Derived; 3] = [
    Derived("model", "weights", "model.source", &["model"]),
    Derived(
        "comparisons",
        "comparisons",
        "data.train",
        &["data", "prompt"],
    ),
    Derived(
        "validation",
        "comparisons",
        "data.validation",
        &["data", "prompt"],
    ),
];

/// Differences that a message names.
const NAMED: usize = 5;

/// What is trained, by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(Value);

impl Settings {
    /// Everything that the sections of `parts` say.
    pub(crate) fn new<const N: usize>(parts: [Value; N]) -> Self {
        let mut all = json!({});
        for part in parts {
            merge(&mut all, part);
        }
        Self(all)
    }

    /// What of `[training]` changes the weights that a step leads to; `section` is where its length and rate are from. `validated` is
    /// `eval_limit` where it has an effect, else 0.
    pub(crate) fn of_training(
        section: &str,
        training: &TrainingSection,
        validated: usize,
    ) -> Value {
        let own = json!({
            "batch": training.batch,
            "learning_rate": training.learning_rate,
            "warmup_steps": training.warmup_steps,
            "max_grad_norm": training.max_grad_norm,
        });
        let mut all = json!({
            "users_learning_rate": training.users_rate(),
            "user_rows_learning_rate": training.user_rows_rate(),
            "weight_decay": training.weight_decay,
            "clip": training.clip,
            "eval_limit": validated,
        });
        // Runs of before there was a choice have no such key.
        if training.shuffle != Shuffle::default() {
            all["shuffle"] = json!(training.shuffle);
        }
        let mut both = json!({ section: own });
        merge(&mut both, json!({ "training": all }));
        both
    }

    /// The user model by the keys of its section.
    pub(crate) fn of_users(users: Option<&UserModelConfig>) -> Value {
        let Some(users) = users else {
            return json!({ "users": null });
        };
        let kind = match users.kind {
            UserModelKind::Uniform => json!({ "kind": "uniform" }),
            UserModelKind::Individual { generic } => {
                json!({ "kind": "individual", "generic": generic })
            }
            UserModelKind::Cluster { clusters } => {
                json!({ "kind": "cluster", "clusters": clusters })
            }
            UserModelKind::Prefix { .. } => json!({ "kind": "prefix" }),
        };
        let mut section = json!({
            "user_tokens": users.user_tokens,
            "init": users.shared_init,
            "row_init": users.row_init,
        });
        merge(&mut section, kind);
        json!({ "users": section })
    }

    /// Keys that the comparisons come from, by section.
    pub(crate) fn of_sources(sources: &Value) -> Value {
        json!({ SOURCES: sources })
    }

    /// The number of comparisons called `name`, and a hash of their tokens and users.
    pub(crate) fn of_comparisons(name: &str, examples: &[Example]) -> Value {
        let mut hash = Sha256::new();
        for example in examples {
            let pair = example.pair();
            for ids in [&pair.prompt.ids, &pair.chosen, &pair.rejected] {
                hash.update((ids.len() as u64).to_le_bytes());
                for id in ids {
                    hash.update(id.to_le_bytes());
                }
            }
            hash.update(format!("{:?}", example.user));
        }
        let hash = &format!("{:x}", hash.finalize())[..16];
        json!({ name: format!("{} with the hash {hash}", examples.len()) })
    }

    /// A sentence that names what differs, with both values; `self` is how the run began.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        let mut differing = Vec::new();
        compare("", &self.own(), &now.own(), &mut differing);
        let limit = |of: &Self| of.0["training"]["eval_limit"].clone();
        let mut told: Vec<&str> = Vec::new();
        for Derived(name, what, key, sections) in DERIVED {
            let (a, b) = (&self.0[name], &now.0[name]);
            // Another limit takes other comparisons.
            let same = match (a.as_str(), b.as_str()) {
                (Some(a), Some(b)) => same_weights(a, b),
                _ => a == b,
            };
            if same || (name == "validation" && limit(self) != limit(now)) {
                continue;
            }
            let before = differing.len();
            let mut known = false;
            for section in sections {
                known |= told.contains(section);
                if !told.contains(section) {
                    let [a, b] = [self, now].map(|of| &of.0[SOURCES][section]);
                    compare(section, a, b, &mut differing);
                }
            }
            told.extend(sections);
            if differing.len() == before && !known {
                let [a, b] = [a, b].map(|value| value.as_str().unwrap_or("none"));
                differing.push(format!("the {what} of `{key}` were {a} and are {b}"));
            }
        }
        let more = match differing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        differing.truncate(NAMED);
        (!differing.is_empty()).then(|| {
            format!(
                "{}{more}; go on with what the run began with, or use a new folder",
                differing.join(", ")
            )
        })
    }

    /// What is compared key by key.
    fn own(&self) -> Value {
        let mut all = self.0.clone();
        if let Value::Object(all) = &mut all {
            let is_own =
                |key: &str| key != SOURCES && DERIVED.iter().all(|derived| derived.0 != key);
            all.retain(|key, _| is_own(key));
        }
        all
    }
}

/// Adds the keys of an object to those of another, section by section.
fn merge(to: &mut Value, from: Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (key, value) in from {
                merge(to.entry(key).or_insert(Value::Null), value);
            }
        }
        (to, from) => *to = from,
    }
}

/// Collects what differs below `key`.
fn compare(key: &str, then: &Value, now: &Value, differing: &mut Vec<String>) {
    let (Value::Object(a), Value::Object(b)) = (then, now) else {
        if !same(then, now) {
            let told = |value: &Value| match value {
                Value::Null => "not there".to_owned(),
                value => value.to_string(),
            };
            differing.push(format!("`{key}` was {} and is {}", told(then), told(now)));
        }
        return;
    };
    let below = |inner: &str| match key {
        "" => inner.to_string(),
        key => format!("{key}.{inner}"),
    };
    let keys = a
        .keys()
        .chain(b.keys().filter(|inner| !a.contains_key(*inner)));
    for inner in keys {
        let value =
            |of: &serde_json::Map<String, Value>| of.get(inner).cloned().unwrap_or_default();
        compare(&below(inner), &value(a), &value(b), differing);
    }
}

/// Numbers may have lost their last bits on the way through a file.
fn same(then: &Value, now: &Value) -> bool {
    match (then.as_f64(), now.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * a.abs(),
        _ => then == now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_key_and_both_values() {
        let then = Settings(
            json!({"seed": 1, "lora": {"rank": 8, "targets": "all-linear"}, "users": null}),
        );
        assert_eq!(then.difference(&then), None);
        let now = Settings(
            json!({"seed": 1, "lora": {"rank": 4, "targets": ["q_proj"]}, "users": {"d_model": 8}}),
        );
        assert_eq!(
            then.difference(&now).unwrap(),
            "`lora.rank` was 8 and is 4, `lora.targets` was \"all-linear\" and is [\"q_proj\"], `users` was not there and is \
             {\"d_model\":8}; go on with what the run began with, or use a new folder"
        );
    }

    #[test]
    fn a_run_on_adapters_that_were_hashed_by_their_tensors_alone_goes_on() {
        let of = |key: &str| Settings(json!({ "model": key }));
        let now = of("m-F32+a.1");
        assert_eq!(of("m-F32+a").difference(&now), None);
        let told = of("m-F32+a.2").difference(&now).unwrap();
        assert!(
            told.starts_with("the weights of `model.source` were"),
            "{told}"
        );
    }

    #[test]
    fn where_comparisons_differ_the_keys_that_they_come_from_are_named() {
        let of = |hash: &str, length: usize| {
            Settings(
                json!({"comparisons": hash, "sources": {"prompt": {"max_prompt_length": length}}}),
            )
        };
        // The key alone changed nothing that is trained.
        assert_eq!(of("9 with a", 512).difference(&of("9 with a", 256)), None);
        let told = |then: Settings, now: Settings| then.difference(&now).unwrap();
        let key = told(of("9 with a", 512), of("9 with b", 16));
        assert!(
            key.starts_with("`prompt.max_prompt_length` was 512 and is 16; go on"),
            "{key}"
        );
        let files = told(of("9 with a", 512), of("8 with b", 512));
        let limits = |limit: usize| {
            let hash = format!("{limit} with a");
            Settings(json!({"validation": hash, "training": {"eval_limit": limit}}))
        };
        let limit = told(limits(7), limits(9));
        assert!(
            limit.starts_with("`training.eval_limit` was 7 and is 9; go on"),
            "{limit}"
        );
        assert!(
            files.starts_with("the comparisons of `data.train` were 9 with a and are 8 with b;"),
            "{files}"
        );
    }

    #[test]
    fn sections_of_several_parts_are_compared_whole() {
        let of = |batch: usize| {
            Settings::new([
                json!({"sft": {"batch": batch}}),
                json!({"sft": {"prompts_too": true}}),
            ])
        };
        let told = of(4).difference(&of(8)).unwrap();
        assert!(told.starts_with("`sft.batch` was 4 and is 8;"), "{told}");
    }

    #[test]
    fn every_key_of_a_fine_tuning_has_the_section_that_it_is_read_from() {
        let base = TrainingSection::default();
        let of = |training: &TrainingSection| {
            Settings(Settings::of_training("sft", training, training.eval_limit))
        };
        let now = TrainingSection {
            batch: 3,
            weight_decay: 0.5,
            eval_limit: 7,
            ..base.clone()
        };
        let told = of(&base).difference(&of(&now)).unwrap();
        assert!(
            told.starts_with(
                "`sft.batch` was 32 and is 3, `training.weight_decay` was 0.0 and is 0.5, `training.eval_limit` was 0 and is 7;"
            ),
            "{told}"
        );
    }

    #[test]
    fn the_last_bits_of_a_number_are_no_difference() {
        let rate = |rate: f64| Settings(json!({ "rate": rate }));
        assert_eq!(rate(3e-3).difference(&rate(3e-3 + 1e-18)), None);
        assert!(rate(3e-3).difference(&rate(3.000_001e-3)).is_some());
    }

    #[test]
    fn of_many_differences_five_are_named() {
        let settings =
            |n: i32| Settings(json!({"a": n, "b": n, "c": n, "d": n, "e": n, "f": n, "g": n}));
        let message = settings(1).difference(&settings(2)).unwrap();
        assert!(
            message.contains("`e` was 1 and is 2, and 2 more;"),
            "{message}"
        );
        assert!(!message.contains("`f`"), "{message}");
    }
}

//! What is trained, apart from how: a run that goes on must share the first, the second may change.
//!
//! What: the base model's weights, seed, adapters, user model, what is learnt, batch and rates, and the comparisons as tokens.
//! How: rows at a time, replicas, devices, when to save, to validate and to stop, the number of epochs, names of files.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::TrainingSection;
use crate::example::Example;

/// Differences that a message names.
const NAMED: usize = 5;

/// What is trained, by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(Value);

impl Settings {
    /// Everything that the sections of `parts` say.
    pub(crate) fn new<const N: usize>(parts: [Value; N]) -> Self {
        let sections = parts.into_iter().filter_map(|part| match part {
            Value::Object(sections) => Some(sections),
            _ => None,
        });
        Self(Value::Object(sections.flatten().collect()))
    }

    /// What of `[training]`, or of the section that stands for it, changes the weights that a step leads to.
    pub(crate) fn of_training(section: &str, training: &TrainingSection) -> Value {
        json!({ section: {
            "batch": training.batch,
            "learning_rate": training.learning_rate,
            "users_learning_rate": training.users_rate(),
            "user_rows_learning_rate": training.user_rows_rate(),
            "warmup_steps": training.warmup_steps,
            "weight_decay": training.weight_decay,
            "max_grad_norm": training.max_grad_norm,
            "clip": training.clip,
        } })
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
        compare("", &self.0, &now.0, &mut differing);
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
}

/// Collects what differs below `key`.
fn compare(key: &str, then: &Value, now: &Value, differing: &mut Vec<String>) {
    let (Value::Object(a), Value::Object(b)) = (then, now) else {
        if !same(then, now) {
            differing.push(format!("`{key}` was {then} and is {now}"));
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
            "`lora.rank` was 8 and is 4, `lora.targets` was \"all-linear\" and is [\"q_proj\"], `users` was null and is \
             {\"d_model\":8}; go on with what the run began with, or use a new folder"
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

//! Whether a run may go on in its folder: told before the first file is written, so that what is there stays whole.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use trainer::TrainError;

use super::check::Checked;
use super::setup::data_key;
use super::{Experiment, MODEL, Run, stage};
use crate::config::SystemConfig;

/// Keys of `[training]` that may change, beside those that no result depends on: the weights that a step leads to do not depend on them.
const FREE: [&str; 4] = ["epochs", "max_steps", "eval_every", "patience"];

impl<E: Experiment> Run<E> {
    /// Refuses a folder whose finished parts are of another seed, of other data, or were trained otherwise.
    ///
    /// # Errors
    /// Names the file and each key with both values.
    pub(super) fn validate_resumable(&self, checked: &Checked) -> Result<(), TrainError> {
        self.validate_layout()?;
        for &seed in &self.seeds {
            for (split_seed, data, _) in &checked.splits {
                let dir = self.folder(seed, *split_seed);
                let mut made = json!({ "seed": seed, "data": data_key(data, &dir)? });
                made["prompt"] = json!(self.config.prompt);
                let mut model = made.clone();
                if let Some(tiny) = &self.config.tiny {
                    model["tiny"] = json!(tiny);
                    remove(&mut model["tiny"]["sft"], &["steps"]);
                }
                compare(&dir.join(MODEL), &model)?;
                for system in &self.config.systems {
                    compare(&dir.join(&system.name), &trained(system, made.clone()))?;
                }
            }
        }
        Ok(())
    }

    /// Refuses a folder with runs for other numbers of seeds or splits, which have other folders in it.
    fn validate_layout(&self) -> Result<(), TrainError> {
        let splits = self.config.data.split_seeds().len();
        let expected = match (self.seeds.len(), splits) {
            (2.., _) => "seed-",
            (_, 2..) => "split-",
            _ => "",
        };
        let kind = |name: &str| {
            let numbered = |prefix: &&str| {
                let number = name.strip_prefix(prefix);
                number.is_some_and(|number| number.parse::<u64>().is_ok())
            };
            let is_part = name == MODEL || self.config.systems.iter().any(|s| s.name == name);
            let alone = is_part.then_some("");
            ["seed-", "split-"].into_iter().find(numbered).or(alone)
        };
        let entries = fs::read_dir(&self.out).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        let mut names = folders.filter_map(|entry| entry.file_name().into_string().ok());
        match names.find(|name| kind(name).is_some_and(|kind| kind != expected)) {
            None => Ok(()),
            Some(name) => Err(TrainError::Usage(format!(
                "{} holds `{name}`, of a run with another number of seeds or splits (--seeds, data.split_seeds); go on as it began, or use a new folder",
                self.out.display()
            ))),
        }
    }
}

/// What a system's weights depend on.
fn trained(system: &SystemConfig, mut made: Value) -> Value {
    if !system.is_trained() {
        return made;
    }
    let settings = &system.settings;
    let mut training = json!(settings.training.without_ways());
    remove(&mut training, &FREE);
    made["system"] = json!({
        "mode": (!system.mode.is_pdpo()).then_some(system.mode),
        "text": system.text, "users": system.users,
        "adapter_per_user": system.adapter_per_user.then_some(true),
    });
    made["settings"] = system.with_learnt(json!({ "lora": settings.lora, "training": training }));
    made
}

fn remove(object: &mut Value, keys: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

/// Refuses a finished part that was made otherwise than `expected`; what is not finished is looked at by its session.
fn compare(dir: &Path, expected: &Value) -> Result<(), TrainError> {
    let Some(found) = stage::made_with(dir) else {
        return Ok(());
    };
    let mut changed = Vec::new();
    differences("", &found, expected, &mut changed);
    match changed.is_empty() {
        true => Ok(()),
        false => Err(TrainError::format(
            &dir.join(stage::FILE),
            format!(
                "{}; go on with what the run began with, or use a new folder",
                changed.join(", ")
            ),
        )),
    }
}

/// Every key of `expected` that has another value in `found`, with both.
fn differences(key: &str, found: &Value, expected: &Value, changed: &mut Vec<String>) {
    if let (Some(found), Some(expected)) = (found.as_object(), expected.as_object()) {
        for (name, value) in expected {
            let inner = match key {
                // Keys are called as in the configuration.
                "" | "settings" | "system" => name.clone(),
                _ => format!("{key}.{name}"),
            };
            let there = found.get(name).unwrap_or(&Value::Null);
            differences(&inner, there, value, changed);
        }
    } else if key == "data" && found != expected {
        changed.push("the comparisons (`data`) are others".into());
    } else if found != expected {
        changed.push(format!("`{key}` was {found} and is {expected}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_as_in_the_configuration_and_what_is_free_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let made = json!({
            "seed": 1,
            "data": "a",
            "system": { "name": "dpo", "users": { "user_tokens": 2 } },
            "settings": { "training": { "batch": 4, "epochs": 1 }, "sampling": { "top_k": 0 } },
        });
        stage::mark_done(dir.path(), &made).unwrap();
        let same = json!({
            "seed": 1,
            "settings": { "training": { "batch": 4 } },
            "system": { "users": { "user_tokens": 2 } },
        });
        compare(dir.path(), &same).unwrap();
        let other = json!({
            "seed": 2,
            "data": "b",
            "settings": { "training": { "batch": 8 } },
            "system": { "users": null },
        });
        let error = compare(dir.path(), &other).unwrap_err().to_string();
        for part in [
            "made-with.json: `seed` was 1 and is 2",
            "the comparisons (`data`) are others",
            "`training.batch` was 4 and is 8",
            "`users` was {\"user_tokens\":2} and is null",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        compare(&dir.path().join("nowhere"), &other).unwrap();
    }
}

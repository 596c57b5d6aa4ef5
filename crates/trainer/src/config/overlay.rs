//! Single settings laid over a TOML file, as `--set training.learning_rate=1e-4` asks for.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use pdpo_loss::ObjectiveConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;
use toml::{Table, Value};

use super::{one_line, parse_toml};
use crate::error::TrainError;

/// One key and its new value. Parsed from `KEY=VALUE`: the value is TOML, or else text as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    key: String,
    value: Value,
}

impl Setting {
    /// The setting of `key`, whose parts have dots between them, such as `training.learning_rate`. A part that meets a list
    /// of tables is the `name` of one of them.
    pub fn new(key: &str, value: impl Into<Value>) -> Self {
        let (key, value) = (key.into(), value.into());
        Self { key, value }
    }

    /// The parts of the key, with dots between them.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Sets the key in `table`; sections that are not there yet are made.
    ///
    /// # Errors
    /// [`TrainError::Setting`]: a key that leads through something other than tables, or to no table of a list.
    pub fn apply(&self, table: &mut Table) -> Result<(), TrainError> {
        let mut parts: Vec<&str> = self.key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let mut at = table;
        let mut parts = parts.into_iter();
        while let Some(part) = parts.next() {
            let empty = || Value::Table(Table::new());
            at = match at.entry(part).or_insert_with(empty) {
                Value::Table(table) => table,
                Value::Array(list) => {
                    let name = parts.next().unwrap_or(last);
                    named(list, name).map_err(|problem| self.refused(problem))?
                }
                other => return Err(self.refused(format!("`{part}` is {other}, not a section"))),
            };
        }
        at.insert(last.into(), self.value.clone());
        Ok(())
    }

    fn refused(&self, problem: impl fmt::Display) -> TrainError {
        TrainError::Setting {
            setting: self.to_string(),
            problem: problem.to_string(),
        }
    }
}

/// The table of a list that has that name.
fn named<'a>(list: &'a mut [Value], name: &str) -> Result<&'a mut Table, String> {
    let name_of = |table: &Value| Some(table.get("name")?.as_str()?.to_owned());
    let names: Vec<String> = list.iter().filter_map(name_of).collect();
    let mut tables = list.iter_mut().filter_map(Value::as_table_mut);
    let found = tables.find(|table| table.get("name").and_then(Value::as_str) == Some(name));
    found.ok_or_else(|| format!("nothing is called `{name}`; there are {}", names.join(", ")))
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        let (key, value) = (key.trim(), value.trim());
        if value.is_empty() || key.split('.').any(str::is_empty) {
            return Err("expected KEY=VALUE, such as training.learning_rate=1e-4".into());
        }
        let parsed = ValueDeserializer::parse(value).and_then(Value::deserialize);
        Ok(Self::new(key, parsed.unwrap_or_else(|_| value.into())))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Reads a TOML file with settings over it.
///
/// # Errors
/// As [`read_toml`](super::read_toml); [`TrainError::Setting`] names the setting that a section does not take.
pub fn read_toml_with<T: DeserializeOwned>(
    path: &Path,
    settings: &[Setting],
) -> Result<T, TrainError> {
    let text = std::fs::read_to_string(path).map_err(|e| TrainError::io(path, e))?;
    if settings.is_empty() {
        return parse_toml(path, &text);
    }
    let table = parse_toml(path, &text)?;
    from_table(path, table, settings)
}

const LOSS: &str = "objective.loss";

/// Takes a loss and its own keys out of `[objective]` where another is set: they are no keys of that one, or mean something else.
fn keep_shared_objective(table: &mut Table, setting: &Setting) {
    let Some(Value::Table(objective)) = table.get_mut("objective") else {
        return;
    };
    let before = objective.get("loss").and_then(Value::as_str);
    let before = before.unwrap_or("dpo").to_owned();
    if setting.value.as_str() == Some(&before) {
        return;
    }
    let mut own = keep_shared(objective);
    own.retain(|key| key != "loss");
    if !own.is_empty() {
        tracing::warn!(
            "`{setting}`: the file's {} of {before} do not count, {LOSS} has its own defaults",
            own.join(", ")
        );
    }
}

/// Takes a loss and its own keys out of an `[objective]`; returns their names.
pub fn keep_shared(objective: &mut Table) -> Vec<String> {
    let is_own = |key: &&String| !ObjectiveConfig::SHARED.contains(&key.as_str());
    let own: Vec<String> = objective.keys().filter(is_own).cloned().collect();
    for key in &own {
        objective.remove(key);
    }
    own
}

/// What a table with settings over it says; `path` is where the table comes from.
///
/// # Errors
/// As [`read_toml_with`].
pub fn from_table<T: DeserializeOwned>(
    path: &Path,
    mut table: Table,
    settings: &[Setting],
) -> Result<T, TrainError> {
    for setting in settings.iter().filter(|setting| setting.key == LOSS) {
        keep_shared_objective(&mut table, setting);
    }
    let read = |table: &Table| T::deserialize(table.clone()).map_err(|error| one_line(&error, ""));
    let mut found = read(&table);
    let mut culprit = None;
    for setting in settings {
        setting.apply(&mut table)?;
        let with = read(&table);
        if with.as_ref().err() != found.as_ref().err() {
            culprit = Some(setting);
        }
        found = with;
    }
    // Some are right only together, such as a loss and the keys that it cannot be without.
    found.map_err(|problem| match culprit {
        Some(setting) => setting.refused(problem),
        None => TrainError::format(path, problem),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use pdpo_loss::{Ipo, PreferenceLoss};

    fn setting(text: &str) -> Setting {
        text.parse().unwrap()
    }

    fn config(settings: &[&str]) -> Result<Config, TrainError> {
        let table = "[model]\nsource = \"m\"\n[training]\nbatch = 8".parse();
        let settings: Vec<Setting> = settings.iter().map(|text| setting(text)).collect();
        from_table(Path::new("run.toml"), table.unwrap(), &settings)
    }

    #[test]
    fn another_loss_has_its_own_defaults_and_what_is_set_for_it() {
        let read = |settings: &[&str]| -> Config {
            let table = "[objective]\nbeta = 0.5\nlabel_smoothing = 0.0\nalpha = 0.25".parse();
            let settings: Vec<Setting> = settings.iter().map(|text| setting(text)).collect();
            from_table(Path::new("run.toml"), table.unwrap(), &settings).unwrap()
        };
        let ipo = |beta| {
            PreferenceLoss::Ipo(Ipo {
                beta,
                ..Ipo::default()
            })
        };
        let other = read(&["objective.loss=ipo"]).objective;
        assert_eq!((other.loss, other.alpha), (ipo(Ipo::default().beta), 0.25));
        for order in [
            ["objective.loss=ipo", "objective.beta=2.0"],
            ["objective.beta=2.0", "objective.loss=ipo"],
        ] {
            let found = config(&order).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(found.objective.loss, ipo(2.0));
        }
        let parts = "objective.parts=[{ loss = \"ipo\" }]";
        let sum = config(&["objective.loss=sum", parts, "seed=3"]).unwrap();
        assert_eq!(sum.objective.loss.name(), "sum");
        let same = read(&["objective.loss=dpo"]).objective;
        assert_eq!(serde_json::to_value(&same).unwrap()["beta"], 0.5);
    }

    fn problem(settings: &[&str]) -> String {
        config(settings).expect_err("a refusal").to_string()
    }

    #[test]
    fn values_are_toml_and_bare_words_are_text() {
        let found = config(&[
            "training.learning_rate=1e-4",
            "objective.loss = ipo",
            "users.kind=\"cluster\"",
            "data.train=[\"a.jsonl\", \"b\"]",
            "lora.targets=all-linear",
            "seed=7",
            "training.batch=2",
            "training.batch=3",
        ])
        .unwrap();
        assert_eq!(found.training.learning_rate, 1e-4);
        assert_eq!(found.training.batch, 3);
        let ipo = PreferenceLoss::Ipo(Ipo::default());
        assert_eq!(found.objective.loss, ipo);
        assert_eq!(found.data.train, [Path::new("a.jsonl"), Path::new("b")]);
        assert!(found.users.is_some());
        assert_eq!((found.seed, found.model.source.as_str()), (7, "m"));
        // What looks like a key is no second one.
        assert_eq!(setting("a=\"x\"\nb = 1").value, "\"x\"\nb = 1".into());
    }

    #[test]
    fn a_key_that_is_not_there_is_refused_by_name() {
        let found = problem(&["seed=1", "training.learnin_rate=1e-4", "seed=2"]);
        let expected =
            "--set training.learnin_rate=0.0001: unknown field `learnin_rate`, expected one of";
        assert!(found.starts_with(expected), "{found}");
        let found = problem(&["tranining.batch=1"]);
        assert!(found.contains("unknown field `tranining`"), "{found}");
        let found = problem(&["training.batch=many"]);
        assert!(
            found.contains("--set training.batch=\"many\": invalid type"),
            "{found}"
        );
        let found = problem(&["objective.loss=sum", "objective.parts=[1]", "seed=2"]);
        assert!(found.starts_with("--set objective.parts=[1]: "), "{found}");
        let found = problem(&["objective.loss=sum", "seed=2"]);
        assert!(
            found.contains("objective.loss=\"sum\": `loss`: missing"),
            "{found}"
        );
        let found = problem(&["training.batch.size=1"]);
        assert!(found.ends_with("`batch` is 8, not a section"), "{found}");
        assert_eq!(found.lines().count(), 1);
    }

    #[test]
    fn a_part_may_name_a_table_of_a_list() {
        let mut table: Table = "[[systems]]\nname = \"a\"\n[[systems]]\nname = \"b\""
            .parse()
            .unwrap();
        setting("systems.b.training.epochs=2")
            .apply(&mut table)
            .unwrap();
        assert_eq!(table["systems"][1]["training"]["epochs"], 2.into());
        assert!(table["systems"][0].get("training").is_none());
        let error = setting("systems.c.x=1")
            .apply(&mut table)
            .expect_err("no c");
        assert!(
            error
                .to_string()
                .ends_with("nothing is called `c`; there are a, b")
        );
    }

    #[test]
    fn what_is_no_setting_says_what_one_looks_like() {
        for wrong in ["", "seed", "seed=", "=1", "a..b=1"] {
            let error = wrong.parse::<Setting>().expect_err(wrong);
            assert!(error.contains("KEY=VALUE"), "{error}");
        }
    }
}

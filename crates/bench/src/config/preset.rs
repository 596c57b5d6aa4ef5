//! From a preset's file and the command line to the settings of a run.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};
use trainer::TrainError;

use super::overlay::{lay_over, missing, name_of, nested, parse};
use super::system::SECTIONS;
use super::{ExperimentConfig, SystemSettings};

/// The environment variable with the judge's key, if it needs one.
const JUDGE_KEY: &str = "JUDGE_API_KEY";

/// A preset as its file has it, which the command line's settings are laid over.
pub struct Preset<D> {
    path: PathBuf,
    root: Table,
    /// The systems to run; empty: all.
    chosen: Vec<String>,
    data: PhantomData<D>,
}

impl<D: DeserializeOwned> Preset<D> {
    /// Reads a file.
    ///
    /// # Errors
    /// What the experiment does not know, by file, line and key.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        // For the sake of the line; the systems' own settings are known only where they are laid over the others.
        trainer::config::read_toml::<ExperimentConfig<D>>(path)?;
        let preset = Self {
            path: path.into(),
            root: trainer::config::read_toml(path)?,
            chosen: Vec::new(),
            data: PhantomData,
        };
        preset.config().map(|_| preset)
    }

    /// Sets the value below the keys of `path`, for all systems.
    ///
    /// # Errors
    /// A value that the key cannot have.
    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) -> Result<(), TrainError> {
        let set = self.lay_over(nested(path, value.into()));
        set.map_err(|problem| TrainError::format(&self.path, problem))
    }

    /// Sets what `--set KEY=VALUE` says.
    ///
    /// # Errors
    /// An unknown key, or a value that it cannot have.
    pub fn set_text(&mut self, text: &str) -> Result<(), TrainError> {
        let set = parse(text).and_then(|over| self.lay_over(over));
        set.map_err(|problem| TrainError::Usage(format!("--set {text}: {problem}")))
    }

    /// Sets a key of the user model of every system that has one.
    pub fn set_users(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        for users in self.users() {
            users.insert(key.into(), value.clone());
        }
    }

    /// Individual user models start without the shared `e_0`.
    pub fn without_generic(&mut self) {
        let individual = |users: &&mut Table| users.get("kind") == Some(&"individual".into());
        for users in self.users().filter(individual) {
            users.insert("generic".into(), false.into());
        }
    }

    /// Leaves a key out.
    pub fn remove(&mut self, section: &str, key: &str) {
        if let Some(Value::Table(section)) = self.root.get_mut(section) {
            section.remove(key);
        }
    }

    /// Runs only the systems of these names; without names, all.
    ///
    /// # Errors
    /// A system that is not there.
    pub fn choose(&mut self, names: &[String]) -> Result<(), TrainError> {
        let systems = self.root.get("systems").and_then(Value::as_array);
        let there: Vec<&str> = systems.into_iter().flatten().filter_map(name_of).collect();
        match names.iter().find(|name| !there.contains(&name.as_str())) {
            Some(name) => Err(TrainError::format(
                &self.path,
                missing("systems", name, &there),
            )),
            None => {
                self.chosen = names.to_vec();
                Ok(())
            }
        }
    }

    /// The settings.
    ///
    /// # Errors
    /// A key or a value that the experiment does not know.
    pub fn config(&self) -> Result<ExperimentConfig<D>, TrainError> {
        let config = settings(&self.root, &self.chosen);
        config.map_err(|problem| TrainError::format(&self.path, problem))
    }

    /// Nothing has changed where this fails.
    fn lay_over(&mut self, over: Table) -> Result<(), String> {
        let mut root = self.root.clone();
        lay_over(&mut root, over.clone())?;
        // What is said for all holds for the systems that say otherwise, too.
        for system in systems(&mut root) {
            for section in SECTIONS {
                if let (Some(Value::Table(own)), Some(Value::Table(said))) =
                    (system.get_mut(section), over.get(section))
                {
                    own.retain(|key, _| !said.contains_key(key));
                }
            }
        }
        settings::<D>(&root, &self.chosen)?;
        self.root = root;
        Ok(())
    }

    fn users(&mut self) -> impl Iterator<Item = &mut Table> {
        systems(&mut self.root).filter_map(|system| system.get_mut("users")?.as_table_mut())
    }
}

fn systems(root: &mut Table) -> impl Iterator<Item = &mut Table> {
    let systems = root.get_mut("systems").and_then(Value::as_array_mut);
    systems
        .into_iter()
        .flatten()
        .filter_map(Value::as_table_mut)
}

/// The settings of the chosen systems, or of all where none is chosen.
fn settings<D: DeserializeOwned>(
    root: &Table,
    chosen: &[String],
) -> Result<ExperimentConfig<D>, String> {
    let one_line = |error: toml::de::Error| error.to_string().trim().replace('\n', " ");
    let mut config: ExperimentConfig<D> = root.clone().try_into().map_err(one_line)?;
    for system in &mut config.systems {
        system.settings = SystemSettings::of(system, root)
            .map_err(|error| format!("system `{}`: {}", system.name, one_line(error)))?;
    }
    if !config.model.source.is_empty() {
        config.tiny = None;
    }
    if let Some(judge) = &mut config.judge {
        judge.key_env.get_or_insert_with(|| JUDGE_KEY.into());
    }
    config.room = config.user_tokens();
    if !chosen.is_empty() {
        config.systems.retain(|s| chosen.contains(&s.name));
    }
    Ok(config)
}

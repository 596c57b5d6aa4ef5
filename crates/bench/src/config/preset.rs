//! From a preset's file and the command line to the settings of a run.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};
use trainer::TrainError;
use trainer::config::{Setting, keep_shared, read_toml};

use super::system::SECTIONS;
use super::{ExperimentConfig, SystemSettings};

/// The environment variable with the judge's key, if it needs one.
pub(super) const JUDGE_KEY: &str = "JUDGE_API_KEY";

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
        read_toml::<ExperimentConfig<D>>(path)?;
        let preset = Self {
            path: path.into(),
            root: read_toml(path)?,
            chosen: Vec::new(),
            data: PhantomData,
        };
        preset.config().map(|_| preset)
    }

    /// Lays a setting over it. One for all systems holds for those that say otherwise, too.
    ///
    /// # Errors
    /// An unknown key, or a value that it cannot have; the preset is then as it was.
    pub fn set(&mut self, setting: &Setting) -> Result<(), TrainError> {
        let mut root = self.root.clone();
        setting.apply(&mut root)?;
        let mut parts = setting.key().split('.');
        if let Some(section) = parts.next().filter(|part| SECTIONS.contains(part)) {
            let key = parts.next();
            systems(&mut root).for_each(|system| forget(system, section, key));
        }
        settings::<D>(&root, &self.chosen).map_err(|problem| TrainError::Setting {
            setting: setting.to_string(),
            problem,
        })?;
        self.root = root;
        Ok(())
    }

    /// Trains every system with another loss, with that loss's default settings: of `[objective]` only what all losses share
    /// stays.
    ///
    /// # Errors
    /// An unknown loss; the preset is then as it was.
    pub fn set_loss(&mut self, name: &str) -> Result<(), TrainError> {
        let before = self.root.clone();
        if let Some(all) = objective(&mut self.root) {
            keep_shared(all);
        }
        for own in systems(&mut self.root).filter_map(objective) {
            keep_shared(own);
        }
        let set = self.set(&Setting::new("objective.loss", name));
        if set.is_err() {
            self.root = before;
        }
        set
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
        let name_of = |system: &Value| Some(system.get("name")?.as_str()?.to_owned());
        let there: Vec<String> = systems.into_iter().flatten().filter_map(name_of).collect();
        if let Some(name) = names.iter().find(|name| !there.contains(name)) {
            let expected = format!("some of {}", there.join(", "));
            return Err(TrainError::config("systems", name, expected));
        }
        self.chosen = names.to_vec();
        Ok(())
    }

    /// The settings.
    ///
    /// # Errors
    /// A key or a value that the experiment does not know.
    pub fn config(&self) -> Result<ExperimentConfig<D>, TrainError> {
        let config = settings(&self.root, &self.chosen);
        config.map_err(|problem| TrainError::format(&self.path, problem))
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

/// An `[objective]`, if there is one.
fn objective(table: &mut Table) -> Option<&mut Table> {
    table.get_mut("objective")?.as_table_mut()
}

/// Leaves out what a system says itself of a key of a section; without a key, of the section.
fn forget(system: &mut Table, section: &str, key: Option<&str>) {
    match (system.get_mut(section), key) {
        (Some(Value::Table(own)), Some(key)) => drop(own.remove(key)),
        _ => drop(system.remove(section)),
    }
}

/// The settings of the chosen systems, or of all where none is chosen.
fn settings<D: DeserializeOwned>(
    root: &Table,
    chosen: &[String],
) -> Result<ExperimentConfig<D>, String> {
    let one_line = |error: toml::de::Error| error.to_string().trim().replace('\n', " ");
    let mut config: ExperimentConfig<D> = root.clone().try_into().map_err(one_line)?;
    for system in &mut config.systems {
        system.settings = SystemSettings::of(system, root).map_err(|(section, error)| {
            format!("`systems.{}.{section}`: {}", system.name, one_line(error))
        })?;
    }
    if !config.model.source.is_empty() {
        config.tiny = None;
    }
    if let Some(judge) = &mut config.judge {
        judge.key_env.get_or_insert_with(|| JUDGE_KEY.into());
    }
    if let Some(best_of) = &config.evaluation.best_of {
        let is_there = |name: &&String| config.systems.iter().any(|s| s.name == **name);
        if let Some(name) = best_of.from.iter().find(|name| !is_there(name)) {
            return Err(format!(
                "`evaluation.best_of.from`: no system is called `{name}`"
            ));
        }
    }
    config.room = config.user_tokens();
    if !chosen.is_empty() {
        config.systems.retain(|s| chosen.contains(&s.name));
    }
    Ok(config)
}

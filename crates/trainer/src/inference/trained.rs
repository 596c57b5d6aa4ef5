//! Opening what training left: adapters and user model on their base model.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use llm_backbone::Model;
use llm_backbone::peft::PeftConfig;
use pdpo_loss::PairLoss;

use super::Engine;
use crate::adapters;
use crate::config::{Config, Setting, read_toml, read_toml_with};
use crate::error::TrainError;
use crate::lineage::{Lineage, from_here, paths_begin_at, same_weights};
use crate::reference::Reference;
use crate::source::{self, BaseModel};
use crate::task::{Preference, Reward};
use crate::tokenise::Formatter;

/// PEFT's name for it.
const ADAPTER_CONFIG: &str = "adapter_config.json";

/// A folder of adapters, and how they were trained.
#[derive(Clone, Debug)]
pub struct Trained {
    dir: PathBuf,
    /// The base model that was asked for, in the place of the one that the run or the adapters name.
    on: Option<String>,
    /// The run's configuration, or whatever else the adapters are to be used with.
    pub config: Config,
}

impl Trained {
    /// The adapters in the folder of a run, with its configuration.
    ///
    /// # Errors
    /// A folder without them, or a broken configuration.
    pub fn run(dir: &Path) -> Result<Self, TrainError> {
        Self::run_with(dir, &[])
    }

    /// The same with settings over the configuration. Its own relative paths begin where they began when it was trained.
    ///
    /// # Errors
    /// As [`run`](Self::run), or a setting that the configuration does not take.
    pub fn run_with(dir: &Path, settings: &[Setting]) -> Result<Self, TrainError> {
        let path = dir.join("config.toml");
        let written: Config = read_toml(&path)?;
        let mut trained = Self::adapters(&dir.join("adapters"), read_toml_with(&path, settings)?)?;
        let Some(origin) = paths_begin_at(&trained.dir)? else {
            return Ok(trained);
        };
        let local = Lineage::of_adapters(&trained.dir)?.is_some_and(|lineage| lineage.model.local);
        let (model, own) = (&mut trained.config.model, &written.model);
        if model.source != own.source {
            trained.on = Some(model.source.clone());
        } else if !own.source.is_empty() && (local || origin.join(&own.source).exists()) {
            model.source = from_here(&origin, Path::new(&own.source))
                .display()
                .to_string();
        }
        if model.adapters == own.adapters {
            model.adapters = own.adapters.as_ref().map(|path| from_here(&origin, path));
        }
        let (data, own) = (&mut trained.config.data, &written.data);
        for (paths, own) in [
            (&mut data.train, &own.train),
            (&mut data.validation, &own.validation),
        ] {
            if paths == own {
                paths
                    .iter_mut()
                    .filter(|path| origin.join(path).exists())
                    .for_each(|path| {
                        *path = from_here(&origin, path);
                    });
            }
        }
        Ok(trained)
    }

    /// A folder of adapters alone, in PEFT's layout.
    ///
    /// # Errors
    /// A folder that holds none.
    pub fn adapters(dir: &Path, config: Config) -> Result<Self, TrainError> {
        let dir = source::adapters_in(dir)?;
        Ok(Self {
            dir,
            on: None,
            config,
        })
    }

    /// The same on the base model that `source` names.
    #[must_use]
    pub fn on(mut self, source: &str) -> Self {
        self.on = Some(source.to_owned());
        self
    }

    /// Whether a folder holds adapters.
    pub fn is_adapters(dir: &Path) -> bool {
        dir.join(ADAPTER_CONFIG).is_file()
    }

    /// The folder of the adapters.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the base model is called: as was asked for, or by the configuration, or else by the adapters. Of a model with adapters
    /// merged it is what is there and still as it was: the two apart, or the folder that holds them merged.
    ///
    /// # Errors
    /// A broken file, or adapters that name no base.
    pub fn base(&self) -> Result<String, TrainError> {
        if let Some(asked) = &self.on {
            return Ok(asked.clone());
        }
        let named = &self.config.model.source;
        let Some(lineage) = Lineage::of_adapters(&self.dir)? else {
            return match named.is_empty() {
                false => Ok(named.clone()),
                true => self.base_of_peft(),
            };
        };
        if lineage.adapters.is_empty() {
            let own = Some(named).filter(|named| !named.is_empty());
            return Ok(own.unwrap_or(&lineage.model.path).clone());
        }
        let merged = Path::new(&lineage.name);
        let merged = match merged.is_dir() {
            true => Lineage::read(merged, &lineage.name)?.is_some_and(|found| found.is(&lineage)),
            false => false,
        };
        let by_name = named.is_empty() || *named == lineage.name;
        if merged && (by_name || !self.is_there_apart(&lineage)?) {
            if !by_name {
                tracing::info!(
                    "{} is taken, which holds the model and its adapters as they were",
                    lineage.name
                );
            }
            return Ok(lineage.name);
        }
        Ok(match by_name {
            true => lineage.model.path,
            false => named.clone(),
        })
    }

    /// What `adapter_config.json` names.
    fn base_of_peft(&self) -> Result<String, TrainError> {
        let name = PeftConfig::read(&self.dir)?.base_model_name_or_path;
        name.filter(|name| !name.is_empty()).ok_or_else(|| {
            let problem = "`base_model_name_or_path` is missing, expected the base model's name: give --model";
            TrainError::format(&self.dir.join(ADAPTER_CONFIG), problem)
        })
    }

    /// Whether the adapters that were merged below these are where they were, or where the configuration says, and as they were.
    fn is_there_apart(&self, lineage: &Lineage) -> Result<bool, TrainError> {
        let configured = self.config.model.adapters.as_deref();
        let configured = configured
            .map(source::hash_of_adapters)
            .transpose()?
            .flatten();
        for layer in &lineage.adapters {
            let hash = source::hash_of_adapters(Path::new(&layer.path))?;
            let mut found = [&hash, &configured].into_iter().flatten();
            if !found.any(|found| same_weights(found, &layer.weights)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Opens the base model alone, with what the adapters want merged into it first. `base` is where its files lie.
    fn open_base(&self, base: &Path, device: &Device) -> Result<BaseModel, TrainError> {
        let mut section = self.config.model.clone();
        section.source = self.base()?;
        let adapters = section.adapters.take();
        let base = source::open_section(&section, base, device)?;
        let base = match (Lineage::of_adapters(&self.dir)?, adapters) {
            (None, Some(adapters)) => base.with_merged(&adapters)?,
            // Adapters that have been trained anew since are not those below these.
            (Some(wanted), Some(adapters)) if !base.lineage.is(&wanted) => {
                match source::hash_of_adapters(&adapters)? {
                    Some(hash) if wanted.has(&hash) => base.with_merged(&adapters)?,
                    _ => base,
                }
            }
            _ => base,
        };
        base.as_base_of(&self.dir)
    }

    /// The base model with the adapters merged, as [`merge::write`](crate::merge::write) takes it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn merged(&self, base: &Path, device: &Device) -> Result<BaseModel, TrainError> {
        self.open_base(base, device)?.with_merged(&self.dir)
    }

    /// Opens it on `device`; `base` is where the files of the base model lie.
    ///
    /// # Errors
    /// Missing or broken files, or adapters of another model.
    pub fn open(&self, base: &Path, device: &Device) -> Result<Opened, TrainError> {
        let BaseModel {
            model,
            tokenizer,
            source,
            key,
            ..
        } = self.open_base(base, device)?;
        let base = model.frozen();
        let (policy, table, _) = adapters::load(&self.dir, base.clone(), device)?;
        let prompt = self.config.prompt.clone();
        // Training has kept as much room, though a vector that is a head stands in no sequence.
        let room = policy.users.as_ref().map(|users| users.config());
        let room = room.map_or(0, |users| users.user_tokens);
        let formatter = Formatter::new(tokenizer, prompt, room)?;
        let rows = self.config.training.micro_rows;
        Ok(Opened {
            engine: Engine::new(policy, table, formatter).with_micro_rows(rows),
            base,
            key,
            source,
            config: self.config.clone(),
        })
    }
}

/// What was trained, and what it was trained from.
#[derive(Debug)]
pub struct Opened {
    /// Adapters and user model on the base model.
    pub engine: Engine,
    /// The base model, which is the reference.
    pub base: Model,
    /// The base model's name.
    pub source: String,
    /// The key of the base model's log-probs.
    pub(super) key: String,
    config: Config,
}

impl Opened {
    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The objective it was trained on, for [`Engine::score`]; the reference's log-probs are kept in `dir`. It may be that of a
    /// run, whose training reads none of them: see [`Reference::open_beside`].
    ///
    /// # Errors
    /// Settings out of range, a folder that cannot be read or written, or a reward model, of which [`reward`](Self::reward) is
    /// the task.
    pub fn preference(&self, dir: &Path) -> Result<Preference, TrainError> {
        self.engine.validate_writer()?;
        let objective = &self.config.objective;
        let rows = self.config.training.micro_rows;
        let reference = match objective.loss.needs_reference() {
            true => Some(Reference::open_beside(dir, &self.base, &self.key, rows)?),
            false => None,
        };
        Preference::from_config(objective, self.engine.table().is_some(), reference)
    }

    /// What a reward model was trained on, for [`Engine::score`]; none for adapters that write.
    ///
    /// # Errors
    /// Settings out of range.
    pub fn reward(&self) -> Result<Option<Reward>, TrainError> {
        if self.engine.policy().head.is_none() {
            return Ok(None);
        }
        let has_users = self.engine.table().is_some();
        let Config {
            reward, objective, ..
        } = &self.config;
        Reward::new(reward, objective, has_users).map(Some)
    }
}

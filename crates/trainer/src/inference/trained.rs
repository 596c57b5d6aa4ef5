//! Opening what training left: adapters and user model on their base model.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use llm_backbone::Model;
use llm_backbone::peft::PeftConfig;
use pdpo_loss::PairLoss;

use super::Engine;
use crate::adapters;
use crate::config::{Config, read_toml};
use crate::error::TrainError;
use crate::lineage::Lineage;
use crate::reference::Reference;
use crate::source::{self, BaseModel};
use crate::task::Preference;
use crate::tokenise::Formatter;

/// PEFT's name for it.
const ADAPTER_CONFIG: &str = "adapter_config.json";

/// A folder of adapters, and how they were trained.
#[derive(Clone, Debug)]
pub struct Trained {
    dir: PathBuf,
    /// The run's configuration, or whatever else the adapters are to be used with.
    pub config: Config,
}

impl Trained {
    /// The adapters in the folder of a run, with its configuration.
    ///
    /// # Errors
    /// A folder without them, or a broken configuration.
    pub fn run(dir: &Path) -> Result<Self, TrainError> {
        let config = read_toml(&dir.join("config.toml"))?;
        Self::adapters(&dir.join("adapters"), config)
    }

    /// A folder of adapters alone, in PEFT's layout.
    ///
    /// # Errors
    /// A folder that holds none.
    pub fn adapters(dir: &Path, config: Config) -> Result<Self, TrainError> {
        let dir = source::adapters_in(dir)?;
        Ok(Self { dir, config })
    }

    /// Whether a folder holds adapters.
    pub fn is_adapters(dir: &Path) -> bool {
        dir.join(ADAPTER_CONFIG).is_file()
    }

    /// The folder of the adapters.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the base model is called: by the configuration, or else by the adapters. Where these name a merged model that
    /// nobody has written, it is the model below.
    ///
    /// # Errors
    /// A broken file.
    pub fn base(&self) -> Result<String, TrainError> {
        let named = &self.config.model.source;
        if !named.is_empty() {
            return Ok(named.clone());
        }
        let name = PeftConfig::read(&self.dir)?.base_model_name_or_path;
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
            let problem = "`base_model_name_or_path` is missing, expected the base model's name: give --model";
            TrainError::format(&self.dir.join(ADAPTER_CONFIG), problem)
        })?;
        match Lineage::of_adapters(&self.dir)? {
            Some(lineage) if !Path::new(&name).exists() => Ok(lineage.model.path),
            _ => Ok(name),
        }
    }

    /// Opens the base model alone, with what the adapters want merged into it first, and without themselves.
    fn open_base_below(&self, base: &Path, device: &Device) -> Result<BaseModel, TrainError> {
        let base = self.open_base(base, device)?;
        if base.lineage.has(&source::weights_hash(&self.dir)?) {
            let problem = format!(
                "{} has these adapters in it already: give {}",
                base.source, base.lineage.model.path
            );
            return Err(TrainError::format(&self.dir, problem));
        }
        Ok(base)
    }

    /// Opens the base model alone, with what the adapters want merged into it first.
    fn open_base(&self, base: &Path, device: &Device) -> Result<BaseModel, TrainError> {
        let mut section = self.config.model.clone();
        section.source = self.base()?;
        source::open_section(&section, base, device)?.as_base_of(&self.dir)
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
        } = self.open_base_below(base, device)?;
        let base = model.frozen();
        let (policy, table, _) = adapters::load(&self.dir, base.clone(), device)?;
        let prompt = self.config.prompt.clone();
        let formatter = Formatter::new(tokenizer, prompt, policy.user_tokens())?;
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
    key: String,
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
    /// Settings out of range, or a folder that cannot be read or written.
    pub fn preference(&self, dir: &Path) -> Result<Preference, TrainError> {
        let objective = &self.config.objective;
        let rows = self.config.training.micro_rows;
        let reference = match objective.loss.needs_reference() {
            true => Some(Reference::open_beside(dir, &self.base, &self.key, rows)?),
            false => None,
        };
        Preference::from_config(objective, self.engine.table().is_some(), reference)
    }
}

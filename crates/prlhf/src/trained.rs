//! Opening what training left: adapters and user model on their base model.

use std::path::{Path, PathBuf};

use clap::Args;
use terminal::hub;
use toml::Table;
use trainer::TrainError;
use trainer::config::{Config, ModelSection, Setting, from_table, read_toml_with};
use trainer::llm_backbone::Model;
use trainer::llm_backbone::peft::PeftConfig;
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::policy::Policy;
use trainer::pref_data::Prompt;
use trainer::source::BaseModel;
use trainer::tokenise::Formatter;
use trainer::user_model::{UserRef, UserTable};
use trainer::{adapters, device};

use crate::prepare::fit;

/// Which adapters, on which model.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub struct TrainedArgs {
    /// The folder of a run: its adapters, and model and prompt format from its config.toml.
    #[arg(long, value_name = "DIR", required_unless_present = "adapters")]
    pub run: Option<PathBuf>,
    /// A folder of adapters alone, in PEFT's layout.
    #[arg(long, value_name = "DIR", conflicts_with = "run")]
    pub adapters: Option<PathBuf>,
    /// The base model: a Hugging Face folder, a GGUF file, or a hub id. Default: the one that the run or the adapters
    /// name.
    #[arg(long, value_name = "SOURCE")]
    pub model: Option<String>,
    /// With --adapters: a configuration for prompt format, sampling and the like; default: the defaults.
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub config: Option<PathBuf>,
    /// Sets one key of the configuration, as in `--set prompt.max_prompt_length=256`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// `flex` (the CPU), `cuda:N`, `wgpu` or `wgpu:N`.
    #[arg(long, default_value = "flex", value_name = "NAME")]
    pub device: String,
}

/// A policy, ready for use.
pub struct Trained {
    /// The run's configuration, or defaults.
    pub config: Config,
    /// The base model, which is the reference.
    pub base: Model,
    /// The key of its reference log-probs.
    pub key: String,
    /// Its name.
    pub source: String,
    /// Adapters and user model on it.
    pub policy: Policy,
    /// The users.
    pub table: Option<UserTable>,
    /// Text to ids.
    pub formatter: Formatter,
}

impl TrainedArgs {
    /// The configuration: the run's, the one named, or the defaults.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn config(&self) -> Result<Config, TrainError> {
        let of_run = self.run.as_ref().map(|run| run.join("config.toml"));
        match of_run.or_else(|| self.config.clone()) {
            Some(path) => read_toml_with(&path, &self.set),
            None => from_table(Path::new("defaults"), Table::new(), &self.set),
        }
    }

    /// The folder of adapters.
    ///
    /// # Errors
    /// A folder without them.
    pub fn adapters_dir(&self) -> Result<PathBuf, TrainError> {
        let dir = match (&self.adapters, &self.run) {
            (Some(dir), _) => dir.clone(),
            (None, Some(run)) => run.join("adapters"),
            (None, None) => return Err(TrainError::Usage("give --run or --adapters".into())),
        };
        if dir.join(ADAPTER_CONFIG).is_file() {
            return Ok(dir);
        }
        let problem = format!("no adapters here: expected {ADAPTER_CONFIG} and its tensors");
        Err(TrainError::format(&dir, problem))
    }

    /// Opens model, adapters and users. `room` is what a response may take of the context and the key that says so.
    ///
    /// # Errors
    /// Missing or broken files, or adapters of another model.
    pub fn open(&self, room: impl Fn(&Config) -> (usize, &str)) -> Result<Trained, TrainError> {
        let config = self.config()?;
        let dir = self.adapters_dir()?;
        let device = device::parse(&self.device)?.autodiff();
        let section = self.model_section(&config, &dir)?;
        let BaseModel {
            model,
            tokenizer,
            source,
            key,
        } = hub::open_section(&section, &device)?;
        let base = model.frozen();
        let (policy, table, _) = adapters::load(&dir, base.clone(), &device)?;
        let formatter = formatter(&config, room(&config), tokenizer, &policy)?;
        Ok(Trained {
            config,
            base,
            key,
            source,
            policy,
            table,
            formatter,
        })
    }

    /// The flag comes first, then the configuration, then what the adapters name.
    fn model_section(&self, config: &Config, dir: &Path) -> Result<ModelSection, TrainError> {
        let mut section = config.model.clone();
        if let Some(model) = &self.model {
            section.source = model.clone();
        }
        if section.source.is_empty() {
            section.source = peft_config(dir)?
                .base_model_name_or_path
                .unwrap_or_default();
        }
        Ok(section)
    }
}

fn formatter(
    config: &Config,
    (room, key): (usize, &str),
    tokenizer: Tokenizer,
    policy: &Policy,
) -> Result<Formatter, TrainError> {
    let positions = policy.model.config().max_positions();
    let prompt = fit(&config.prompt, positions, room, key)?;
    Formatter::new(tokenizer, prompt, policy.user_tokens())
}

/// PEFT's name for it.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// What the adapters say of themselves.
///
/// # Errors
/// A missing or broken file.
pub fn peft_config(dir: &Path) -> Result<PeftConfig, TrainError> {
    let path = dir.join(ADAPTER_CONFIG);
    let text = std::fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
    serde_json::from_slice(&text).map_err(|e| TrainError::format(&path, e))
}

impl Trained {
    /// The user of that id.
    ///
    /// # Errors
    /// An unknown id, with near matches; or adapters without users.
    pub fn user(&self, id: &str) -> Result<UserRef, TrainError> {
        match &self.table {
            Some(table) => Ok(table.user(id)?),
            None => Err(TrainError::Usage(format!(
                "unknown user `{id}`: these adapters know no users"
            ))),
        }
    }

    /// How many prompts of a list are, with the user's text, longer than allowed.
    ///
    /// # Errors
    /// A prompt that the tokenizer fails on.
    pub fn cut_prompts<'a>(
        &self,
        prompts: impl Iterator<Item = (&'a Prompt, Option<&'a str>)>,
    ) -> Result<usize, TrainError> {
        let mut cut = 0;
        for (prompt, user_text) in prompts {
            let found = self.formatter.prompt(prompt, user_text)?;
            cut += usize::from(found.cut || found.user_text_cut);
        }
        Ok(cut)
    }
}

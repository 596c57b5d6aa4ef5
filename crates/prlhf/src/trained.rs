//! Opening what training left: adapters and user model on their base model.

use std::path::{Path, PathBuf};

use clap::Args;
use terminal::hub;
use toml::Table;
use trainer::TrainError;
use trainer::config::{Config, Setting, from_table, read_toml_with};
use trainer::device;
use trainer::inference::{Opened, Trained};

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

impl TrainedArgs {
    /// The adapters, with the run's configuration, the one named, or the defaults.
    ///
    /// # Errors
    /// A file that cannot be read, or a folder without adapters.
    pub fn trained(&self) -> Result<Trained, TrainError> {
        let trained = match (&self.run, &self.adapters) {
            (Some(run), _) => Trained::run_with(run, &self.set)?,
            (None, Some(dir)) => Trained::adapters(dir, self.config()?)?,
            (None, None) => return Err(TrainError::Usage("give --run or --adapters".into())),
        };
        Ok(match &self.model {
            Some(model) => trained.on(model),
            None => trained,
        })
    }

    /// The configuration beside adapters alone.
    fn config(&self) -> Result<Config, TrainError> {
        match &self.config {
            Some(path) => read_toml_with(path, &self.set),
            None => from_table(Path::new("defaults"), Table::new(), &self.set),
        }
    }

    /// Opens adapters and users on their base model, which may be named by hub id.
    ///
    /// # Errors
    /// As [`trained`](Self::trained), missing or broken files, or adapters of another model.
    pub fn open(&self) -> Result<Opened, TrainError> {
        let trained = self.trained()?;
        let device = device::parse(&self.device)?;
        trained.open(&hub::locate(&trained.base()?)?, &device)
    }
}

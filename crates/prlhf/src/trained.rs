//! Opening what training left: adapters and user model on their base model.

use std::path::{Path, PathBuf};

use clap::Args;
use terminal::hub;
use toml::Table;
use trainer::TrainError;
use trainer::config::{Config, Setting, from_table, read_toml_with};
use trainer::device;
use trainer::inference::{Opened, Trained};
use trainer::tokenise::Template;

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
        let opened = trained.open(&hub::locate(&trained.base()?)?, &device)?;
        if let Some(advice) = self.advice(&trained, &opened) {
            tracing::warn!("{advice}");
        }
        Ok(opened)
    }

    /// What to do where adapters alone are used with the defaults, and these are probably not how they were trained.
    fn advice(&self, trained: &Trained, opened: &Opened) -> Option<String> {
        let is_said = self.set.iter().any(|set| set.key().starts_with("prompt"));
        if self.run.is_some() || self.config.is_some() || is_said {
            return None;
        }
        let run = trained.dir().parent()?;
        let path = run.join("config.toml");
        let used = &opened.config().prompt;
        // A file of another program is none of a run.
        if let Ok(written) = read_toml_with::<Config>(&path, &[]) {
            let (path, run) = (path.display(), run.display());
            return (written.prompt != *used).then(|| {
                format!(
                    "prompts are made by the defaults, and not as {path} says: name the run (--run {run}) or a configuration (--config)"
                )
            });
        }
        let has_template = opened
            .engine
            .formatter()
            .tokenizer()
            .chat_template()
            .is_some();
        let is_raw = used.template == Template::Raw;
        (is_raw && has_template).then(|| {
            "prompts are raw text, which is the default, and the model has a chat template: say how the adapters were trained by --config or --set prompt.template=chat (or raw)".into()
        })
    }
}

//! The TOML configuration of a run. Unknown keys are refused; every key has a default, named in its documentation.

mod effect;
mod online;
mod overlay;
mod reward;
mod toml_error;
mod training;
mod users;
mod values;

use std::path::{Path, PathBuf};

use burn::tensor::DType;
use llm_backbone::sampling::SamplingConfig;
use llm_backbone::{LoraConfig, Precision};
use pdpo_loss::ObjectiveConfig;
use pref_data::{Columns, DataOptions, Layout, ReadOptions};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::Table;

use crate::error::TrainError;
use crate::tokenise::PromptConfig;
pub use effect::Circumstances;
pub use online::{OnlineMethod, OnlineSection};
pub use overlay::{Setting, from_table, keep_shared, read_toml_with};
pub use reward::{Head, RewardSection};
use toml_error::one_line;
pub use training::{Checkpointing, Clip, SftConfig, Shuffle, TrainingSection};
pub(crate) use users::refused;
pub use users::{Kind, UserTokens, UsersSection, Widths};
pub use values::{
    objective, validate_dropout, validate_lora, validate_loraplus, validate_named,
    validate_objective, validate_sampling, validate_stop_ids, validate_thumbs,
    validate_whole_batch,
};

/// A whole run, as `prlhf train --config` reads it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Moves initialisation, order and sampling. Default 0.
    pub seed: u64,
    /// `[model]`
    pub model: ModelSection,
    /// `[data]`
    pub data: DataSection,
    /// `[prompt]`
    pub prompt: PromptConfig,
    /// `[users]`; absent: no user model (vanilla DPO).
    pub users: Option<UsersSection>,
    /// `[lora]`
    pub lora: LoraConfig,
    /// `[objective]`
    pub objective: ObjectiveConfig,
    /// `[reward]`: what the reward mode has of its own.
    pub reward: RewardSection,
    /// `[online]`: what the online mode has of its own.
    pub online: OnlineSection,
    /// `[training]`
    pub training: TrainingSection,
    /// `[sft]`: the SFT mode's own steps and rate.
    pub sft: SftConfig,
    /// `[sampling]`
    pub sampling: SamplingConfig,
    /// `[judge]`: the program's, whose keys are not looked at here. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<Table>,
}

impl Config {
    /// Refuses what no data and no model could make right.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.model.validate_paths()?;
        self.data.validate_values()?;
        self.training.validate()?;
        self.sft.validate("sft")?;
        self.online.validate()?;
        validate_sampling(&self.sampling)?;
        validate_lora(&self.lora)?;
        let rate = self.training.learning_rate;
        validate_loraplus(&self.lora, "training.learning_rate", rate)?;
        validate_dropout(
            self.training.gradient_checkpointing,
            self.lora.dropout > 0.0,
        )?;
        if let Some(users) = &self.users {
            users.validate()?;
        }
        validate_objective(&self.objective, self.users.is_some(), &self.training)?;
        let alpha = self.objective.alpha;
        if self.users.is_none() && alpha != ObjectiveConfig::default().alpha {
            let expected = "no such key without [users]: it weighs the users' own term";
            return Err(TrainError::config("objective.alpha", alpha, expected));
        }
        Ok(())
    }

    /// Files and folders that it names, as far as they are on this machine.
    pub fn inputs(&self) -> Vec<PathBuf> {
        let data = self.data.train.iter().chain(&self.data.validation);
        let named = data.cloned().chain(self.model.paths());
        named.filter(|path| path.exists()).collect()
    }
}

/// `[model]`: the base model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    /// A Hugging Face directory, a GGUF file, or a hub id. No default.
    pub source: String,
    /// The type of the frozen weights: `f32` (default), `bf16`, `f16`, or `stored`: as the file has them (quantised, or
    /// 16 bits), on the CPU. Adapters, logits and loss are always f32.
    pub dtype: Dtype,
    /// A PEFT folder that is merged into the weights first, such as that of an SFT run. Default none.
    pub adapters: Option<PathBuf>,
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            source: String::new(),
            dtype: Dtype::F32,
            adapters: None,
        }
    }
}

impl ModelSection {
    /// Refuses a section that names no model.
    ///
    /// # Errors
    /// Names the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        let expected = "a Hugging Face folder, a GGUF file or a hub id";
        match self.source.trim().is_empty() {
            true => Err(TrainError::config("model.source", "empty", expected)),
            false => self.validate_paths(),
        }
    }

    /// Refuses paths that name nothing.
    fn validate_paths(&self) -> Result<(), TrainError> {
        let expected = "a folder of adapters, or no such key";
        let mut adapters = self.adapters.iter();
        adapters.try_for_each(|path| validate_named("model.adapters", path, expected))
    }

    /// What it names: files, folders or hub ids.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let source = PathBuf::from(&self.source);
        std::iter::once(source).chain(self.adapters.clone())
    }
}

/// How frozen weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32 bits.
    F32,
    /// 16 bits, the range of f32.
    Bf16,
    /// 16 bits, IEEE.
    F16,
    /// As the file has them; see [`Precision::Stored`].
    Stored,
}

impl Dtype {
    /// Bytes of a weight; none where the file says so.
    pub(crate) fn bytes(self) -> Option<u64> {
        match self {
            Self::F32 => Some(4),
            Self::Bf16 | Self::F16 => Some(2),
            Self::Stored => None,
        }
    }
}

impl From<Dtype> for Precision {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::Dense(DType::F32),
            Dtype::Bf16 => Self::Dense(DType::BF16),
            Dtype::F16 => Self::Dense(DType::F16),
            Dtype::Stored => Self::Stored,
        }
    }
}

/// `[data]`: comparisons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// Files or folders with training comparisons; `-` is standard input, `hf://OWNER/NAME` a data set of the hub.
    pub train: Vec<PathBuf>,
    /// Files or folders with validation comparisons; empty: a share of `train`, split by prompt.
    pub validation: Vec<PathBuf>,
    /// The share of prompts held out where `validation` is empty. Default 0.1.
    pub validation_share: f64,
    /// Skip and count broken records instead of stopping at the first. Default false.
    pub lenient: bool,
    /// `general`, `tldr`, `psoups` or `prism`; absent (default): the records tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// `[data.columns]`: columns of the general layout by other names. Default none.
    pub columns: Columns,
}

impl Default for DataSection {
    fn default() -> Self {
        Self {
            train: Vec::new(),
            validation: Vec::new(),
            validation_share: 0.1,
            lenient: false,
            layout: None,
            columns: Columns::default(),
        }
    }
}

impl DataSection {
    /// How its files are to be read.
    pub fn options(&self) -> DataOptions {
        DataOptions {
            read: ReadOptions {
                lenient: self.lenient,
            },
            layout: self.layout,
            columns: self.columns.clone(),
        }
    }

    /// Refuses a section that names no data.
    ///
    /// # Errors
    /// Names the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        let expected = "at least one file or folder";
        match self.train.is_empty() {
            true => Err(TrainError::config("data.train", "empty", expected)),
            false => self.validate_values(),
        }
    }

    /// Refuses a share that is none, paths that name nothing, and columns without a name.
    fn validate_values(&self) -> Result<(), TrainError> {
        let share = self.validation_share;
        if !(0.0..1.0).contains(&share) {
            let expected = "0 or more, less than 1";
            return Err(TrainError::config("data.validation_share", share, expected));
        }
        for (key, paths) in [
            ("data.train", &self.train),
            ("data.validation", &self.validation),
        ] {
            for path in paths {
                validate_named(key, path, "files or folders")?;
            }
        }
        values::validate_columns(&self.columns)
    }
}

/// Reads a TOML file.
///
/// # Errors
/// Names the file, the line with its text, and the key, in one line.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    read_toml_with(path, &[])
}

fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, TrainError> {
    toml::from_str(text).map_err(|error| TrainError::format(path, one_line(&error, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let config: Result<Config, _> = parse_toml(Path::new("run.toml"), text);
        let validated = config.and_then(|config| config.validate());
        validated.expect_err(text).to_string()
    }

    #[test]
    fn what_no_model_and_no_data_could_make_right_is_refused_at_once() {
        for (text, needle) in [
            ("[sampling]\ntop_p = 2.0", "`sampling.top_p` is 2"),
            ("[sampling]\ntop_p = 7", "`sampling.top_p` is 7"),
            (
                "[sampling]\ntemperature = -1.0",
                "`sampling.temperature` is -1",
            ),
            ("[lora]\nalpha = 0.0", "`lora.alpha` is 0"),
            ("[lora]\nrank = 0", "`lora.rank` is 0"),
            ("[lora]\ndropout = 1.0", "`lora.dropout` is 1"),
            ("[objective]\nalpha = 2.0", "`objective.alpha` is 2"),
            ("[objective]\nalpha = 0.75", "`objective.alpha` is 0.75"),
            (
                "[objective]\nloss = \"aot\"",
                "`training.micro_rows` is 8, expected at least 32",
            ),
            ("[sft]\nsteps = 0", "`sft.steps` is 0"),
            (
                "[lora]\nloraplus_lr_ratio = 16.0\n[training]\nlearning_rate = 0.125",
                "`lora.loraplus_lr_ratio` is 16, expected at most 8: times training.learning_rate, which is 0.125",
            ),
        ] {
            let error = refusal(text);
            assert!(error.contains(needle), "{text}: {error}");
        }
        let with_users: Config =
            parse_toml(Path::new("a"), "[objective]\nalpha = 0.75\n[users]").unwrap();
        with_users.validate().unwrap();
    }

    #[test]
    fn a_wrong_type_among_a_loss_s_own_keys_is_told_with_key_and_line() {
        let error = refusal("seed = 1\n[objective]\nloss = \"dpo\"\n  beta = \"much\"\n[users]");
        assert!(
            error.contains("line 4 (`beta = \"much\"`): `objective.beta`: invalid type"),
            "{error}"
        );
        let error = refusal("[objective]\nalpha = \"half\"");
        assert!(
            error.contains("line 2 (`alpha = \"half\"`): `objective.alpha`: "),
            "{error}"
        );
        let error = refusal("[objective]\nloss = \"hinges\"");
        assert!(error.contains("line 2 (`loss = \"hinges\"`)"), "{error}");
        let error = refusal("[training] # fast\nepochs = 1\nbatch = -1");
        assert!(
            error.contains("(`batch = -1`): `training.batch`: invalid value"),
            "{error}"
        );
        let error = refusal("seed = -1");
        assert!(
            error.contains("line 1 (`seed = -1`): `seed`: invalid value"),
            "{error}"
        );
    }
}

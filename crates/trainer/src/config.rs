//! The TOML configuration of a run. Unknown keys are refused; every key has a default, named in its documentation.

mod overlay;

use std::path::{Path, PathBuf};

use burn::tensor::DType;
use llm_backbone::sampling::SamplingConfig;
use llm_backbone::{LoraConfig, Precision};
use pdpo_loss::{Personalised, PreferenceLoss};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use user_model::{Init, RowInit, UserModelConfig, UserModelKind};

use crate::error::TrainError;
use crate::sft::SftConfig;
use crate::tokenise::PromptConfig;

pub use overlay::{Setting, from_table, read_toml_with};

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
    pub objective: Objective,
    /// `[training]`
    pub training: TrainingSection,
    /// `[sft]`: the SFT mode's own steps and rate.
    pub sft: SftConfig,
    /// `[sampling]`
    pub sampling: SamplingConfig,
}

impl Config {
    /// Refuses what no data and no model could make right.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn check(&self) -> Result<(), TrainError> {
        if self.model.source.is_empty() {
            let expected = "a Hugging Face folder, a GGUF file or a hub id";
            return Err(TrainError::config("model.source", "empty", expected));
        }
        if self.data.train.is_empty() {
            let expected = "at least one file or folder";
            return Err(TrainError::config("data.train", "empty", expected));
        }
        let share = self.data.validation_share;
        if !(0.0..1.0).contains(&share) {
            return Err(TrainError::config(
                "data.validation_share",
                share,
                "0 or more, less than 1",
            ));
        }
        self.training.check()?;
        self.objective.preference_loss()?;
        self.objective.mix(self.users.is_some())?;
        Ok(())
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

/// `[data]`: comparisons in the general layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// Files or folders with training comparisons.
    pub train: Vec<PathBuf>,
    /// Files or folders with validation comparisons; empty: a share of `train`, split by prompt.
    pub validation: Vec<PathBuf>,
    /// The share of prompts held out where `validation` is empty. Default 0.1.
    pub validation_share: f64,
    /// Skip and count broken records instead of stopping at the first. Default false.
    pub lenient: bool,
}

impl Default for DataSection {
    fn default() -> Self {
        Self {
            train: Vec::new(),
            validation: Vec::new(),
            validation_share: 0.1,
            lenient: false,
        }
    }
}

/// `[users]`: the user model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsersSection {
    /// `auto` (default), `individual`, `cluster` or `uniform`.
    pub kind: Kind,
    /// `T_u`, soft tokens per user. Default 10.
    pub user_tokens: usize,
    /// Individual only: a shared `e_0` below every user's offset. Default true.
    pub generic: bool,
    /// Cluster only: the number of cluster tensors. Default 5.
    pub clusters: usize,
    /// Where the shared tensors start: `vocabulary` rows (default), `uniform` in a range, or `zeros`.
    pub init: Init,
    /// Where a user's own row starts. Default: zero offsets (individual), N(0, 1) weights (cluster).
    pub row_init: Option<RowInit>,
}

/// The kind of user model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Individual for up to [`Kind::INDIVIDUAL_USERS`] users, cluster beyond.
    Auto,
    /// One soft prompt for everybody.
    Uniform,
    /// `e_0 + o_i`.
    Individual,
    /// A convex combination of cluster tensors.
    Cluster,
}

impl Kind {
    /// The most users that `auto` gives rows of offsets: with 10 soft tokens of width 576, and AdamW's two moments, these
    /// are 138 MB, against 120 bytes a user for the weights of 10 clusters.
    pub const INDIVIDUAL_USERS: usize = 2000;
}

impl Default for UsersSection {
    fn default() -> Self {
        Self {
            kind: Kind::Auto,
            user_tokens: 10,
            generic: true,
            clusters: 5,
            init: Init::default(),
            row_init: None,
        }
    }
}

impl UsersSection {
    /// The configuration of the user model for so many users and a language model of width `d_model`.
    pub fn model_config(&self, users: usize, d_model: usize, seed: u64) -> UserModelConfig {
        let individual = UserModelKind::Individual {
            generic: self.generic,
        };
        let cluster = UserModelKind::Cluster {
            clusters: self.clusters,
        };
        let kind = match self.kind {
            Kind::Auto if users <= Kind::INDIVIDUAL_USERS => individual,
            Kind::Auto => cluster,
            Kind::Uniform => UserModelKind::Uniform,
            Kind::Individual => individual,
            Kind::Cluster => cluster,
        };
        UserModelConfig {
            kind,
            user_tokens: self.user_tokens,
            d_model,
            shared_init: self.init,
            row_init: self.row_init,
            seed,
        }
    }
}

/// `[objective]`: what is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// `dpo` (default) or `ipo`.
    pub loss: LossKind,
    /// The strength of the pull towards the reference. Default 0.1.
    pub beta: f64,
    /// DPO only: the assumed share of flipped labels. Default 0.
    pub label_smoothing: f64,
    /// The weight of the user-specific term. Default 0.5; without a user model only the generic term exists.
    pub alpha: f64,
    /// The weight of the mean negative log-likelihood per token of the preferred response, added to the loss of every
    /// row (`rpo_alpha` of TRL, arXiv 2404.19733): keeps a policy that moves far from garbling its text. Default 0.
    pub nll_weight: f64,
}

/// The preference loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// Direct preference optimisation.
    Dpo,
    /// Identity preference optimisation.
    Ipo,
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            loss: LossKind::Dpo,
            beta: 0.1,
            label_smoothing: 0.0,
            alpha: 0.5,
            nll_weight: 0.0,
        }
    }
}

impl Objective {
    /// The loss with its constants, checked.
    ///
    /// # Errors
    /// A beta or smoothing out of range.
    pub fn preference_loss(&self) -> Result<PreferenceLoss, TrainError> {
        let loss = match self.loss {
            LossKind::Dpo => PreferenceLoss::Dpo {
                beta: self.beta,
                label_smoothing: self.label_smoothing,
            },
            LossKind::Ipo => PreferenceLoss::Ipo { beta: self.beta },
        };
        loss.validate()?;
        if !(self.nll_weight >= 0.0 && self.nll_weight.is_finite()) {
            let expected = "0 or a positive number";
            return Err(TrainError::config(
                "objective.nll_weight",
                self.nll_weight,
                expected,
            ));
        }
        Ok(loss)
    }

    /// The mix of the two branches: without a user model, the generic one alone.
    ///
    /// # Errors
    /// An alpha outside `[0, 1]`.
    pub fn mix(&self, has_users: bool) -> Result<Personalised, TrainError> {
        Ok(Personalised::new(if has_users { self.alpha } else { 0.0 })?)
    }
}

/// What the backward pass computes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkpointing {
    /// Nothing.
    #[default]
    None,
    /// What burn takes for cheap.
    Operations,
    /// Each block of the model from its input.
    Blocks,
}

/// `[training]`: optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingSection {
    /// Passes over the training comparisons. Default 1.
    pub epochs: usize,
    /// Stop after so many optimiser steps; 0 (default): at the end of the last epoch.
    pub max_steps: usize,
    /// Comparisons per optimiser step. Default 32.
    pub batch: usize,
    /// Packed rows in work at a time, over all replicas: what memory a step takes. A comparison takes one row per branch.
    /// Default 8.
    pub micro_rows: usize,
    /// Forward passes at a time on a CPU, each on a core of its own with its part of `micro_rows`; 0 (default): one for
    /// every core. With dropout there is one.
    pub replicas: usize,
    /// What the backward pass computes again instead of keeping it: `none` (default), `operations` (cheap ones: burn's
    /// switch) or `blocks` (a block of the model at a time: the least memory, half as much arithmetic again).
    pub gradient_checkpointing: Checkpointing,
    /// The rate of the adapters. Default 5e-5.
    pub learning_rate: f64,
    /// The rate of the user model; 0 (default): the same.
    pub users_learning_rate: f64,
    /// The rate of the users' own rows; 0 (default): that of the user model. Weights of clusters need a larger one than
    /// the clusters' tensors: a row moves only in steps that its user is part of.
    pub user_rows_learning_rate: f64,
    /// Steps of linear warm-up before the cosine. Default 150.
    pub warmup_steps: usize,
    /// AdamW's weight decay. Default 0.
    pub weight_decay: f64,
    /// The largest global norm of the gradient over adapters and users; 0: no clipping. Default 1.
    pub max_grad_norm: f64,
    /// Steps between validations; 0: only at the end. Default 50.
    pub eval_every: usize,
    /// At most so many validation comparisons per validation; 0 (default): all.
    pub eval_limit: usize,
    /// Steps between checkpoints; 0: only when stopped and at the end. Default 200.
    pub save_every: usize,
    /// Stop after so many validations without improvement; 0 (default): never.
    pub patience: usize,
}

impl Default for TrainingSection {
    fn default() -> Self {
        Self {
            epochs: 1,
            max_steps: 0,
            batch: 32,
            micro_rows: 8,
            replicas: 0,
            gradient_checkpointing: Checkpointing::None,
            learning_rate: 5e-5,
            users_learning_rate: 0.0,
            user_rows_learning_rate: 0.0,
            warmup_steps: 150,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            eval_every: 50,
            eval_limit: 0,
            save_every: 200,
            patience: 0,
        }
    }
}

impl TrainingSection {
    /// The rate of the user model.
    pub fn users_rate(&self) -> f64 {
        if self.users_learning_rate > 0.0 {
            self.users_learning_rate
        } else {
            self.learning_rate
        }
    }

    /// The rate of the users' own rows.
    pub fn user_rows_rate(&self) -> f64 {
        if self.user_rows_learning_rate > 0.0 {
            self.user_rows_learning_rate
        } else {
            self.users_rate()
        }
    }

    /// Refuses sizes of zero and rates that are no positive numbers.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn check(&self) -> Result<(), TrainError> {
        for (key, value) in [
            ("training.epochs", self.epochs),
            ("training.batch", self.batch),
            ("training.micro_rows", self.micro_rows),
        ] {
            if value == 0 {
                return Err(TrainError::config(key, value, "at least 1"));
            }
        }
        let rates = [
            ("training.learning_rate", self.learning_rate),
            ("training.users_learning_rate", self.users_rate()),
            ("training.user_rows_learning_rate", self.user_rows_rate()),
        ];
        for (key, value) in rates {
            if !(value > 0.0 && value <= 1.0) {
                return Err(TrainError::config(key, value, "a number in (0, 1]"));
            }
        }
        for (key, value) in [
            ("training.weight_decay", self.weight_decay),
            ("training.max_grad_norm", self.max_grad_norm),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(TrainError::config(key, value, "0 or a positive number"));
            }
        }
        Ok(())
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

fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(" ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message;
    };
    let line = before.matches('\n').count();
    let quoted = text.lines().nth(line).unwrap_or_default().trim();
    format!("line {} (`{quoted}`): {message}", line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_users_share_clusters_unless_told_otherwise() {
        let kind = |section: &UsersSection, users| section.model_config(users, 576, 0).kind;
        let individual = UserModelKind::Individual { generic: true };
        let cluster = UserModelKind::Cluster { clusters: 5 };
        let auto = UsersSection::default();
        assert_eq!(kind(&auto, 2000), individual);
        assert_eq!(kind(&auto, 2001), cluster);
        for (said, expected) in [(Kind::Individual, individual), (Kind::Cluster, cluster)] {
            let section = UsersSection {
                kind: said,
                ..UsersSection::default()
            };
            assert_eq!(
                [1, 1_000_000].map(|users| kind(&section, users)),
                [expected; 2]
            );
        }
    }
}

//! `configs/<experiment>/<preset>.toml`: every number of an experiment, none in code.

use judge::JudgeConfig;
use serde::{Deserialize, Serialize};
use trainer::config::{Kind, ModelSection, SftConfig, TrainingSection, UsersSection};
use trainer::llm_backbone::LoraConfig;
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::tokenise::PromptConfig;

use crate::report::Difference;

/// A preset of an experiment, whose own part is the `[data]` section `D`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig<D> {
    /// What a reader may expect, in minutes on two cores; said before starting.
    pub expected_minutes: f64,
    /// `[data]`
    pub data: D,
    /// `[model]`; its source may be given on the command line.
    #[serde(default)]
    pub model: ModelSection,
    /// `[tiny]`: a model made in the run, instead of one from files.
    pub tiny: Option<TinyConfig>,
    /// `[sft]`: LoRA fine-tuning before preference learning; absent: the base model serves as SFT model.
    pub sft: Option<SftConfig>,
    /// `[prompt]`
    #[serde(default)]
    pub prompt: PromptConfig,
    /// `[lora]`
    #[serde(default)]
    pub lora: LoraConfig,
    /// `[objective]`
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// `[training]`
    #[serde(default)]
    pub training: TrainingSection,
    /// `[[systems]]`
    pub systems: Vec<SystemConfig>,
    /// `[sampling]`
    #[serde(default)]
    pub sampling: SamplingConfig,
    /// `[evaluation]`
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// `[judge]`: win rates are measured where it has a url and a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeConfig>,
    /// `[[differences]]`: where and why the settings are not the paper's.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// Room for soft tokens that `--systems` must not change.
    #[serde(skip)]
    room: usize,
}

/// `[tiny]`: a Llama made from scratch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TinyConfig {
    /// Entries of the BPE vocabulary.
    pub vocab_size: usize,
    /// Width.
    pub hidden_size: usize,
    /// Width of the feed-forward layers.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key/value heads.
    pub num_key_value_heads: usize,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Full fine-tuning of all weights on the training posts.
    pub sft: SftConfig,
}

/// `[[systems]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemConfig {
    /// `sft`, `oracle`, `vanilla-dpo`, `pdpo-individual`, `pdpo-cluster`, or a name of one's own.
    pub name: String,
    /// What the prompt says of the user; default: the user's own text, where the data have one.
    #[serde(default, skip_serializing_if = "UserText::is_own")]
    pub text: UserText,
    /// Absent for `sft`, `oracle` and vanilla DPO.
    pub users: Option<UsersSection>,
    /// Overrides `objective.alpha`.
    pub alpha: Option<f64>,
    /// Overrides `training.epochs`.
    pub epochs: Option<usize>,
    /// Overrides `training.learning_rate`.
    pub learning_rate: Option<f64>,
    /// Overrides `training.users_learning_rate`.
    pub users_learning_rate: Option<f64>,
    /// Overrides `training.user_rows_learning_rate`.
    pub user_rows_learning_rate: Option<f64>,
}

/// What the prompt says of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserText {
    /// The user's own text, where the data have one.
    #[default]
    Own,
    /// Nothing.
    None,
    /// The user's true preference, in words.
    Preference,
}

impl UserText {
    /// Whether it is the default.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// The SFT model as it is.
pub const SFT: &str = "sft";
/// The SFT model that is told the user's true preference.
pub const ORACLE: &str = "oracle";

impl SystemConfig {
    /// Whether this system is trained on comparisons.
    pub fn is_trained(&self) -> bool {
        ![SFT, ORACLE].contains(&self.name.as_str())
    }

    /// The objective of this system.
    pub fn objective(&self, base: &ObjectiveConfig) -> ObjectiveConfig {
        ObjectiveConfig {
            alpha: self.alpha.unwrap_or(base.alpha),
            ..base.clone()
        }
    }

    /// The training of this system.
    pub fn training(&self, base: &TrainingSection) -> TrainingSection {
        TrainingSection {
            epochs: self.epochs.unwrap_or(base.epochs),
            learning_rate: self.learning_rate.unwrap_or(base.learning_rate),
            users_learning_rate: self.users_learning_rate.unwrap_or(base.users_learning_rate),
            user_rows_learning_rate: self
                .user_rows_learning_rate
                .unwrap_or(base.user_rows_learning_rate),
            ..base.clone()
        }
    }
}

/// `[evaluation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Test prompts that responses are sampled for.
    pub prompts: usize,
    /// Sequences sampled at a time.
    pub batch: usize,
    /// Test comparisons that KL and held-out loss are measured on.
    pub quality_comparisons: usize,
    /// Lower bounds of the bands of the ratio of the two lengths in characters; empty: no break-down. Where there are more
    /// than two, all but the first together follow as one.
    pub ratio_bands: Vec<f64>,
    /// Prompts shown in the report; the gallery shows all.
    pub shown: usize,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            prompts: 8,
            batch: 32,
            quality_comparisons: 32,
            ratio_bands: Vec::new(),
            shown: 3,
        }
    }
}

/// Changes to any experiment, asked for on the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--model`
    pub model: Option<String>,
    /// `--user-tokens`
    pub user_tokens: Option<usize>,
    /// `--alpha`
    pub alpha: Option<f64>,
    /// `--no-generic`
    pub no_generic: bool,
    /// `--clusters`
    pub clusters: Option<usize>,
    /// `--systems`
    pub systems: Vec<String>,
    /// `--judge-url`
    pub judge_url: Option<String>,
    /// `--judge-model`
    pub judge_model: Option<String>,
    /// `--judge-calls`
    pub judge_calls: Option<u64>,
}

/// The environment variable with the judge's key, if it needs one.
const JUDGE_KEY: &str = "JUDGE_API_KEY";

impl<D> ExperimentConfig<D> {
    /// Applies command-line changes.
    ///
    /// # Errors
    /// A system that the preset does not have.
    pub fn with(mut self, overrides: &Overrides) -> Result<Self, String> {
        if let Some(model) = &overrides.model {
            self.model.source = model.clone();
            self.tiny = None;
        }
        for system in &mut self.systems {
            let Some(users) = &mut system.users else {
                continue;
            };
            users.user_tokens = overrides.user_tokens.unwrap_or(users.user_tokens);
            users.clusters = overrides.clusters.unwrap_or(users.clusters);
            if overrides.no_generic && users.kind == Kind::Individual {
                users.generic = false;
            }
            system.alpha = overrides.alpha.or(system.alpha);
        }
        self.room = self.user_tokens();
        if overrides.judge_url.is_some() || self.judge.is_some() {
            let judge = self.judge.get_or_insert_default();
            judge.url = overrides
                .judge_url
                .clone()
                .unwrap_or_else(|| judge.url.clone());
            judge.model = overrides
                .judge_model
                .clone()
                .unwrap_or_else(|| judge.model.clone());
            judge.budget = overrides.judge_calls.or(judge.budget);
            judge.key_env.get_or_insert_with(|| JUDGE_KEY.into());
        }
        if !overrides.systems.is_empty() {
            let have: Vec<String> = self.systems.iter().map(|s| s.name.clone()).collect();
            if let Some(unknown) = overrides.systems.iter().find(|name| !have.contains(name)) {
                return Err(format!(
                    "unknown system `{unknown}`; this preset has {}",
                    have.join(", ")
                ));
            }
            self.systems.retain(|s| overrides.systems.contains(&s.name));
        }
        Ok(self)
    }

    /// The most soft tokens of any system of the preset: room for them is kept in every one, so that a system's figures
    /// do not depend on which others are run.
    pub fn user_tokens(&self) -> usize {
        let users = self.systems.iter().filter_map(|s| s.users.as_ref());
        users.map(|u| u.user_tokens).fold(self.room, usize::max)
    }
}

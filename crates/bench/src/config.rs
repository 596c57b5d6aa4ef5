//! `configs/<experiment>/<preset>.toml`: every number of an experiment, none in code.

mod effect;
mod preset;
mod system;
mod values;

use judge::JudgeConfig;
use serde::{Deserialize, Serialize};
use trainer::config::{ModelSection, RewardSection, SftConfig, TrainingSection};
use trainer::llm_backbone::LoraConfig;
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::tokenise::PromptConfig;

use crate::report::Difference;

pub use preset::Preset;
pub use system::{Mode, SystemConfig, SystemSettings, UserText};
pub(crate) use system::{ORACLE, SFT};
pub use values::validate_seeds;
pub(crate) use values::{validate_judge, validate_judge_key, validate_shares};

/// A preset of an experiment, whose own part is the `[data]` section `D`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig<D> {
    /// What a reader may expect, in minutes on two cores; said before starting. Absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_minutes: Option<f64>,
    /// `[data]`
    pub data: D,
    /// `[model]`
    #[serde(default)]
    pub model: ModelSection,
    /// `[tiny]`: a model made in the run, where `[model]` names none.
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
    /// `[reward]`: of systems with `mode = "reward"`.
    #[serde(default, skip_serializing_if = "system::is_default")]
    pub reward: RewardSection,
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

/// `[tiny]`: a model made from scratch.
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

/// `[evaluation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Test prompts that responses are sampled for.
    pub prompts: usize,
    /// Validation prompts of which every validation tells how likely an empty response is, for every seen user and the generic one; 0
    /// (default): none.
    pub ending_prompts: usize,
    /// Sequences sampled at a time.
    pub batch: usize,
    /// Test comparisons that KL and held-out loss are measured on.
    pub quality_comparisons: usize,
    /// `[evaluation.best_of]`: reward models choose among several responses; absent: none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_of: Option<BestOfConfig>,
    /// Lower bounds of the bands of the ratio of the two lengths in characters; empty: no break-down. Where there are more
    /// than two, all but the first together follow as one.
    pub ratio_bands: Vec<f64>,
    /// Prompts shown in the report; the gallery shows all.
    pub shown: usize,
}

/// `[evaluation.best_of]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestOfConfig {
    /// The systems whose responses reward models choose among; they stand before these.
    pub from: Vec<String>,
    /// Among how many, each larger than the one before.
    pub counts: Vec<usize>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            prompts: 8,
            ending_prompts: 0,
            batch: 32,
            quality_comparisons: 32,
            best_of: None,
            ratio_bands: Vec::new(),
            shown: 3,
        }
    }
}

impl<D> ExperimentConfig<D> {
    /// How many responses to each prompt a system is sampled for: one, or as many as a reward model of this run chooses among.
    pub(crate) fn samples_of(&self, system: &str) -> usize {
        let best_of = self.evaluation.best_of.as_ref();
        let chooses = self.systems.iter().any(SystemConfig::is_reward_model);
        let best_of = best_of.filter(|of| chooses && of.from.iter().any(|name| name == system));
        best_of
            .and_then(|of| of.counts.last().copied())
            .unwrap_or(1)
    }

    /// The most soft tokens of any system of the preset: room for them is kept in every one, so that a system's figures
    /// do not depend on which others are run.
    pub fn user_tokens(&self) -> usize {
        let users = self.systems.iter().filter_map(|s| s.users.as_ref());
        users.map(|u| u.user_tokens).fold(self.room, usize::max)
    }
}

#[cfg(test)]
mod tests;

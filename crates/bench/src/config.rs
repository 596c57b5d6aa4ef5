//! `configs/<experiment>/<preset>.toml`: every number of an experiment, none in code.

use serde::{Deserialize, Serialize};
use trainer::config::{Kind, ModelSection, Objective, TrainingSection, UsersSection};
use trainer::llm_backbone::LoraConfig;
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::sft::SftConfig;
use trainer::tokenise::PromptConfig;

use crate::report::Difference;

/// A preset of the TL;DR experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig {
    /// What a reader may expect, in minutes on two cores; said before starting.
    pub expected_minutes: f64,
    /// `[data]`
    pub data: DataConfig,
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
    pub objective: Objective,
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
    /// `[[differences]]`: where and why the settings are not the paper's.
    #[serde(default)]
    pub differences: Vec<Difference>,
}

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The comparisons used where `--data` names none.
    pub paths: Vec<String>,
    /// The workers that are trained on: the most active ones.
    pub workers: usize,
    /// `sft`: pairs of two SFT policies only, as in the paper; `all`.
    pub policies: Policies,
    /// The seed of the simulated population.
    pub population_seed: u32,
    /// The population is the first draw from the seed upward whose minority holds a share of the seen comparisons
    /// within these bounds; absent: the draw of the seed itself.
    pub minority_share: Option<[f64; 2]>,
    /// Shares of posts for train, validation and test.
    pub split: [f64; 3],
    /// Seeds of the split by post; with more than one, results are pooled over all of them.
    pub split_seeds: Vec<u64>,
    /// At most so many training comparisons; 0: all.
    pub train_limit: usize,
    /// At most so many test comparisons; 0: all.
    pub test_limit: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            paths: vec!["datasets/mini/tldr.jsonl".into()],
            workers: 10,
            policies: Policies::Sft,
            population_seed: 3456,
            minority_share: None,
            split: [0.7, 0.1, 0.2],
            split_seeds: vec![0],
            train_limit: 0,
            test_limit: 0,
        }
    }
}

/// Which policies' summaries are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policies {
    /// Supervised ones only.
    Sft,
    /// All.
    All,
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
    /// `sft`, `vanilla-dpo`, `pdpo-individual`, `pdpo-cluster`, or a name of one's own.
    pub name: String,
    /// Absent for `sft` and vanilla DPO.
    pub users: Option<UsersSection>,
    /// Overrides `objective.alpha`.
    pub alpha: Option<f64>,
    /// Overrides `training.epochs`.
    pub epochs: Option<usize>,
    /// Overrides `training.learning_rate`.
    pub learning_rate: Option<f64>,
    /// Overrides `training.users_learning_rate`.
    pub users_learning_rate: Option<f64>,
}

/// The name of the system that is not trained.
pub const SFT: &str = "sft";

impl SystemConfig {
    /// The objective of this system.
    pub fn objective(&self, base: &Objective) -> Objective {
        Objective {
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
            ..base.clone()
        }
    }
}

/// `[evaluation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Test posts that responses are sampled for; every worker and the generic user gets one for each.
    pub prompts: usize,
    /// Sequences sampled at a time.
    pub batch: usize,
    /// Test comparisons that KL and held-out loss are measured on.
    pub quality_comparisons: usize,
    /// Bounds of the bands of the ratio of the two lengths in characters; empty: no break-down.
    pub ratio_bands: Vec<f64>,
    /// Prompts shown in the report.
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

/// Changes asked for on the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `--data`
    pub data: Vec<String>,
    /// `--model`
    pub model: Option<String>,
    /// `--policies`
    pub policies: Option<Policies>,
    /// `--workers`
    pub workers: Option<usize>,
    /// `--population-seed`
    pub population_seed: Option<u32>,
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
}

impl ExperimentConfig {
    /// Applies command-line changes.
    ///
    /// # Errors
    /// A system that the preset does not have.
    pub fn with(mut self, overrides: &Overrides) -> Result<Self, String> {
        if !overrides.data.is_empty() {
            self.data.paths = overrides.data.clone();
        }
        if let Some(model) = &overrides.model {
            self.model.source = model.clone();
            self.tiny = None;
        }
        self.data.policies = overrides.policies.unwrap_or(self.data.policies);
        self.data.workers = overrides.workers.unwrap_or(self.data.workers);
        if let Some(seed) = overrides.population_seed {
            self.data.population_seed = seed;
            self.data.minority_share = None;
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
        Ok(self)
    }

    /// The most soft tokens of any system: room for them is kept in every one.
    pub fn user_tokens(&self) -> usize {
        let users = self.systems.iter().filter_map(|s| s.users.as_ref());
        users.map(|u| u.user_tokens).max().unwrap_or(0)
    }
}

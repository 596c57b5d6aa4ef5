//! What a run is made of.

use std::path::PathBuf;

use burn::tensor::Device;
use llm_backbone::LoraConfig;
use serde_json::json;

use crate::config::TrainingSection;
use crate::example::Example;
use crate::learner::Learner;
use crate::lineage::Lineage;
use crate::settings::Settings;
use crate::task::Task;

/// What a run is made of, beside what it learns.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The folder of the run: `metrics.jsonl`, `checkpoint/`, `adapters/`.
    pub dir: PathBuf,
    /// The base model, named in the adapters.
    pub base: Lineage,
    /// What tells the base model's weights from others, by whatever name they are opened.
    pub model_key: String,
    /// Moves the order of the data.
    pub seed: u64,
    /// `[lora]`
    pub lora: LoraConfig,
    /// `[training]`
    pub training: TrainingSection,
    /// What errors call it: `training`, or the section that its steps and rates are from.
    pub section: &'static str,
    /// Devices that compute gradients beside the policy's own; see [`Learner::with_devices`].
    pub further_devices: Vec<Device>,
    /// The time that the chat template was told, in seconds since 1970, where it matters: a run that goes on keeps it.
    pub clock: Option<u64>,
}

impl SessionConfig {
    /// What is trained, apart from how.
    pub(super) fn settings<T: Task>(
        &self,
        learner: &Learner<T>,
        train: &[Example],
        validation: &[Example],
    ) -> Settings {
        let users = learner.policy.users.as_ref().map(|users| users.config());
        let parts = json!({
            "model": self.model_key,
            "seed": self.seed,
            "lora": self.lora,
            "users": users,
        });
        let training = Settings::of_training(self.section, &self.training);
        let comparisons = Settings::of_comparisons("comparisons", train);
        // The best step is that of one set of comparisons.
        let validated = &validation[..self.validated(validation.len())];
        let validation = Settings::of_comparisons("validation", validated);
        let task = learner.task.settings();
        Settings::new([parts, training, comparisons, validation, task])
    }

    /// How many of so many validation comparisons a validation looks at.
    pub(super) fn validated(&self, validation: usize) -> usize {
        match self.training.eval_limit {
            0 => validation,
            limit => limit.min(validation),
        }
    }
}

//! `[training]` and `[sft]`

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

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

/// What gradients are clipped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clip {
    /// Adapters and user model, each by its own norm.
    #[default]
    Groups,
    /// Both by the norm over all, as `transformers` clips.
    Together,
}

/// What is shuffled for every pass over the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shuffle {
    /// Every comparison by itself.
    #[default]
    Comparisons,
    /// Prompts, each with all of its comparisons, which share a row.
    Prompts,
}

/// `[training]`: optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingSection {
    /// Passes over the training comparisons. Default 1.
    pub epochs: usize,
    /// What is shuffled for each: `comparisons` (default) or `prompts`, whose comparisons then come in the same step, user by user, and are
    /// computed together.
    pub shuffle: Shuffle,
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
    /// On processors with tiles (AMX): whether frozen weights in f32 are kept cut for them, which takes three times their own memory beside them,
    /// instead of being cut for every product. It pays where passes have few tokens. Default false.
    pub keep_packed: bool,
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
    /// The largest norm of the gradient; 0: no clipping. Default 1.
    pub max_grad_norm: f64,
    /// Over what that norm is: `groups` (default) or `together`.
    pub clip: Clip,
    /// Steps between validations; 0: only at the end. Default 50.
    pub eval_every: usize,
    /// At most so many validation comparisons per validation; 0 (default): all.
    pub eval_limit: usize,
    /// Steps between checkpoints; 0: only when stopped and at the end. Default 200.
    pub save_every: usize,
    /// Stop after so many validations without improvement; 0 (default): never.
    pub patience: usize,
    /// What the GPU has, in units of 10^9 bytes; training that would take more is refused before it starts. Default 80.
    pub gpu_memory_gb: f64,
    /// The rate that estimates of time assume on a GPU, in units of 10^12 operations per second; it changes nothing else.
    /// Default 30.
    pub gpu_tflops: f64,
}

impl Default for TrainingSection {
    fn default() -> Self {
        Self {
            epochs: 1,
            shuffle: Shuffle::Comparisons,
            max_steps: 0,
            batch: 32,
            micro_rows: 8,
            replicas: 0,
            gradient_checkpointing: Checkpointing::None,
            keep_packed: false,
            learning_rate: 5e-5,
            users_learning_rate: 0.0,
            user_rows_learning_rate: 0.0,
            warmup_steps: 150,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            clip: Clip::Groups,
            eval_every: 50,
            eval_limit: 0,
            save_every: 200,
            patience: 0,
            gpu_memory_gb: 80.0,
            gpu_tflops: 30.0,
        }
    }
}

impl TrainingSection {
    /// Optimiser steps on so many comparisons.
    pub fn total_steps(&self, comparisons: usize) -> usize {
        let per_epoch = comparisons.div_ceil(self.batch.max(1));
        let all = self.epochs.saturating_mul(per_epoch);
        match self.max_steps {
            0 => all,
            limit => limit.min(all),
        }
    }

    /// The rate of the user model.
    pub fn users_rate(&self) -> f64 {
        if self.users_learning_rate > 0.0 {
            self.users_learning_rate
        } else {
            self.learning_rate
        }
    }

    /// The same with the defaults of what changes time and memory of a run, but nothing that it leads to.
    #[must_use]
    pub fn without_ways(&self) -> Self {
        let Self {
            micro_rows,
            replicas,
            gradient_checkpointing,
            keep_packed,
            save_every,
            gpu_memory_gb,
            gpu_tflops,
            ..
        } = Self::default();
        Self {
            micro_rows,
            replicas,
            gradient_checkpointing,
            keep_packed,
            save_every,
            gpu_memory_gb,
            gpu_tflops,
            ..self.clone()
        }
    }

    /// The rate of the users' own rows.
    pub(crate) fn user_rows_rate(&self) -> f64 {
        if self.user_rows_learning_rate > 0.0 {
            self.user_rows_learning_rate
        } else {
            self.users_rate()
        }
    }

    /// Warns where so many steps of warm-up are cut to half of all steps; `section` is whose key it is. The default never is too
    /// long.
    pub fn warmup_warning(&self, section: &str, total: usize) -> Option<String> {
        let asked = self.warmup_steps;
        let cut = asked > total / 2
            && ![
                Self::default().warmup_steps,
                SftConfig::default().warmup_steps,
            ]
            .contains(&asked);
        cut.then(|| {
            format!(
                "`{section}.warmup_steps` is {asked}, of which {} are taken: half of all {total} steps",
                total / 2
            )
        })
    }

    /// Refuses sizes of zero and rates that are no positive numbers.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self) -> Result<(), TrainError> {
        for (key, value) in [
            ("training.epochs", self.epochs),
            ("training.batch", self.batch),
            ("training.micro_rows", self.micro_rows),
        ] {
            if value == 0 {
                return Err(TrainError::config(key, value, "at least 1"));
            }
        }
        if self.replicas > REPLICAS {
            let expected = "at most 1024; 0 for one on every core";
            return Err(TrainError::config(
                "training.replicas",
                self.replicas,
                expected,
            ));
        }
        let rate = self.learning_rate;
        if !(rate > 0.0 && rate <= 1.0) {
            let expected = "a number in (0, 1]";
            return Err(TrainError::config("training.learning_rate", rate, expected));
        }
        for (key, value) in [
            ("training.users_learning_rate", self.users_learning_rate),
            (
                "training.user_rows_learning_rate",
                self.user_rows_learning_rate,
            ),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(TrainError::config(key, value, "a number in [0, 1]"));
            }
        }
        for (key, value) in [
            ("training.weight_decay", self.weight_decay),
            ("training.max_grad_norm", self.max_grad_norm),
        ] {
            if !(0.0..=LARGEST).contains(&value) {
                return Err(TrainError::config(key, value, "a number from 0 to 1e6"));
            }
        }
        for (key, value) in [
            ("training.gpu_memory_gb", self.gpu_memory_gb),
            ("training.gpu_tflops", self.gpu_tflops),
        ] {
            if !(value > 0.0 && value <= LARGEST) {
                let expected = "a number above 0, at most 1e6";
                return Err(TrainError::config(key, value, expected));
            }
        }
        Ok(())
    }
}

/// Far more than any processor has cores.
const REPLICAS: usize = 1024;

/// Larger weights and norms mean nothing, and overflow in `f32`.
pub(super) const LARGEST: f64 = 1e6;

/// `[sft]`: how long and how fast to fine-tune; all else is that of `[training]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SftConfig {
    /// Optimiser steps. Default 200.
    pub steps: usize,
    /// Comparisons per step. Default 8.
    pub batch: usize,
    /// The peak rate. Default 1e-3.
    pub learning_rate: f64,
    /// Steps of warm-up. Default 20.
    pub warmup_steps: usize,
    /// The largest global norm of the gradient; 0: no clipping. Default 1.
    pub max_grad_norm: f64,
    /// Learn the prompts' text as well as the responses: for models made from scratch. Default false.
    pub prompts_too: bool,
}

impl Default for SftConfig {
    fn default() -> Self {
        Self {
            steps: 200,
            batch: 8,
            learning_rate: 1e-3,
            warmup_steps: 20,
            max_grad_norm: 1.0,
            prompts_too: false,
        }
    }
}

impl SftConfig {
    /// Refuses sizes of zero and a rate that is no positive number; errors call the keys those of `section`.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected.
    pub fn validate(&self, section: &str) -> Result<(), TrainError> {
        let refuse = |key: &str, found: &dyn ToString, expected| {
            let key = format!("{section}.{key}");
            Err(TrainError::config(&key, found.to_string(), expected))
        };
        for (key, value) in [("steps", self.steps), ("batch", self.batch)] {
            if value == 0 {
                return refuse(key, &value, "at least 1");
            }
        }
        let rate = self.learning_rate;
        if !(rate > 0.0 && rate <= 1.0) {
            return refuse("learning_rate", &rate, "a number in (0, 1]");
        }
        let norm = self.max_grad_norm;
        if !(0.0..=LARGEST).contains(&norm) {
            return refuse("max_grad_norm", &norm, "a number from 0 to 1e6");
        }
        Ok(())
    }

    /// The training of so many comparisons.
    pub fn training(&self, base: &TrainingSection, comparisons: usize) -> TrainingSection {
        let per_epoch = comparisons.div_ceil(self.batch.max(1)).max(1);
        TrainingSection {
            epochs: self.steps.div_ceil(per_epoch),
            max_steps: self.steps,
            batch: self.batch,
            learning_rate: self.learning_rate,
            warmup_steps: self.warmup_steps,
            max_grad_norm: self.max_grad_norm,
            ..base.clone()
        }
    }
}

//! Supervised fine-tuning on the responses of comparisons: the stage before preference learning.
//!
//! A comparison is one packed row here too: the prompt once, then both responses, each scored.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use llm_backbone::Model;
use pdpo_loss::Branch;
use serde::{Deserialize, Serialize};

use crate::config::TrainingSection;
use crate::dataset::Dataset;
use crate::error::TrainError;
use crate::eval::mean_log_prob;
use crate::order;
use crate::pack::{PackedBatch, Row};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::schedule::Schedule;

/// How long and how fast to fine-tune.
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
}

impl Default for SftConfig {
    fn default() -> Self {
        Self {
            steps: 200,
            batch: 8,
            learning_rate: 1e-3,
            warmup_steps: 20,
        }
    }
}

/// Trains whatever is trainable in `model` (its adapters, or all of it) and returns it with the mean loss of the last
/// tenth of the steps, in nats per response token.
///
/// # Errors
/// A loss that is no number, or numbers out of range.
pub fn fine_tune(
    model: Model,
    dataset: &Dataset,
    config: &SftConfig,
    seed: u64,
) -> Result<(Model, f64), TrainError> {
    let training = TrainingSection {
        batch: config.batch,
        learning_rate: config.learning_rate,
        warmup_steps: config.warmup_steps,
        ..Default::default()
    };
    training.check()?;
    let device = model.device();
    let mut policy = Policy::plain(model);
    let mut optimizer = AdamWConfig::new().with_weight_decay(0.0).init();
    let mut schedule = Schedule::new(&training, config.steps, 0)?;
    let lengths: Vec<usize> = dataset.items.iter().map(|i| i.pair.row_length(0)).collect();
    let batches = (0..).flat_map(|epoch| order::epoch(&lengths, config.batch, seed, epoch));
    let progress = Progress::new("fine-tuning", config.steps);
    let mut tail = Vec::new();
    for (step, batch) in batches.take(config.steps).enumerate() {
        let rows: Vec<Row<'_>> = batch
            .iter()
            .map(|&i| Row {
                pair: &dataset.items[i].pair,
                branch: Branch::Generic,
            })
            .collect();
        let loss = mean_log_prob(&policy, &PackedBatch::new(&rows, 0), &device).neg();
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(TrainError::Diverged { step, loss: value });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &policy);
        policy = optimizer.step(schedule.next().module, policy, gradients);
        if step + 1 + config.steps / 10 >= config.steps {
            tail.push(value);
        }
        progress.advance(1);
    }
    let mean = tail.iter().sum::<f64>() / tail.len().max(1) as f64;
    Ok((policy.model.no_grad(), mean))
}

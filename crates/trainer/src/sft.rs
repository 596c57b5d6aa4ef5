//! Supervised fine-tuning on the responses of comparisons: the stage before preference learning.
//!
//! A comparison is one packed row here too: the prompt once, then both responses, each scored.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use llm_backbone::Model;
use pdpo_loss::Branch;
use serde::{Deserialize, Serialize};

use crate::config::TrainingSection;
use crate::dataset::Dataset;
use crate::error::TrainError;
use crate::eval::mean_log_prob;
use crate::order;
use crate::pack::{PackedBatch, Row};
use crate::policy::{Policy, sum_responses};
use crate::progress::Progress;
use crate::schedule::Schedule;
use crate::tokenise::TokenizedPair;

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
            prompts_too: false,
        }
    }
}

/// The mean log-prob per scored token of a packed batch.
type MeanLogProb = fn(&Policy, &PackedBatch, &Device) -> Tensor<1>;

/// Trains whatever is trainable in `model` (its adapters, or all of it) on both responses and returns it with the mean
/// loss of the last tenth of the steps, in nats per scored token.
///
/// # Errors
/// A loss that is no number, or numbers out of range.
pub fn fine_tune(
    model: Model,
    dataset: &Dataset,
    config: &SftConfig,
    seed: u64,
) -> Result<(Model, f64), TrainError> {
    let pairs: Vec<TokenizedPair> = dataset.items.iter().map(|i| i.pair.clone()).collect();
    train(model, &pairs, config, seed, mean_log_prob)
}

/// The same on preferred responses only.
///
/// # Errors
/// As [`fine_tune`].
pub fn fine_tune_chosen(
    model: Model,
    dataset: &Dataset,
    config: &SftConfig,
    seed: u64,
) -> Result<(Model, f64), TrainError> {
    // A response of one token is predicted and never read: it takes no room. Its score is left out.
    let alone = |pair: &TokenizedPair| TokenizedPair {
        rejected: pair.chosen[..1].to_vec(),
        ..pair.clone()
    };
    let pairs: Vec<TokenizedPair> = dataset.items.iter().map(|i| alone(&i.pair)).collect();
    train(model, &pairs, config, seed, mean_log_prob_chosen)
}

/// Prompt tokens, where they are scored, stand in the segment of the chosen response: in the sum and in the count alike.
fn mean_log_prob_chosen(policy: &Policy, packed: &PackedBatch, device: &Device) -> Tensor<1> {
    let batch = packed.to_device(device);
    let tokens = policy.token_log_probs(packed, &batch, None);
    let scored = packed.segments.iter().filter(|s| s.is_multiple_of(2));
    let chosen = sum_responses(tokens, &batch).chosen.sum();
    chosen.div_scalar(scored.count().max(1) as f64)
}

fn train(
    model: Model,
    pairs: &[TokenizedPair],
    config: &SftConfig,
    seed: u64,
    mean_log_prob: MeanLogProb,
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
    let lengths: Vec<usize> = pairs.iter().map(|p| p.row_length(0)).collect();
    let batches = (0..).flat_map(|epoch| order::epoch(&lengths, config.batch, seed, epoch));
    let progress = Progress::new("fine-tuning", config.steps);
    let mut tail = Vec::new();
    for (step, batch) in batches.take(config.steps).enumerate() {
        let rows: Vec<Row<'_>> = batch
            .iter()
            .map(|&i| Row {
                pair: &pairs[i],
                branch: Branch::Generic,
            })
            .collect();
        let mut packed = PackedBatch::new(&rows, 0);
        if config.prompts_too {
            packed.score_prompts(&rows);
        }
        let loss = mean_log_prob(&policy, &packed, &device).neg();
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

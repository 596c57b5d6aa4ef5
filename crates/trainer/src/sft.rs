//! Supervised fine-tuning on the responses of comparisons: the stage before preference learning.
//!
//! A comparison is one packed row here too: the prompt once, then both responses, each scored.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use llm_backbone::Model;
use pdpo_loss::Branch;
use serde::{Deserialize, Serialize};

use crate::config::TrainingSection;
use crate::dataset::Dataset;
use crate::error::TrainError;
use crate::order;
use crate::pack::{PackedBatch, Row};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::replicas;
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

/// Which tokens of a packed batch are learnt, by their segment.
type Learnt = fn(usize) -> bool;

/// Trains whatever is trainable in `model` (its adapters, or all of it) on both responses and returns it with the mean
/// loss of the last tenth of the steps, in nats per scored token.
///
/// # Errors
/// No comparisons, a loss that is no number, or numbers out of range.
pub fn fine_tune(
    model: Model,
    dataset: &Dataset,
    config: &SftConfig,
    seed: u64,
    progress: &dyn Progress,
) -> Result<(Model, f64), TrainError> {
    let pairs: Vec<TokenizedPair> = dataset.items.iter().map(|i| i.pair.clone()).collect();
    train(model, &pairs, (config, seed), |_| true, progress)
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
    progress: &dyn Progress,
) -> Result<(Model, f64), TrainError> {
    // A response of one token is predicted and never read: it takes no room. Its score is left out.
    let alone = |pair: &TokenizedPair| TokenizedPair {
        rejected: pair.chosen[..1].to_vec(),
        ..pair.clone()
    };
    let pairs: Vec<TokenizedPair> = dataset.items.iter().map(|i| alone(&i.pair)).collect();
    // Prompt tokens, where they are scored, stand in the segment of the chosen response.
    let learnt = |segment: usize| segment.is_multiple_of(2);
    train(model, &pairs, (config, seed), learnt, progress)
}

/// The log-probs of the learnt tokens, summed.
fn sum_log_probs(
    policy: &Policy,
    packed: &PackedBatch,
    learnt: Learnt,
    device: &Device,
) -> Tensor<1> {
    let batch = packed.to_device(device);
    let tokens = policy.token_log_probs(packed, &batch, None);
    let weights: Vec<f32> = packed
        .segments
        .iter()
        .map(|&s| f32::from(u8::from(learnt(s))))
        .collect();
    (tokens * Tensor::from_floats(weights.as_slice(), device)).sum()
}

fn train(
    model: Model,
    pairs: &[TokenizedPair],
    (config, seed): (&SftConfig, u64),
    learnt: Learnt,
    progress: &dyn Progress,
) -> Result<(Model, f64), TrainError> {
    let training = TrainingSection {
        batch: config.batch,
        learning_rate: config.learning_rate,
        warmup_steps: config.warmup_steps,
        ..Default::default()
    };
    training.check()?;
    if pairs.is_empty() {
        let after = "of the comparisons to fine-tune on".into();
        return Err(TrainError::Empty { after });
    }
    let mut policy = Policy::plain(model);
    let mut optimizer = AdamWConfig::new().with_weight_decay(0.0).init();
    let mut schedule = Schedule::new(&training, config.steps, 0)?;
    let lengths: Vec<usize> = pairs.iter().map(|p| p.row_length(0)).collect();
    let batches = (0..).flat_map(|epoch| order::epoch(&lengths, config.batch, seed, epoch));
    progress.report("fine-tuning", 0, config.steps);
    let mut tail = Vec::new();
    for (step, batch) in batches.take(config.steps).enumerate() {
        let (value, gradients) = gradients(&policy, pairs, &batch, config, learnt);
        if !value.is_finite() {
            return Err(TrainError::Diverged { step, loss: value });
        }
        policy = optimizer.step(schedule.next().module, policy, gradients);
        if step + 1 + config.steps / 10 >= config.steps {
            tail.push(value);
        }
        progress.report("fine-tuning", step + 1, config.steps);
    }
    let mean = tail.iter().sum::<f64>() / tail.len().max(1) as f64;
    Ok((policy.model.no_grad(), mean))
}

/// The mean loss per learnt token of a batch and its gradients, in as many micro-batches as can work side by side.
fn gradients(
    policy: &Policy,
    pairs: &[TokenizedPair],
    batch: &[usize],
    config: &SftConfig,
    learnt: Learnt,
) -> (f64, GradientsParams) {
    let device = policy.model.device();
    let threads = replicas::of(&policy.model, 0);
    let mut batch = batch.to_vec();
    batch.sort_by_key(|&i| pairs[i].row_length(0));
    let packs: Vec<PackedBatch> = batch
        .chunks(batch.len().div_ceil(threads).max(1))
        .map(|micro| {
            let rows: Vec<Row<'_>> = micro
                .iter()
                .map(|&i| Row {
                    pair: &pairs[i],
                    branch: Branch::Generic,
                })
                .collect();
            let mut packed = PackedBatch::for_device(&rows, 0, &device);
            if config.prompts_too {
                packed.score_prompts(&rows);
            }
            packed
        })
        .collect();
    let segments = packs.iter().flat_map(|packed| &packed.segments);
    let tokens = segments.filter(|&&s| learnt(s)).count().max(1) as f64;
    let done = replicas::map(&packs, threads, |packed| {
        let policy = replicas::with_own_leaves(policy);
        let loss = sum_log_probs(&policy, packed, learnt, &device).div_scalar(-tokens);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        (value, GradientsParams::from_grads(loss.backward(), &policy))
    });
    let mut sum = GradientsAccumulator::new();
    let mut loss = 0.0;
    for (value, gradients) in done {
        loss += value;
        sum.accumulate(policy, gradients);
    }
    (loss, sum.grads())
}

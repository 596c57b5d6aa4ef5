//! How long and how large a run will be: counted, and from two measured comparisons.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use terminal::Expectation;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::{Config, UserTokens, UsersSection, objective};
use trainer::dataset::Dataset;
use trainer::estimate::{Sketch, Step, Work, steps, validations};
use trainer::example::{Example, Item, ReferenceLogProbs};
use trainer::learner::{Learner, StepReport};
use trainer::memory;
use trainer::pdpo_loss::{Objective, ScoredRow};
use trainer::task::Preference;
use trainer::training::Training;

/// A forward pass is about a third of forward and backward.
const FORWARD: f64 = 1.0 / 3.0;

/// An expectation; it holds as far as other comparisons behave like the measured ones.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// Optimiser steps.
    pub steps: usize,
    /// Seconds of training.
    pub training: f64,
    /// Seconds for the reference log-probs, before the first step.
    pub reference: f64,
    /// Seconds of all validations.
    pub validation: f64,
    /// Input tokens per second, forward and backward.
    pub tokens_per_second: f64,
    /// Peak memory in bytes; none where the system or the device does not tell.
    pub memory: Option<u64>,
}

/// What training takes, counted from shapes; refused where the device has no room for it.
///
/// # Errors
/// Settings out of range, or a step that does not fit.
pub fn count(
    config: &Config,
    prepared: &Training,
    device: &Device,
) -> Result<Expectation, TrainError> {
    let (training, users) = (&config.training, config.users.as_ref());
    let sketch = Sketch::new(
        prepared.model.config(),
        config.model.dtype,
        &config.lora,
        device,
    )?
    .with_weights_of(&prepared.model);
    let tokens = users.map_or(UserTokens::default(), UsersSection::tokens);
    let objective = objective(&config.objective, users.is_some())?;
    let branches = objective.branches().len();
    let step = Step::of(training, &prepared.train, (tokens, branches));
    let memory = sketch.memory(step, (0, 0));
    sketch.validate(&memory, step, training)?;
    let passes = reference_passes(&objective);
    let forward = |side: &Dataset| sketch.forward_work(side, UserTokens::default());
    let datasets = prepared.datasets();
    let reference: f64 = datasets
        .map(|side| forward(side) + forward(&side.mismatched_items()))
        .sum();
    let sides = (&prepared.train, prepared.validation.as_ref());
    let work = Work {
        reference: passes * reference,
        ..sketch.training_work(sides, (tokens, branches), training)
    };
    Ok(Expectation { memory, step, work })
}

/// How often the reference goes through the comparisons.
fn reference_passes(objective: &Objective) -> f64 {
    match (objective.needs_reference(), objective.needs_shared()) {
        (false, _) => 0.0,
        (true, false) => 1.0,
        (true, true) => 2.0, // Of the whole responses, and of what both are long.
    }
}

/// Runs forward and backward pass of the longest comparison (for memory) and of the median one (for time).
///
/// # Errors
/// Settings out of range.
pub fn measure(config: &Config, prepared: &Training, on_cpu: bool) -> Result<Estimate, TrainError> {
    let base = prepared.model.clone();
    let users = config.users.as_ref();
    let train = &prepared.train;
    let (policy, table) = train.start_policy(base, &config.lora, users, config.seed)?;
    let task = Preference::from_config(&config.objective, users.is_some(), None)?;
    let passes = reference_passes(task.objective());
    let tokens = policy.places();
    let soft = tokens.soft;
    let mut order: Vec<usize> = (0..prepared.train.items.len()).collect();
    order.sort_by_key(|&i| prepared.train.items[i].pair.row_length(soft));
    let weights = policy.model.num_adapter_params();
    let learner = Learner::new(task, policy, table, &config.training)?;
    let longest = order.last().copied().unwrap_or(0); // invariant: a data set is never empty
    let median = order[order.len() / 2];

    let before = memory::current_bytes().filter(|_| on_cpu);
    memory::reset_peak();
    let (_, report) = once(&learner, &prepared.train, longest)?;
    let branches = report.rows.len().max(1);
    let peak = memory::peak_bytes();
    let memory = before.zip(peak).map(|(before, peak)| {
        let step = Step::of(&config.training, train, (tokens, branches));
        let activations = peak.saturating_sub(before) / branches as u64;
        // AdamW keeps two numbers per weight, and the gradient is a third.
        before + activations * step.rows as u64 + 12 * weights as u64
    });

    let (seconds, report) = once(&learner, &prepared.train, median)?;
    let per_token = seconds / report.tokens.max(1) as f64;
    let own_tokens = |side: &Dataset| -> f64 {
        let lengths = side.items.iter().map(|i| i.pair.row_length(soft));
        lengths.sum::<usize>() as f64
    };
    // With the rows of a KL term, which the measured step has as well.
    let tokens = |side: &Dataset| own_tokens(side) + own_tokens(&side.mismatched_items());
    let (steps, epochs) = steps(&config.training, prepared.train.items.len());
    let train = tokens(&prepared.train);
    let validation = prepared.validation.as_ref().map_or(0.0, tokens);
    let held_out = prepared
        .validation
        .as_ref()
        .map_or(0, |side| side.items.len());
    let validations = validations(&config.training, steps, held_out);
    Ok(Estimate {
        steps,
        training: per_token * own_tokens(&prepared.train) * branches as f64 * epochs,
        reference: per_token * FORWARD * passes * (train + validation),
        validation: per_token * FORWARD * validation * validations,
        tokens_per_second: 1.0 / per_token,
        memory,
    })
}

/// Forward and backward pass of one comparison, all its branches.
fn once(
    learner: &Learner<Preference>,
    side: &Dataset,
    at: usize,
) -> Result<(f64, StepReport<ScoredRow>), TrainError> {
    // Any reference: only time and memory are looked at.
    let known = |item: &Item| Item {
        reference: OnceLock::from(ReferenceLogProbs::default()),
        shared_reference: OnceLock::from(ReferenceLogProbs::default()),
        ..item.clone()
    };
    let item = &side.items[at];
    let mismatched = item.mismatched.as_deref();
    let item = Arc::new(Item {
        mismatched: mismatched.map(|item| Arc::new(known(item))),
        ..known(item)
    });
    let example = Example::new(&item, learner.table.as_ref());
    let start = Instant::now();
    let (gradients, report) = learner.gradients(&[example])?;
    gradients.norms(&learner.policy); // Waits for the device.
    Ok((start.elapsed().as_secs_f64(), report))
}

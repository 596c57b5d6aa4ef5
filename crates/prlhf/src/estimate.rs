//! How long and how large a run will be: counted, and from two measured comparisons.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use terminal::Expectation;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::{Config, TrainingSection, UserTokens, UsersSection};
use trainer::dataset::Dataset;
use trainer::estimate::{Sketch, Step, Work, steps, validate_step, validations};
use trainer::example::{Example, Item, ReferenceLogProbs};
use trainer::learner::{Learner, StepReport};
use trainer::memory;
use trainer::pdpo_loss::Objective;
use trainer::policy::Policy;
use trainer::task::{Language, Preference, Responses, Reward, Task};
use trainer::training::Training;
use trainer::user_model::UserTable;

use crate::train::Mode;

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

/// What is to be trained.
pub struct Plan<'a> {
    mode: Mode,
    /// With what settings.
    pub config: &'a Config,
}

impl<'a> Plan<'a> {
    /// Of a mode.
    ///
    /// # Errors
    /// Settings that the mode refuses, whatever data and model are.
    pub fn of(mode: Mode, config: &'a Config) -> Result<Self, TrainError> {
        if mode == Mode::Reward {
            config.reward.validate(config.users.as_ref())?;
        }
        Ok(Self { mode, config })
    }

    /// Refuses what would stop training before its first step.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self, prepared: &Training) -> Result<(), TrainError> {
        match self.mode {
            Mode::Pdpo => prepared.validate(),
            Mode::Online => prepared.validate_online(),
            Mode::Sft => prepared.validate_language(),
            Mode::Reward => prepared.validate_rewards(),
        }
    }

    /// Steps, batch and rates on so many comparisons.
    pub fn training(&self, comparisons: usize) -> TrainingSection {
        let config = self.config;
        match self.mode {
            Mode::Sft => config.sft.training(&config.training, comparisons),
            Mode::Pdpo | Mode::Reward | Mode::Online => config.training.clone(),
        }
    }

    /// The section that these are from.
    pub fn section(&self) -> &'static str {
        match self.mode {
            Mode::Sft => "sft",
            Mode::Pdpo | Mode::Reward | Mode::Online => "training",
        }
    }

    /// The users, unless nothing is learnt of them.
    pub fn users(&self) -> Option<&'a UsersSection> {
        let users = self.config.users.as_ref();
        users.filter(|_| self.mode != Mode::Sft)
    }

    /// The positions that sequences have for their users.
    pub fn tokens(&self) -> UserTokens {
        match self.mode {
            Mode::Reward => self.config.reward.tokens(self.users()),
            _ => self
                .users()
                .map_or(UserTokens::default(), UsersSection::tokens),
        }
    }

    /// What no mode but others read of the configuration, in sentences.
    pub fn unread(&self) -> Vec<String> {
        match self.mode {
            Mode::Reward => self.config.without_effect_on_rewards(),
            Mode::Online => self.config.without_effect_online(),
            Mode::Pdpo | Mode::Sft => Vec::new(),
        }
    }

    /// What is learnt from the comparisons of the data; none online, where they only ask.
    ///
    /// # Errors
    /// Settings out of range.
    pub fn learnt(&self) -> Result<Option<Learnt>, TrainError> {
        let (config, has_users) = (self.config, self.users().is_some());
        Ok(Some(match self.mode {
            Mode::Pdpo => {
                let task = Preference::from_config(&config.objective, has_users, None)?;
                Learnt::Preference(Box::new(task))
            }
            Mode::Sft => Learnt::Language(Language {
                responses: Responses::Chosen,
                prompts_too: config.sft.prompts_too,
            }),
            Mode::Reward => {
                Learnt::Reward(Reward::new(&config.reward, &config.objective, has_users)?)
            }
            Mode::Online => return Ok(None),
        }))
    }
}

/// What is learnt from comparisons.
pub enum Learnt {
    Preference(Box<Preference>),
    Language(Language),
    Reward(Reward),
}

/// What training takes, counted from shapes; refused where the device has no room for it.
///
/// # Errors
/// Settings out of range, or a step that does not fit.
pub fn count(
    (plan, learnt): (&Plan<'_>, &Learnt),
    prepared: &Training,
    device: &Device,
) -> Result<Expectation, TrainError> {
    match learnt {
        Learnt::Preference(task) => {
            let passes = reference_passes(task.objective());
            counted(plan, &**task, passes, prepared, device)
        }
        Learnt::Language(task) => counted(plan, task, 0.0, prepared, device),
        Learnt::Reward(task) => counted(plan, task, 0.0, prepared, device),
    }
}

fn counted<T: Task>(
    plan: &Plan<'_>,
    task: &T,
    passes: f64,
    prepared: &Training,
    device: &Device,
) -> Result<Expectation, TrainError> {
    let config = plan.config;
    let training = &plan.training(prepared.train.items.len());
    let sketch = Sketch::new(
        prepared.model.config(),
        config.model.dtype,
        &config.lora,
        device,
    )?
    .with_weights_of(&prepared.model);
    let sketch = match plan.mode == Mode::Reward {
        true => sketch.that_rewards(),
        false => sketch,
    };
    let step = Step::of(training, &prepared.train, (task, plan.tokens()));
    let memory = sketch.memory(step, (0, 0), training);
    sketch.validate(&memory, step, training)?;
    let forward = |side: &Dataset| sketch.forward_work(side, UserTokens::default());
    let datasets = prepared.datasets();
    let reference: f64 = datasets
        .map(|side| forward(side) + forward(&side.mismatched_items()))
        .sum();
    let sides = (&prepared.train, prepared.validation.as_ref());
    let sizes = (plan.tokens(), task.rows_each());
    let work = Work {
        reference: passes * reference,
        ..sketch.training_work(sides, sizes, training)
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
pub fn measure(
    (plan, learnt): (&Plan<'_>, Learnt),
    prepared: &Training,
    on_cpu: bool,
) -> Result<Estimate, TrainError> {
    let config = plan.config;
    let base = prepared.model.clone();
    let (policy, table) =
        (prepared.train).start_policy(base, &config.lora, plan.users(), config.seed)?;
    let start = (policy, table);
    match learnt {
        Learnt::Preference(task) => {
            let passes = reference_passes(task.objective());
            measured(plan, prepared, (*task, passes), start, on_cpu)
        }
        Learnt::Reward(task) => {
            let start = (start.0.with_head(config.reward.head), start.1);
            measured(plan, prepared, (task, 0.0), start, on_cpu)
        }
        Learnt::Language(task) => measured(plan, prepared, (task, 0.0), start, on_cpu),
    }
}

fn measured<T: Task>(
    plan: &Plan<'_>,
    prepared: &Training,
    (task, passes): (T, f64),
    (policy, table): (Policy, Option<UserTable>),
    on_cpu: bool,
) -> Result<Estimate, TrainError> {
    let train = &prepared.train;
    let training = &plan.training(train.items.len());
    let places = policy.places();
    let length = |task: &T, item: &Item| task.row_length(&item.pair, places.soft);
    let mut order: Vec<usize> = (0..train.items.len()).collect();
    order.sort_by_key(|&i| length(&task, &train.items[i]));
    let weights = policy.model.num_adapter_params();
    let learner = Learner::new(task, policy, table, training)?;
    let longest = order.last().copied().unwrap_or(0); // invariant: a data set is never empty
    let median = order[order.len() / 2];

    let step = Step::of(training, train, (&learner.task, places));
    if validate_step(&learner.policy, step, training)?.packed > 0 {
        learner.policy.model.keep_packed();
    }
    memory::give_back();
    let before = memory::current_bytes().filter(|_| on_cpu);
    memory::reset_peak();
    let (_, report) = once(&learner, train, longest)?;
    let branches = report.rows.len().max(1);
    let peak = memory::peak_bytes();
    let memory = before.zip(peak).map(|(before, peak)| {
        let activations = peak.saturating_sub(before) / branches as u64;
        // AdamW keeps two numbers per weight, and the gradient is a third.
        before + activations * step.rows as u64 + 12 * weights as u64
    });

    let (seconds, report) = once(&learner, train, median)?;
    let per_token = seconds / report.tokens.max(1) as f64;
    let own_tokens = |side: &Dataset| -> f64 {
        let lengths = side.items.iter().map(|item| length(&learner.task, item));
        lengths.sum::<usize>() as f64
    };
    // With the rows of a KL term, which the measured step has as well.
    let tokens = |side: &Dataset| own_tokens(side) + own_tokens(&side.mismatched_items());
    let (steps, epochs) = steps(training, train.items.len());
    let validation = prepared.validation.as_ref().map_or(0.0, tokens);
    let held_out = prepared
        .validation
        .as_ref()
        .map_or(0, |side| side.items.len());
    let validations = validations(training, steps, held_out);
    Ok(Estimate {
        steps,
        training: per_token * own_tokens(train) * branches as f64 * epochs,
        reference: per_token * FORWARD * passes * (tokens(train) + validation),
        validation: per_token * FORWARD * validation * validations,
        tokens_per_second: 1.0 / per_token,
        memory,
    })
}

/// Forward and backward pass of one comparison, all branches that a step computes.
fn once<T: Task>(
    learner: &Learner<T>,
    side: &Dataset,
    at: usize,
) -> Result<(f64, StepReport<T::Report>), TrainError> {
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
    let mut example = Example::new(&item, learner.table.as_ref());
    example.drawn = learner.task.draw(0.0, 0);
    let start = Instant::now();
    let (gradients, report) = learner.gradients(&[example])?;
    gradients.norms(&learner.policy); // Waits for the device.
    Ok((start.elapsed().as_secs_f64(), report))
}

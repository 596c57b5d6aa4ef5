//! Operations, and the time that they take at a rate.

use burn::tensor::Device;
use llm_backbone::device::is_cpu;

use super::Sketch;
use crate::config::{Checkpointing, TrainingSection, UserTokens};
use crate::dataset::Dataset;
use crate::profile::flops::{self, Arithmetic, Shape};

/// Operations per second that training is assumed to reach on each core of a CPU: it was at 137 GFLOP/s on two
/// (docs/performance.md).
pub const PER_CORE: f64 = 68e9;

/// Floating-point operations of a run, without sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Forward and backward passes of all steps.
    pub training: f64,
    /// The reference's passes.
    pub reference: f64,
    /// All validations.
    pub validation: f64,
    /// The passes over test comparisons.
    pub scoring: f64,
}

impl Work {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.training + self.reference + self.validation + self.scoring
    }
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.training += other.training;
        self.reference += other.reference;
        self.validation += other.validation;
        self.scoring += other.scoring;
    }
}

impl Sketch {
    /// The work of training on `train` with these user tokens and so many branches, validation included. Without passes of
    /// the reference, which several runs may share.
    pub fn training_work(
        &self,
        (train, validation): (&Dataset, Option<&Dataset>),
        (users, branches): (UserTokens, usize),
        training: &TrainingSection,
    ) -> Work {
        let again = training.gradient_checkpointing == Checkpointing::Blocks;
        let arithmetic = self.arithmetic();
        let pass = |shape: Shape| {
            let once = flops::forward(arithmetic, shape) + flops::backward(arithmetic, shape);
            once + if again {
                flops::blocks(arithmetic, shape)
            } else {
                0
            }
        };
        let (steps, epochs) = steps(training, train.items.len());
        // A KL term is estimated without gradient, on rows of its own.
        let kl = |side: &Dataset| self.forward_work(&side.mismatched_items(), users);
        let validated = validation.map_or(0.0, |side| {
            let pass = self.forward_work(side, users) + kl(side);
            pass * validations(training, steps, side.items.len())
        });
        Work {
            training: epochs * branches as f64 * (self.sum(train, users, pass) + kl(train)),
            validation: validated,
            ..Work::default()
        }
    }

    /// The work of one forward pass over all comparisons, a row each.
    pub fn forward_work(&self, side: &Dataset, users: UserTokens) -> f64 {
        let arithmetic = self.arithmetic();
        self.sum(side, users, |shape| flops::forward(arithmetic, shape))
    }

    fn sum(&self, side: &Dataset, users: UserTokens, pass: impl Fn(Shape) -> u64) -> f64 {
        let rows = side.items.iter().map(|item| {
            let pair = &item.pair;
            pass(Shape {
                rows: 1,
                seq: self.padded(pair.row_length(users.soft)),
                prefix: users.prefix,
                scored: match self.writes {
                    true => pair.chosen.len() + pair.rejected.len(),
                    false => 0,
                },
            }) as f64
        });
        rows.sum()
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::new(self.outline.costs(), self.adapters, self.head())
    }
}

/// Optimiser steps, and the passes over the data that they make.
pub fn steps(training: &TrainingSection, comparisons: usize) -> (usize, f64) {
    let steps = training.total_steps(comparisons);
    let per_epoch = comparisons.div_ceil(training.batch.max(1));
    (steps, steps as f64 / per_epoch.max(1) as f64)
}

/// Passes over `comparisons` validation comparisons in so many steps.
pub fn validations(training: &TrainingSection, steps: usize, comparisons: usize) -> f64 {
    let share = match training.eval_limit {
        0 => 1.0,
        limit => (limit as f64 / comparisons.max(1) as f64).min(1.0),
    };
    let count = match training.eval_every {
        0 => 1,
        every => steps.div_ceil(every),
    };
    share * count as f64
}

/// Operations per second that training is assumed to reach: on a GPU `training.gpu_tflops`, on a CPU what was measured, by
/// core.
pub fn rate(device: &Device, training: &TrainingSection) -> f64 {
    match is_cpu(device) {
        true => PER_CORE * std::thread::available_parallelism().map_or(1, usize::from) as f64,
        false => training.gpu_tflops * 1e12,
    }
}

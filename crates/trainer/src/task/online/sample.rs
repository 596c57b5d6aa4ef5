//! Responses that the policy wrote, and what became of them.

use burn::tensor::{Device, Tensor};
use pdpo_loss::Branch;

use crate::error::TrainError;
use crate::example::Example;
use crate::task::Row;

/// A response that the policy wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Its tokens, a stop id among them where it ended by one.
    pub ids: Vec<u32>,
    /// Words of its text; 0 of an empty one.
    pub words: usize,
    /// Whether it was cut at the longest length, and has no end.
    pub cut: bool,
    /// What it is worth by the scorer.
    pub reward: f64,
    /// The same less the penalty of a missing end.
    pub penalised: f64,
    /// Log-probs of its tokens under the policy that wrote it.
    pub policy: Vec<f32>,
    /// The same under the reference, which knows no users.
    pub reference: Vec<f32>,
    /// How much better it is than the others (policy gradients only).
    pub advantage: f64,
    /// What its loss weighs in the batch's (policy gradients only).
    pub weight: f64,
}

impl Sample {
    /// Tokens without the stop id.
    pub fn length(&self) -> usize {
        self.ids.len() - usize::from(!self.cut)
    }

    /// `log pi(y | x, u) - log pi_ref(y | x)` in nats.
    pub fn log_ratio(&self) -> f64 {
        let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
        sum(&self.policy) - sum(&self.reference)
    }
}

/// What an example made of samples stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// Whether its user's or the generic user's branch wrote them.
    pub branch: Branch,
    /// Of a policy gradient the chosen response and the other one, if there is one; of online DPO all responses to the prompt.
    pub samples: Vec<Sample>,
}

/// What an example was made of.
pub(super) fn of(example: &Example) -> Result<&Sampled, TrainError> {
    example.item.sampled.as_deref().ok_or(TrainError::NoSamples)
}

/// 1 for rows whose samples are worth different things, 0 for those of which nothing is better than the rest; `[rows]`.
pub(super) fn differing(rows: &[Row<'_>], device: &Device) -> Result<Tensor<1>, TrainError> {
    let differ = |row: &Row<'_>| {
        let samples = &of(row.example)?.samples;
        let mut pairs = samples.windows(2);
        let differ = pairs.any(|two| two[0].penalised != two[1].penalised);
        Ok(f32::from(u8::from(differ)))
    };
    let weights: Result<Vec<f32>, TrainError> = rows.iter().map(differ).collect();
    Ok(Tensor::from_floats(weights?.as_slice(), device))
}

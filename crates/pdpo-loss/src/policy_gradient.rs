//! Policy gradients on responses that the policy itself has just written, and that somebody has given rewards: RLOO and GRPO.
//!
//! A step reads:
//!
//! 1. [`PolicyGradient::advantages`]: by how much each response is better than its group, which answers one prompt for one user;
//! 2. [`PolicyGradient::weights`]: what each response counts in the batch's mean;
//! 3. [`PolicyGradient::losses`]: one loss per response from the log-probabilities of its tokens; times its weight they add up.
//!
//! Definitions and defaults are those of TRL 1.16.

mod advantages;
mod grpo;
mod log_probs;
mod rloo;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::LossError;
pub use advantages::{against_group, leave_one_out, standardised};
pub use grpo::{Aggregation, Grpo, ScaleRewards};
pub use log_probs::SampledLogProbs;
pub use rloo::Rloo;

/// A policy gradient with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum PolicyGradient {
    /// REINFORCE with the mean of the other responses as baseline.
    Rloo(Rloo),
    /// Group relative policy optimisation.
    Grpo(Grpo),
}

/// What a response was given, and how far the policy was from the reference in it when it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rewarded {
    /// Its reward.
    pub reward: f64,
    /// `log pi(y | x, u) - log pi_ref(y | x)` in nats, summed over its tokens.
    pub log_ratio: f64,
}

impl PolicyGradient {
    /// Refuses settings that the formulas are not defined for.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] names the key and what was found.
    pub fn validate(&self) -> Result<(), LossError> {
        match self {
            Self::Rloo(rloo) => rloo.validate(),
            Self::Grpo(grpo) => grpo.validate(),
        }
    }

    /// The advantage of every response, in the order given: groups of `group` responses follow each other.
    pub fn advantages(&self, responses: &[Rewarded], group: usize) -> Vec<f64> {
        match self {
            Self::Rloo(rloo) => rloo.advantages(responses, group),
            Self::Grpo(grpo) => grpo.advantages(responses, group),
        }
    }

    /// What each response's loss weighs in the batch's, by the numbers of their tokens; no response may have more than `most`.
    pub fn weights(&self, tokens: &[usize], most: usize) -> Vec<f64> {
        match self {
            Self::Rloo(_) => vec![1.0 / tokens.len().max(1) as f64; tokens.len()],
            Self::Grpo(grpo) => grpo.loss_type.weights(tokens, most),
        }
    }

    /// One loss per response, `[responses]`, differentiable in the policy's log-probabilities.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`] where the loss has a KL term and `sampled` lacks the reference.
    pub fn losses(&self, sampled: &SampledLogProbs) -> Result<Tensor<1>, LossError> {
        match self {
            Self::Rloo(rloo) => Ok(rloo.losses(sampled)),
            Self::Grpo(grpo) => grpo.losses(sampled),
        }
    }

    /// The pull towards the reference.
    pub fn beta(&self) -> f64 {
        match self {
            Self::Rloo(rloo) => rloo.beta,
            Self::Grpo(grpo) => grpo.beta,
        }
    }
}

/// `-min(rho A, clip(rho, 1 - epsilon, 1 + epsilon) A)` with `rho = exp(log_ratio)` (PPO, arXiv 1707.06347, equation 7), elementwise.
fn clipped(log_ratios: Tensor<1>, advantages: Tensor<1>, epsilon: f64) -> Tensor<1> {
    let ratios = log_ratios.exp();
    let within = ratios.clone().clamp(1.0 - epsilon, 1.0 + epsilon);
    (ratios * advantages.clone())
        .min_pair(within * advantages)
        .neg()
}

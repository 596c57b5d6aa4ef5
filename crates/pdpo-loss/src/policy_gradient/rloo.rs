//! RLOO: REINFORCE with the other responses of a group as baseline (Ahmadian et al., arXiv 2402.14740).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::advantages::{leave_one_out, standardised};
use super::{Rewarded, SampledLogProbs, clipped};
use crate::LossError;
use crate::error::{validate, validate_weight};

/// A response is one action: its ratio is that of all its tokens together, and the KL to the reference is part of its reward.
///
/// ```text
/// A_i = R_i - mean of R_j over j != i,   R = r - beta log(pi_old(y) / pi_ref(y))
/// loss_i = -min(rho_i A_i, clip(rho_i, 1 - epsilon, 1 + epsilon) A_i),   rho_i = pi(y_i) / pi_old(y_i)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rloo {
    /// The pull towards the reference. Default 0.05.
    pub beta: f64,
    /// How far the ratio to the policy that wrote a response counts. Default 0.2.
    pub epsilon: f64,
    /// Bring a batch's advantages to mean 0 and standard deviation 1. Default no.
    pub normalize_advantages: bool,
}

impl Default for Rloo {
    fn default() -> Self {
        Self {
            beta: 0.05,
            epsilon: 0.2,
            normalize_advantages: false,
        }
    }
}

impl Rloo {
    pub(super) fn validate(&self) -> Result<(), LossError> {
        validate_weight("beta", self.beta)?;
        validate_epsilon(self.epsilon)
    }

    pub(super) fn advantages(&self, responses: &[Rewarded], group: usize) -> Vec<f64> {
        let penalised = |of: &Rewarded| of.reward - self.beta * of.log_ratio;
        let rewards: Vec<f64> = responses.iter().map(penalised).collect();
        let advantages = leave_one_out(&rewards, group);
        match self.normalize_advantages {
            true => standardised(&advantages),
            false => advantages,
        }
    }

    pub(super) fn losses(&self, sampled: &SampledLogProbs) -> Tensor<1> {
        let log_ratios = sampled.sums(sampled.log_ratios());
        clipped(log_ratios, sampled.advantages(), self.epsilon)
    }
}

/// A clip of a ratio to both sides of 1.
pub(super) fn validate_epsilon(epsilon: f64) -> Result<(), LossError> {
    let expected = "a number above 0, less than 1";
    validate("epsilon", epsilon, 1e-6..1.0, expected)
}

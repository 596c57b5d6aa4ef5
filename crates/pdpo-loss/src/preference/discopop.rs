//! DiscoPOP, the log-ratio modulated loss (Lu et al., arXiv 2406.08414, equation 5).

use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use serde::{Deserialize, Serialize};

use super::{Divergence, PairLoss};
use crate::error::{SMALLEST, validate, validate_factor};
use crate::{LossError, PairLogProbs, Rewards};

/// `(1 - m) (-log sigma(z)) + m e^-z` with `m = sigma(z / tau)` and `z = beta (s(y1) - s(y2))`, where `s(y)` is
/// `log(pi(y) / pi_ref(y))`, or the score of another [`Divergence`].
///
/// The second term is computed as one exponential, `e^(log sigma(z / tau) - z)`: its factors overflow where their product
/// vanishes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discopop {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// The temperature of the modulation, above 0, at most 1. Default 0.05.
    pub tau: f64,
    /// What the policy is regularised by. Default `reverse_kl`.
    #[serde(skip_serializing_if = "Divergence::is_own")]
    pub divergence: Divergence,
}

impl Default for Discopop {
    fn default() -> Self {
        Self {
            beta: 0.1,
            tau: 0.05,
            divergence: Divergence::ReverseKl,
        }
    }
}

impl PairLoss for Discopop {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let logits = self.divergence.scores(pairs)?.difference() * self.beta;
        let modulation = logits.clone() / self.tau;
        let logistic = -log_sigmoid(logits.clone()) * sigmoid(-modulation.clone());
        Ok(logistic + (log_sigmoid(modulation) - logits).exp())
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.divergence.scores(pairs)?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        let range = SMALLEST..=1.0;
        validate("tau", self.tau, range, "a number from 1e-6 to 1")?;
        self.divergence.validate()
    }
}

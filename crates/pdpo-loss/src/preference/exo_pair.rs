//! EXO on pairs (Ji et al., arXiv 2402.00856, equation 16).

use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use serde::{Deserialize, Serialize};

use super::{Divergence, PairLoss};
use crate::error::{SMALLEST, validate, validate_factor};
use crate::{LossError, PairLogProbs, Rewards};

/// `KL(p || q)` of two distributions over the two responses: the policy's, `p = (sigma(z), sigma(-z))`, and the labels',
/// `q = (1 - eps, eps)`, with `z = beta (s(y1) - s(y2))`, where `s(y)` is `log(pi(y) / pi_ref(y))`, or the score of another
/// [`Divergence`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExoPair {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// The share `eps` that the labels leave the other response, above 0 and below 0.5. Default 1e-3.
    pub label_smoothing: f64,
    /// What the policy is regularised by. Default `reverse_kl`.
    #[serde(skip_serializing_if = "Divergence::is_own")]
    pub divergence: Divergence,
}

impl Default for ExoPair {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 1e-3,
            divergence: Divergence::ReverseKl,
        }
    }
}

impl PairLoss for ExoPair {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let logits = self.divergence.scores(pairs)?.difference() * self.beta;
        let eps = self.label_smoothing;
        let term = |logits: Tensor<1>, label: f64| {
            sigmoid(logits.clone()) * (log_sigmoid(logits) - label.ln())
        };
        Ok(term(logits.clone(), 1.0 - eps) + term(-logits, eps))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.divergence.scores(pairs)?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        let range = SMALLEST..0.5;
        let expected = "a number from 1e-6 to below 0.5";
        validate("label_smoothing", self.label_smoothing, range, expected)?;
        self.divergence.validate()
    }
}

//! Robust DPO (Chowdhury et al., arXiv 2403.00409).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::{Divergence, PairLoss};
use crate::error::{validate_factor, validate_smoothing};
use crate::{LossError, PairLogProbs, Rewards};

/// `(-(1 - eps) log sigma(z) + eps log sigma(-z)) / (1 - 2 eps)`, with `z = beta (s(y1) - s(y2))`, where `s(y)` is
/// `log(pi(y) / pi_ref(y))`, or the score of another [`Divergence`], and `eps` the known share of flipped labels: over labels
/// that are flipped so, its mean is DPO's loss on the true ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Robust {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// The share of flipped labels, from 0 to below 0.5. Default 0.1.
    pub label_smoothing: f64,
    /// What the policy is regularised by. Default `reverse_kl`.
    #[serde(skip_serializing_if = "Divergence::is_own")]
    pub divergence: Divergence,
}

impl Default for Robust {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 0.1,
            divergence: Divergence::ReverseKl,
        }
    }
}

impl PairLoss for Robust {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let (logits, eps) = (
            self.divergence.scores(pairs)?.difference() * self.beta,
            self.label_smoothing,
        );
        let (clean, flipped) = (log_sigmoid(logits.clone()), log_sigmoid(-logits));
        Ok((flipped * eps - clean * (1.0 - eps)) / (1.0 - 2.0 * eps))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.divergence.scores(pairs)?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        validate_smoothing(self.label_smoothing)?;
        self.divergence.validate()
    }
}

//! The hinge loss on normalised likelihoods (SLiC: Zhao et al., arXiv 2305.10425; RSO: Liu et al., arXiv 2309.06657).

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};

use super::{Divergence, PairLoss};
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `max(0, 1 - beta (s(y1) - s(y2)))`, where `s(y)` is `log(pi(y) / pi_ref(y))`, or the score of another [`Divergence`]. A
/// comparison whose margin is above 1 has no gradient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hinge {
    /// What scales the log-ratios to a margin of 1, above 0. Default 0.1.
    pub beta: f64,
    /// What the policy is regularised by. Default `reverse_kl`.
    #[serde(skip_serializing_if = "Divergence::is_own")]
    pub divergence: Divergence,
}

impl Default for Hinge {
    fn default() -> Self {
        Self {
            beta: 0.1,
            divergence: Divergence::ReverseKl,
        }
    }
}

impl PairLoss for Hinge {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let margins = self.divergence.scores(pairs)?.difference() * self.beta;
        Ok(relu(-margins + 1.0))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.divergence.scores(pairs)?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        self.divergence.validate()
    }
}

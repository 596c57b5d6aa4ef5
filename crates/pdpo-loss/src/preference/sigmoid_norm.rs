//! DPO on means over tokens (Lambert et al., arXiv 2411.15124, section 5: length-normalised DPO).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::{Divergence, PairLoss};
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `-log sigma(beta (s(y1) / |y1| - s(y2) / |y2|))`, where `s(y)` is `log(pi(y) / pi_ref(y))`, or the score of another
/// [`Divergence`], and `|y|` a number of tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SigmoidNorm {
    /// The strength of the pull towards the reference, above 0. Default 5, as in the paper: means are
    /// smaller than sums.
    pub beta: f64,
    /// What the policy is regularised by. Default `reverse_kl`.
    #[serde(skip_serializing_if = "Divergence::is_own")]
    pub divergence: Divergence,
}

impl Default for SigmoidNorm {
    fn default() -> Self {
        Self {
            beta: 5.0,
            divergence: Divergence::ReverseKl,
        }
    }
}

impl PairLoss for SigmoidNorm {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let means = self.divergence.mean_scores(pairs)?;
        Ok(-log_sigmoid(means.difference() * self.beta))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.divergence.mean_scores(pairs)?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        self.divergence.validate()
    }
}

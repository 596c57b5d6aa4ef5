//! SimPO (Meng et al., arXiv 2405.14734, equation 6).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::{validate_factor, validate_weight};
use crate::{LossError, PairLogProbs, Rewards};

/// `-log sigma(r(y1) - r(y2) - gamma)` with `r(y) = beta log pi(y) / |y|`, where `|y|` is a number of tokens. There is no
/// reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Simpo {
    /// What scales log-probabilities to rewards, above 0. Default 2, as in the paper.
    pub beta: f64,
    /// The margin between the two rewards that is aimed at, 0 or above. Default 1.
    pub gamma: f64,
}

impl Default for Simpo {
    fn default() -> Self {
        Self {
            beta: 2.0,
            gamma: 1.0,
        }
    }
}

impl PairLoss for Simpo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let means = pairs.per_token(pairs.policy().clone());
        Ok(-log_sigmoid(means.difference() * self.beta - self.gamma))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        let means = pairs.per_token(pairs.policy().clone());
        Ok(Rewards::new(means, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        validate_weight("gamma", self.gamma)
    }

    fn needs_reference(&self) -> bool {
        false
    }
}

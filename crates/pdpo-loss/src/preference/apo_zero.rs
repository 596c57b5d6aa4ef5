//! APO-zero (D'Oosterlinck et al., arXiv 2408.06266, equation 7).

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `1 - sigma(r(y1)) + sigma(r(y2))` with `r(y) = beta log(pi(y) / pi_ref(y))`: preferred responses become likelier, the others
/// less likely. For preferred responses that are better than what the model writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApoZero {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
}

impl Default for ApoZero {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for ApoZero {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let ratios = pairs.log_ratios()?.map(|ratio| ratio * self.beta);
        Ok(sigmoid(-ratios.chosen) + sigmoid(ratios.rejected))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)
    }
}

//! APO-down (D'Oosterlinck et al., arXiv 2408.06266, equation 8).

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `sigma(r(y1)) + 1 - sigma(r(y1) - r(y2))` with `r(y) = beta log(pi(y) / pi_ref(y))`: both responses become less likely, the
/// other one further. For preferred responses that are worse than what the model writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApoDown {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
}

impl Default for ApoDown {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for ApoDown {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let ratios = pairs.log_ratios()?.map(|ratio| ratio * self.beta);
        let down = sigmoid(ratios.chosen.clone());
        Ok(down + sigmoid(-ratios.difference()))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)
    }
}

//! BCO on pairs (Jung et al., arXiv 2404.04656).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `-log sigma(r(y1)) - log sigma(-r(y2))` with `r(y) = beta log(pi(y) / pi_ref(y))`: a binary classifier of each response. The
/// paper's shift of the rewards by their running mean is left out, as TRL leaves it out on pairs: no state outlives a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BcoPair {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
}

impl Default for BcoPair {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for BcoPair {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let ratios = pairs.log_ratios()?.map(|ratio| ratio * self.beta);
        Ok(-(log_sigmoid(ratios.chosen) + log_sigmoid(-ratios.rejected)))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)
    }
}

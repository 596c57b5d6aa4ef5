//! NCA on pairs (Chen et al., arXiv 2402.05369, in the form for pairs).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `-log sigma(r(y1)) - (log sigma(-r(y1)) + log sigma(-r(y2))) / 2` with `r(y) = beta log(pi(y) / pi_ref(y))`: what is learnt is
/// either response's own reward, not only which is larger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NcaPair {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
}

impl Default for NcaPair {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for NcaPair {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let ratios = pairs.log_ratios()?.map(|ratio| ratio * self.beta);
        let preferred = log_sigmoid(ratios.chosen.clone());
        let either = log_sigmoid(-ratios.chosen) + log_sigmoid(-ratios.rejected);
        Ok(-(preferred + either * 0.5))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)
    }
}

//! APO-zero on thumbs (D'Oosterlinck et al., arXiv 2408.06266, equation 7, of one response; TRL's `apo_zero_unpaired`).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{PairLoss, thumbs};
use crate::{LossError, PairLogProbs, Rewards};

/// Of what the user likes `w_D (1 - sigma(r(y)))`, of what she does not `w_U sigma(r(y))`, with
/// `r(y) = beta log(pi(y) / pi_ref(y))`: KTO without its KL term, and without the forward pass that this takes. A pair is a liked
/// response and one that is not, and its loss the mean of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApoZeroUnpaired {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// `w_D`, what a liked response weighs, above 0. Default 1.
    pub desirable_weight: f64,
    /// `w_U`, what another one weighs, above 0. Default 1.
    pub undesirable_weight: f64,
}

impl Default for ApoZeroUnpaired {
    fn default() -> Self {
        Self {
            beta: 0.1,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
        }
    }
}

impl PairLoss for ApoZeroUnpaired {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let gains = pairs.log_ratios()?.map(|ratio| ratio * self.beta);
        Ok(thumbs::losses(pairs, gains, self.weights()))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        thumbs::validate(self.beta, self.weights())
    }

    fn takes_thumbs(&self) -> bool {
        true
    }
}

impl ApoZeroUnpaired {
    fn weights(&self) -> [f64; 2] {
        [self.desirable_weight, self.undesirable_weight]
    }
}

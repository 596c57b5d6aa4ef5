//! Kahneman-Tversky optimisation (Ethayarajh et al., arXiv 2402.01306, equation 8).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{PairLoss, thumbs};
use crate::{LossError, PairLogProbs, Rewards};

/// Of what the user likes `w_D (1 - sigma(beta (s(y) - z)))`, of what she does not `w_U (1 - sigma(beta (z - s(y))))`, with
/// `s(y) = log(pi(y) / pi_ref(y))` and `z` the KL term of the batch, without gradient. For thumbs; a pair is a liked response and
/// one that is not, and its loss the mean of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kto {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// `w_D`, what a liked response weighs, above 0. Default 1. The paper wants the weights times the numbers of thumbs up and
    /// down within 1 and 4/3 of each other.
    pub desirable_weight: f64,
    /// `w_U`, what another one weighs, above 0. Default 1.
    pub undesirable_weight: f64,
}

impl Default for Kto {
    fn default() -> Self {
        Self {
            beta: 0.1,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
        }
    }
}

impl PairLoss for Kto {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let kl = pairs.kl()?.clone();
        let gains = pairs
            .log_ratios()?
            .map(|ratio| (ratio - kl.clone()) * self.beta);
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

    fn needs_kl(&self) -> bool {
        true
    }
}

impl Kto {
    fn weights(&self) -> [f64; 2] {
        [self.desirable_weight, self.undesirable_weight]
    }
}

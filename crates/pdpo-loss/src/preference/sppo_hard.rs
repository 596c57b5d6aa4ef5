//! SPPO with hard win probabilities (Wu et al., arXiv 2405.00675, equation 4.7 with P of 1 and 0).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `(a(y1) - 1 / (2 beta))^2 + (a(y2) + 1 / (2 beta))^2` with `a(y) = log(pi(y) / pi_ref(y))`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SppoHard {
    /// The inverse of the paper's eta: the log-ratios aim at 1 / (2 beta) and its opposite, above 0. Default 0.1.
    pub beta: f64,
}

impl Default for SppoHard {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl PairLoss for SppoHard {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let ratios = pairs.log_ratios()?;
        let target = 0.5 / self.beta;
        Ok((ratios.chosen - target).square() + (ratios.rejected + target).square())
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)
    }
}

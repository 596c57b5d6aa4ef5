//! CPO (Xu et al., arXiv 2401.08417, equation 3).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::{validate_factor, validate_weight};
use crate::{LossError, PairLogProbs, Part, Rewards};

/// `-log sigma(beta (log pi(y1) - log pi(y2))) + w nll(y1)`, where `nll` is the negative log-likelihood per token: DPO with a
/// uniform reference, and cloning of the preferred response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cpo {
    /// What scales log-probabilities to rewards, above 0. Default 0.1.
    pub beta: f64,
    /// The weight `w` of the negative log-likelihood, 0 or above (TRL's `cpo_alpha`). Default 1.
    pub cloning: f64,
}

impl Default for Cpo {
    fn default() -> Self {
        Self {
            beta: 0.1,
            cloning: 1.0,
        }
    }
}

impl PairLoss for Cpo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        Part::total(&self.parts(pairs)?)
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.policy().clone(), self.beta))
    }

    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        let logits = pairs.policy().clone().difference() * self.beta;
        let nll = pairs.chosen_nll() * self.cloning;
        Ok(vec![
            Part::new("preference", -log_sigmoid(logits)),
            Part::new("nll", nll),
        ])
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        validate_weight("cloning", self.cloning)
    }

    fn needs_reference(&self) -> bool {
        false
    }
}

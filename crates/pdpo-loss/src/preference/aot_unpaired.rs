//! AOT, alignment via optimal transport, of either side (Melnyk et al., arXiv 2406.05882, section 3: unpaired).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use super::aot::partners;
use super::logistic::logistic;
use crate::error::{validate_factor, validate_smoothing};
use crate::{LossError, PairLogProbs, Rewards};

/// `-(1 - eps) log sigma(z) - eps log sigma(-z)` with `z = beta (a_k - b_k)`, where `a_k` is the k-th smallest of the batch's
/// `log(pi(y1) / pi_ref(y1))`, `b_k` that of `log(pi(y2) / pi_ref(y2))`, and `eps` the label smoothing: preferred responses
/// should have stochastically larger log-ratios than the others, whichever comparison they are of.
///
/// The batch is that of a branch. A row's loss is that of its own `a`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AotUnpaired {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// The assumed share of flipped labels, from 0 to below 0.5. Default 0.
    pub label_smoothing: f64,
}

impl Default for AotUnpaired {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 0.0,
        }
    }
}

impl PairLoss for AotUnpaired {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let ratios = pairs.log_ratios()?;
        let partners = partners(&ratios.chosen, &ratios.rejected)?;
        let margins = ratios.chosen - ratios.rejected.select(0, partners);
        Ok(logistic(margins * self.beta, self.label_smoothing))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.log_ratios()?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        validate_smoothing(self.label_smoothing)
    }

    fn needs_batch_statistics(&self) -> bool {
        true
    }
}

//! AlphaPO (Gupta et al., arXiv 2501.03884).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use super::exponential::exponential;
use crate::error::{validate_factor, validate_weight};
use crate::{LossError, Pair, PairLogProbs, Rewards};

/// `-log sigma(r(y1) - r(y2) - gamma)` with `r(y) = beta (1 - p(y)^-a) / a`, where `p(y)` is the geometric mean of the
/// probabilities of its tokens and `a` the shape: SimPO in the limit of 0. There is no reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alphapo {
    /// What scales log-probabilities to rewards, above 0. Default 2.5, as in the paper for Mistral.
    pub beta: f64,
    /// The margin between the two rewards that is aimed at, 0 or above. Default 0.1.
    pub gamma: f64,
    /// The paper's alpha: above 0, what a model finds unlikely counts more. From -10 to 10, not 0, which is SimPO. Default 0.25.
    pub shape: f64,
}

impl Default for Alphapo {
    fn default() -> Self {
        Self {
            beta: 2.5,
            gamma: 0.1,
            shape: 0.25,
        }
    }
}

impl PairLoss for Alphapo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let rewards = self.shaped(pairs);
        Ok(-log_sigmoid(rewards.difference() * self.beta - self.gamma))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.shaped(pairs), self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        validate_weight("gamma", self.gamma)?;
        match self.shape != 0.0 && (-10.0..=10.0).contains(&self.shape) {
            true => Ok(()),
            false => {
                let expected = "a number from -10 to 10, other than 0 (which is simpo)";
                Err(LossError::setting("shape", self.shape, expected))
            }
        }
    }

    fn needs_reference(&self) -> bool {
        false
    }
}

impl Alphapo {
    /// `(1 - p^-a) / a` of both responses.
    fn shaped(&self, pairs: &PairLogProbs) -> Pair {
        let means = pairs.per_token(pairs.policy().clone());
        means.map(|mean| (-exponential(mean * -self.shape) + 1.0) / self.shape)
    }
}

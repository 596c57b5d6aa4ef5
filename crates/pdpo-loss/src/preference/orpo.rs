//! ORPO (Hong et al., arXiv 2403.07691, equations 4 and 7).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::PairLoss;
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Part, Rewards};

/// `nll(y1) - beta log sigma(log odds(y1) - log odds(y2))`, where `nll` is the negative log-likelihood per token and
/// `odds = p / (1 - p)` of the geometric mean `p` of the probabilities of a response's tokens. There is no reference.
///
/// The likelihood is that of the response, as in the paper; TRL's is that of prompt and response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Orpo {
    /// The weight of the odds ratio (the paper's lambda), above 0. Default 0.1.
    pub beta: f64,
}

impl Default for Orpo {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

/// Of a mean negative log-likelihood: below, a response is certain and its odds are infinite in f32; above, `sinh` is.
const NLL: [f64; 2] = [1e-6, 170.0];

/// `log(p / (1 - p)) = -log(e^n - 1)` of `n = -log p`, with `e^n - 1 = 2 e^(n/2) sinh(n/2)`, which is exact for small `n`.
fn log_odds(mean_log_prob: Tensor<1>) -> Tensor<1> {
    let half = mean_log_prob.neg().clamp(NLL[0], NLL[1]) / 2.0;
    -(half.clone() + (half.sinh() * 2.0).log())
}

impl PairLoss for Orpo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        Part::total(&self.parts(pairs)?)
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        let means = pairs.per_token(pairs.policy().clone());
        Ok(Rewards::new(means, self.beta))
    }

    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        let odds = pairs.per_token(pairs.policy().clone()).map(log_odds);
        let preference = log_sigmoid(odds.difference()) * -self.beta;
        Ok(vec![
            Part::new("preference", preference),
            Part::new("nll", pairs.chosen_nll()),
        ])
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)
    }

    fn needs_reference(&self) -> bool {
        false
    }
}

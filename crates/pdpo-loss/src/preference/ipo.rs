//! IPO (Azar et al., arXiv 2310.12036, equation 17), on per-token means as TRL computes it.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Divergence, PairLoss};
use crate::error::validate_factor;
use crate::{LossError, PairLogProbs, Rewards};

/// `(h - 1 / (2 beta))^2` with `h` the difference of the two log-ratios (or scores of another [`Divergence`]), each divided by
/// its response's token count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ipo {
    /// IPO's tau, above 0. Default 0.1.
    pub beta: f64,
    /// What the policy is regularised by. Default `reverse_kl`.
    #[serde(skip_serializing_if = "Divergence::is_own")]
    pub divergence: Divergence,
}

impl Default for Ipo {
    fn default() -> Self {
        Self {
            beta: 0.1,
            divergence: Divergence::ReverseKl,
        }
    }
}

impl Ipo {
    /// IPO.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] unless `beta` is finite and positive.
    pub fn new(beta: f64) -> Result<Self, LossError> {
        let loss = Self {
            beta,
            ..Self::default()
        };
        loss.validate().map(|()| loss)
    }
}

impl PairLoss for Ipo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let h = self.divergence.mean_scores(pairs)?.difference();
        Ok((h - 1.0 / (2.0 * self.beta)).square())
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.divergence.mean_scores(pairs)?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        self.divergence.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::tests::pair;
    use burn::tensor::Device;

    #[test]
    fn the_loss_equals_a_hand_calculation() {
        let device = Device::flex();
        let pairs = PairLogProbs::new(
            pair([-8.0], [-30.0], &device),
            Some(pair([-12.0], [-20.0], &device)),
            pair([4.0], [10.0], &device),
        )
        .unwrap();
        // h = (-8 + 12) / 4 - (-30 + 20) / 10 = 2; 1 / (2 * 0.25) = 2; then 1 / (2 * 0.5) = 1.
        let loss = |beta| {
            let losses = Ipo::new(beta).unwrap().losses(&pairs);
            losses.unwrap().into_scalar::<f32>()
        };
        assert_eq!(loss(0.25), 0.0);
        assert_eq!(loss(0.5), 1.0);
    }
}

//! DPO, its conservative form, its form for other divergences, and its form for lengths (Rafailov et al., arXiv 2305.18290,
//! equation 7).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::logistic::logistic;
use super::{Divergence, PairLoss, is_default};
use crate::error::{validate_factor, validate_smoothing, validate_weight};
use crate::{LossError, PairLogProbs, Rewards};

/// `-(1 - eps) log sigma(z) - eps log sigma(-z)`, with `z = beta (s(y1) - s(y2)) + lambda (|y1| - |y2|)`, where `s(y)` is
/// `log(pi(y) / pi_ref(y))`, or the score of another [`Divergence`], `eps` the label smoothing (cDPO), `lambda` the length
/// penalty (R-DPO: Park et al., arXiv 2403.19159) and `|y|` a number of tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpo {
    /// The strength of the pull towards the reference, above 0. Default 0.1.
    pub beta: f64,
    /// The assumed share of flipped labels, from 0 to below 0.5. Default 0.
    pub label_smoothing: f64,
    /// What the policy is regularised by. Default `reverse_kl`.
    #[serde(skip_serializing_if = "Divergence::is_own")]
    pub divergence: Divergence,
    /// How much less is learnt for each token that the preferred response is longer by, and how much more where it is
    /// shorter; 0 or above. Default 0.
    #[serde(skip_serializing_if = "is_default")]
    pub length_penalty: f64,
}

impl Default for Dpo {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 0.0,
            divergence: Divergence::ReverseKl,
            length_penalty: 0.0,
        }
    }
}

impl Dpo {
    /// DPO without label smoothing.
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

impl PairLoss for Dpo {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let mut logits = self.divergence.scores(pairs)?.difference() * self.beta;
        if self.length_penalty > 0.0 {
            logits = logits + pairs.tokens().clone().difference() * self.length_penalty;
        }
        Ok(logistic(logits, self.label_smoothing))
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(self.divergence.scores(pairs)?, self.beta))
    }

    fn validate(&self) -> Result<(), LossError> {
        validate_factor("beta", self.beta)?;
        validate_smoothing(self.label_smoothing)?;
        validate_weight("length_penalty", self.length_penalty)?;
        self.divergence.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pair;
    use burn::tensor::Device;

    /// Rows whose log-ratios differ by `delta`.
    fn pairs(delta: Tensor<1>) -> PairLogProbs {
        let constant = |value: f64| {
            let value = Tensor::zeros(delta.dims(), &delta.device()) + value;
            Pair {
                chosen: value.clone(),
                rejected: value,
            }
        };
        let policy = Pair {
            rejected: constant(0.0).rejected,
            chosen: delta.clone(),
        };
        PairLogProbs::new(policy, Some(constant(0.0)), constant(1.0)).unwrap()
    }

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    fn losses<const N: usize>(delta: [f32; N], beta: f64, label_smoothing: f64) -> Vec<f32> {
        let loss = Dpo {
            beta,
            label_smoothing,
            ..Dpo::default()
        };
        let delta = Tensor::from_floats(delta, &Device::flex());
        values(loss.losses(&pairs(delta)).unwrap())
    }

    #[test]
    fn the_loss_of_equal_policies_is_log_2() {
        let losses = losses([0.0], 0.1, 0.0);
        assert!((losses[0] - std::f32::consts::LN_2).abs() < 1e-7);
    }

    #[test]
    fn the_loss_equals_a_hand_calculation() {
        // delta = 10, beta = 0.1: log(1 + e^-1) = 0.313261687..., log(1 + e) = 1.313261687...
        let plain = losses([10.0, -10.0], 0.1, 0.0);
        assert!((plain[0] - 0.313_261_7).abs() < 1e-6);
        assert!((plain[1] - 1.313_261_7).abs() < 1e-6);
        let smooth = losses([10.0], 0.1, 0.25);
        assert!((smooth[0] - (0.75 * 0.313_261_7 + 0.25 * 1.313_261_7)).abs() < 1e-6);
    }

    #[test]
    fn huge_log_ratios_give_finite_losses_and_gradients() {
        let device = Device::flex().autodiff();
        let delta: [f32; 7] = [-1e4, -90.0, -1e-4, 0.0, 1e-4, 90.0, 1e4];
        for eps in [0.0, 0.1] {
            let leaf = Tensor::<1>::from_floats(delta, &device).require_grad();
            let loss = Dpo {
                beta: 1.0,
                label_smoothing: eps,
                ..Dpo::default()
            };
            let losses = loss.losses(&pairs(leaf.clone())).unwrap();
            let grads = losses.clone().sum().backward();
            let gradient = values(leaf.grad(&grads).unwrap());
            for (i, (loss, slope)) in values(losses).into_iter().zip(gradient).enumerate() {
                let z = f64::from(delta[i]);
                // Independent, in f64: log(1 + e^-|z|) + max(-z, 0).
                let nll = |z: f64| (-z.abs()).exp().ln_1p() + (-z).max(0.0);
                let expected = (1.0 - eps) * nll(z) + eps * nll(-z);
                assert!(
                    (f64::from(loss) - expected).abs() <= 1e-6 * (1.0 + expected),
                    "loss {loss} at {z}, expected {expected}"
                );
                let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
                let expected = -(1.0 - eps) * sigmoid(-z) + eps * sigmoid(z);
                assert!(
                    (f64::from(slope) - expected).abs() <= 1e-6,
                    "gradient {slope} at {z}, expected {expected}"
                );
            }
        }
    }
}

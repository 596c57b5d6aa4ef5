//! Implicit rewards: what one logs beside the loss.

use burn::tensor::Tensor;

use crate::Pair;

/// Implicit rewards `r(x, y) = beta * log(pi(y|x,u) / pi_ref(y|x))` of a batch, as TRL logs them:
/// on sums over tokens, and on per-token means for IPO.
#[derive(Debug, Clone)]
pub struct Rewards {
    /// Reward of each preferred response, `[rows]`.
    pub chosen: Tensor<1>,
    /// Reward of each other response, `[rows]`.
    pub rejected: Tensor<1>,
    /// `chosen - rejected`, `[rows]`.
    pub margins: Tensor<1>,
    /// 1 where `chosen > rejected`, else 0, `[rows]`. A tie counts as wrong, so an untrained
    /// policy has accuracy 0.
    pub accuracies: Tensor<1>,
}

impl Rewards {
    /// `beta` times two log-ratios, or whatever else a loss ranks responses by.
    pub fn new(ratios: Pair, beta: f64) -> Self {
        let chosen = ratios.chosen * beta;
        let rejected = ratios.rejected * beta;
        Self {
            margins: chosen.clone() - rejected.clone(),
            accuracies: chosen.clone().greater(rejected.clone()).float(),
            chosen,
            rejected,
        }
    }

    /// The same numbers, through which no gradient flows.
    #[must_use]
    pub(crate) fn without_gradient(self) -> Self {
        Self {
            chosen: self.chosen.without_autodiff(),
            rejected: self.rejected.without_autodiff(),
            margins: self.margins.without_autodiff(),
            accuracies: self.accuracies.without_autodiff(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::pairs::tests::pair;
    use crate::{Dpo, Ipo, Pair, PairLogProbs, PairLoss};
    use burn::tensor::{Device, Tensor};

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    fn three_rows(policy: Pair) -> PairLogProbs {
        let device = policy.chosen.device();
        PairLogProbs::new(
            policy,
            Some(pair([-12.0, -5.0, -8.0], [-20.0, -5.0, -8.0], &device)),
            pair([4.0, 2.0, 1.0], [10.0, 3.0, 2.0], &device),
        )
        .unwrap()
    }

    fn policy(device: &Device) -> Pair {
        pair([-8.0, -5.0, -9.0], [-30.0, -5.0, -6.0], device)
    }

    #[test]
    fn dpo_rewards_are_sums_and_a_tie_is_not_accurate() {
        let loss = Dpo::new(0.5).unwrap();
        let rewards = loss.rewards(&three_rows(policy(&Device::flex()))).unwrap();
        assert_eq!(values(rewards.chosen), [2.0, 0.0, -0.5]);
        assert_eq!(values(rewards.rejected), [-5.0, 0.0, 1.0]);
        assert_eq!(values(rewards.margins), [7.0, 0.0, -1.5]);
        assert_eq!(values(rewards.accuracies), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn ipo_rewards_are_per_token_means() {
        let loss = Ipo::new(0.5).unwrap();
        let rewards = loss.rewards(&three_rows(policy(&Device::flex()))).unwrap();
        assert_eq!(values(rewards.chosen), [0.5, 0.0, -0.5]);
        assert_eq!(values(rewards.rejected), [-0.5, 0.0, 0.5]);
    }
}

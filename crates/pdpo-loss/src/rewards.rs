//! Implicit rewards: what one logs beside the loss.

use burn::tensor::Tensor;

/// Implicit rewards `r(x, y) = beta * log(pi(y|x,u) / pi_ref(y|x))` of a batch, as TRL logs them:
/// on sums over tokens, and on per-token means for IPO. No gradient flows through any of them.
#[derive(Debug, Clone)]
pub struct Rewards {
    /// Reward of each preferred response, `[batch]`.
    pub chosen: Tensor<1>,
    /// Reward of each other response, `[batch]`.
    pub rejected: Tensor<1>,
    /// `chosen - rejected`, `[batch]`.
    pub margins: Tensor<1>,
    /// 1 where `chosen > rejected`, else 0, `[batch]`. A tie counts as wrong, so an untrained
    /// policy has accuracy 0.
    pub accuracies: Tensor<1>,
}

impl Rewards {
    /// From the two log-ratios, each `[batch]`.
    pub(crate) fn from_log_ratios(chosen: Tensor<1>, rejected: Tensor<1>, beta: f64) -> Self {
        let chosen = chosen.without_autodiff() * beta;
        let rejected = rejected.without_autodiff() * beta;
        Self {
            margins: chosen.clone() - rejected.clone(),
            accuracies: chosen.clone().greater(rejected.clone()).float(),
            chosen,
            rejected,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{PairLogProbs, PreferenceLoss};
    use burn::tensor::{Device, Tensor};

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    fn three_rows(device: &Device) -> PairLogProbs {
        PairLogProbs {
            policy_chosen: Tensor::from_floats([-8.0, -5.0, -9.0], device),
            policy_rejected: Tensor::from_floats([-30.0, -5.0, -6.0], device),
            reference_chosen: Tensor::from_floats([-12.0, -5.0, -8.0], device),
            reference_rejected: Tensor::from_floats([-20.0, -5.0, -8.0], device),
            chosen_tokens: Tensor::from_floats([4.0, 2.0, 1.0], device),
            rejected_tokens: Tensor::from_floats([10.0, 3.0, 2.0], device),
        }
    }

    #[test]
    fn dpo_rewards_are_sums_and_a_tie_is_not_accurate() {
        let loss = PreferenceLoss::dpo(0.5).unwrap();
        let rewards = loss.rewards(&three_rows(&Device::flex()));
        assert_eq!(values(rewards.chosen), [2.0, 0.0, -0.5]);
        assert_eq!(values(rewards.rejected), [-5.0, 0.0, 1.0]);
        assert_eq!(values(rewards.margins), [7.0, 0.0, -1.5]);
        assert_eq!(values(rewards.accuracies), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn ipo_rewards_are_per_token_means() {
        let loss = PreferenceLoss::ipo(0.5).unwrap();
        let rewards = loss.rewards(&three_rows(&Device::flex()));
        assert_eq!(values(rewards.chosen), [0.5, 0.0, -0.5]);
        assert_eq!(values(rewards.rejected), [-0.5, 0.0, 0.5]);
    }

    #[test]
    fn rewards_carry_no_gradient() {
        let device = Device::flex().autodiff();
        let mut pairs = three_rows(&device);
        pairs.policy_chosen = pairs.policy_chosen.require_grad();
        let rewards = PreferenceLoss::dpo(0.5).unwrap().rewards(&pairs);
        assert!(!rewards.margins.is_autodiff());
        assert_eq!(values(rewards.chosen), [2.0, 0.0, -0.5]);
    }
}

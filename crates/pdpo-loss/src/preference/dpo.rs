//! DPO and its conservative form (Rafailov et al., arXiv 2305.18290, equation 7).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

use crate::PairLogProbs;

/// `-(1 - eps) log sigma(beta delta) - eps log sigma(-beta delta)`, `[batch]`, with
/// `delta = log(pi(y1)/pi_ref(y1)) - log(pi(y2)/pi_ref(y2))` and `eps` the label smoothing.
///
/// The logarithm of the sigmoid is one operation with its own gradient, `sigma(-z)`: neither the
/// value nor the gradient overflows, and the gradient at `z = 0`, where every training starts, is
/// exactly one half. (Built from `min`, `abs` and `log1p` it would not be.)
pub(super) fn per_comparison(pairs: &PairLogProbs, beta: f64, eps: f64) -> Tensor<1> {
    let (chosen, rejected) = pairs.log_ratios();
    let logits = (chosen - rejected) * beta;
    if eps == 0.0 {
        return -log_sigmoid(logits);
    }
    -(log_sigmoid(logits.clone()) * (1.0 - eps) + log_sigmoid(-logits) * eps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn pairs(delta: &[f32], device: &Device) -> PairLogProbs {
        let zeros = Tensor::zeros([delta.len()], device);
        PairLogProbs {
            policy_chosen: Tensor::from_floats(delta, device),
            policy_rejected: zeros.clone(),
            reference_chosen: zeros.clone(),
            reference_rejected: zeros.clone(),
            chosen_tokens: zeros.clone() + 1.0,
            rejected_tokens: zeros + 1.0,
        }
    }

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    #[test]
    fn the_loss_of_equal_policies_is_log_2() {
        let losses = values(per_comparison(&pairs(&[0.0], &Device::flex()), 0.1, 0.0));
        assert!((losses[0] - std::f32::consts::LN_2).abs() < 1e-7);
    }

    #[test]
    fn the_loss_equals_a_hand_calculation() {
        // delta = 10, beta = 0.1: log(1 + e^-1) = 0.313261687..., log(1 + e) = 1.313261687...
        let device = Device::flex();
        let plain = values(per_comparison(&pairs(&[10.0, -10.0], &device), 0.1, 0.0));
        assert!((plain[0] - 0.313_261_7).abs() < 1e-6);
        assert!((plain[1] - 1.313_261_7).abs() < 1e-6);
        let smooth = values(per_comparison(&pairs(&[10.0], &device), 0.1, 0.25));
        assert!((smooth[0] - (0.75 * 0.313_261_7 + 0.25 * 1.313_261_7)).abs() < 1e-6);
    }

    #[test]
    fn huge_log_ratios_give_finite_losses_and_gradients() {
        let device = Device::flex().autodiff();
        let delta = [-1e4, -90.0, -1e-4, 0.0, 1e-4, 90.0, 1e4];
        for eps in [0.0, 0.1] {
            let mut pairs = pairs(&delta, &device);
            pairs.policy_chosen = pairs.policy_chosen.require_grad();
            let loss = per_comparison(&pairs, 1.0, eps);
            let grads = loss.clone().sum().backward();
            let gradient = values(pairs.policy_chosen.grad(&grads).unwrap());
            for (i, (loss, slope)) in values(loss).into_iter().zip(gradient).enumerate() {
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

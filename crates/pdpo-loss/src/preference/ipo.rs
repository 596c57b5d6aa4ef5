//! IPO (Azar et al., arXiv 2310.12036, equation 17), on per-token means as TRL computes it.

use burn::tensor::Tensor;

use crate::PairLogProbs;

/// `(h - 1 / (2 beta))^2`, `[batch]`, with `h` the difference of the two log-ratios, each divided
/// by its response's token count.
pub(super) fn per_comparison(pairs: &PairLogProbs, beta: f64) -> Tensor<1> {
    let (chosen, rejected) = pairs.mean_log_ratios();
    (chosen - rejected - 1.0 / (2.0 * beta)).square()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_loss_equals_a_hand_calculation() {
        let device = Device::flex();
        let row = |value: f32| Tensor::<1>::from_floats([value], &device);
        let pairs = PairLogProbs {
            policy_chosen: row(-8.0),
            policy_rejected: row(-30.0),
            reference_chosen: row(-12.0),
            reference_rejected: row(-20.0),
            chosen_tokens: row(4.0),
            rejected_tokens: row(10.0),
        };
        // h = (-8 + 12) / 4 - (-30 + 20) / 10 = 2; 1 / (2 * 0.25) = 2; then 1 / (2 * 0.5) = 1.
        let loss = |beta| per_comparison(&pairs, beta).into_scalar::<f32>();
        assert_eq!(loss(0.25), 0.0);
        assert_eq!(loss(0.5), 1.0);
    }
}

//! What losses on single responses share.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::error::validate_factor;
use crate::{LossError, Pair, PairLogProbs};

/// `w_D (1 - sigma(g))` of liked responses and `w_U sigma(g)` of others, with `g` what a response gains; of each row the mean over
/// the responses that exist, `[rows]`.
pub(super) fn losses(
    pairs: &PairLogProbs,
    gains: Pair,
    [desirable, undesirable]: [f64; 2],
) -> Tensor<1> {
    let there = pairs.there();
    let liked = sigmoid(-gains.chosen) * desirable * there.chosen;
    let others = sigmoid(gains.rejected) * undesirable * there.rejected;
    (liked + others) / pairs.responses()
}

/// Refuses settings out of range.
pub(super) fn validate(beta: f64, [desirable, undesirable]: [f64; 2]) -> Result<(), LossError> {
    validate_factor("beta", beta)?;
    validate_factor("desirable_weight", desirable)?;
    validate_factor("undesirable_weight", undesirable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::tests::pair;
    use crate::{ApoZeroUnpaired, Kto, PairLoss};
    use burn::tensor::Device;

    /// A pair, a thumb up and a thumb down; log-ratios 2 and -1.
    fn rows(kl: Option<f32>) -> PairLogProbs {
        let device = Device::flex();
        let pairs = PairLogProbs::new(
            pair([-8.0, -8.0, 0.0], [-6.0, 0.0, -6.0], &device),
            Some(pair([-10.0, -10.0, 0.0], [-5.0, 0.0, -5.0], &device)),
            pair([3.0, 3.0, 0.0], [2.0, 0.0, 2.0], &device),
        );
        let pairs = pairs.unwrap();
        match kl {
            Some(kl) => pairs.with_kl(Tensor::full([3], kl, &device)).unwrap(),
            None => pairs,
        }
    }

    fn values(loss: &impl PairLoss, pairs: &PairLogProbs) -> Vec<f32> {
        let losses = loss.losses(pairs).unwrap();
        losses.try_into_vec_as::<f32>().unwrap()
    }

    #[test]
    fn a_row_counts_the_responses_that_it_has() {
        let loss = Kto {
            beta: 1.0,
            desirable_weight: 2.0,
            undesirable_weight: 3.0,
        };
        // sigma(-(2 - 1)) and sigma(-1 - 1), weighed.
        let (up, down) = (2.0 * 0.268_941_43, 3.0 * 0.119_202_92);
        for (found, expected) in
            values(&loss, &rows(Some(1.0)))
                .iter()
                .zip([(up + down) / 2.0, up, down])
        {
            assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
        }
    }

    #[test]
    fn apo_zero_unpaired_is_kto_without_its_kl_term() {
        let (kto, apo) = (Kto::default(), ApoZeroUnpaired::default());
        assert_eq!(values(&kto, &rows(Some(0.0))), values(&apo, &rows(None)));
        assert_eq!(kto.losses(&rows(None)).unwrap_err(), LossError::NoKl);
    }

    #[test]
    fn a_response_that_does_not_exist_has_no_reward() {
        let rewards = Kto::default().rewards(&rows(None)).unwrap();
        let chosen = rewards.chosen.try_into_vec_as::<f32>().unwrap();
        assert_eq!(chosen[2], 0.0);
        let right = rewards.accuracies.try_into_vec_as::<f32>().unwrap();
        assert_eq!(right, [1.0, 1.0, 1.0]);
    }
}

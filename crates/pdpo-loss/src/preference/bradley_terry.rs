//! The reward model's own loss (Bradley and Terry 1952; Ouyang et al., arXiv 2203.02155, equation 1).

use burn::tensor::Tensor;

use super::PairLoss;
use super::logistic::logistic;
use crate::error::validate_weight;
use crate::{LossError, PairLogProbs, Part, Rewards};

/// `-log sigma(r(y1) - r(y2)) + c (r(y1) + r(y2))^2` of scores: the [`PairLogProbs`] that it takes hold the rewards of a reward
/// model in the place of the policy's log-probabilities, so `[objective]` does not name it. Comparisons leave open what is added
/// to all rewards; the second term, of `center_rewards_coefficient` in TRL (arXiv 2312.09244, section 3), draws them around 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BradleyTerry {
    /// The weight `c`, 0 or above. Default 0.
    pub center_rewards_coefficient: f64,
}

impl PairLoss for BradleyTerry {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        Part::total(&self.parts(pairs)?)
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.policy().clone(), 1.0))
    }

    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        let scores = pairs.policy().clone();
        let mut parts = vec![Part::new(
            "preference",
            logistic(scores.clone().difference(), 0.0),
        )];
        if self.center_rewards_coefficient > 0.0 {
            let centre =
                (scores.chosen + scores.rejected).square() * self.center_rewards_coefficient;
            parts.push(Part::new("center", centre));
        }
        Ok(parts)
    }

    fn validate(&self) -> Result<(), LossError> {
        let (key, found) = (
            "center_rewards_coefficient",
            self.center_rewards_coefficient,
        );
        validate_weight(key, found)
    }

    fn needs_reference(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::pairs::tests::pair;
    use crate::{Branch, Objective, ScoredRow};

    /// Scores 1 and -1, then 0.5 and 2.
    fn rows(center: f64) -> Vec<ScoredRow> {
        let device = Device::flex();
        let scores = pair([1.0, 0.5], [-1.0, 2.0], &device);
        let pairs = PairLogProbs::new(scores, None, pair([1.0; 2], [1.0; 2], &device));
        let loss = BradleyTerry {
            center_rewards_coefficient: center,
        };
        let objective = Objective::new(loss, 0.5).unwrap();
        let evaluated = objective.evaluate(&pairs.unwrap(), &[Branch::User; 2]);
        evaluated.unwrap().rows().unwrap()
    }

    #[test]
    fn scores_are_rewards_and_their_difference_is_a_logit() {
        let rows = rows(0.0);
        // log(1 + e^-2) and log(1 + e^1.5).
        for (row, expected) in rows.iter().zip([0.126_928_01, 1.701_413_3]) {
            assert!((row.loss - expected).abs() < 1e-6, "{row:?}");
        }
        let rewards: Vec<[f32; 2]> = rows
            .iter()
            .map(|row| [row.reward_chosen, row.reward_rejected])
            .collect();
        assert_eq!(rewards, [[1.0, -1.0], [0.5, 2.0]]);
        assert_eq!([rows[0].correct(), rows[1].correct()], [true, false]);
    }

    #[test]
    fn centring_adds_the_square_of_the_sum() {
        let rows = rows(0.1);
        // (1 - 1)^2 and (0.5 + 2)^2, weighing 0.1.
        for (row, centre) in rows.iter().zip([0.0, 0.625]) {
            let names: Vec<_> = row.parts.iter().map(|part| part.0).collect();
            assert_eq!(names, ["preference", "center"]);
            assert!((row.parts[1].1 - centre).abs() < 1e-6, "{row:?}");
            assert!((row.loss - row.parts[0].1 - centre).abs() < 1e-6);
        }
    }

    #[test]
    fn a_weight_below_0_is_refused_by_its_key() {
        let loss = BradleyTerry {
            center_rewards_coefficient: -1.0,
        };
        let error = Objective::new(loss, 0.5).unwrap_err().to_string();
        assert!(
            error.starts_with("`center_rewards_coefficient` is -1,"),
            "{error}"
        );
    }
}

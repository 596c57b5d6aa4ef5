//! What texts are worth to users by a reward model, and which of them most.

use super::Engine;
use crate::dataset::Dataset;
use crate::error::TrainError;
use crate::progress::Progress;
use crate::task::Reward;

impl Engine {
    /// What the preferred response of each text is worth to its user, or to the generic user where the policy does not know them. `texts`
    /// are of [`dataset`](Self::dataset); a response alone is a thumb up.
    ///
    /// # Errors
    /// As [`score`](Self::score), or a reward that is no finite number.
    pub fn rewards(
        &self,
        task: &Reward,
        texts: &Dataset,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError> {
        let examples = texts.examples(self.table());
        let scored = self.score(task, &examples, progress)?;
        let rewards = scored.into_iter().map(|row| row.reward_chosen).enumerate();
        rewards
            .map(|(at, reward)| match reward.is_finite() {
                true => Ok(reward),
                false => Err(TrainError::Usage(format!(
                    "text {at} has a reward of {reward}: the adapters are broken or not made for this model"
                ))),
            })
            .collect()
    }
}

/// The place of the first of the highest rewards; none where there are none.
pub fn best(rewards: &[f32]) -> Option<usize> {
    let mut at = 0;
    for (other, reward) in rewards.iter().enumerate() {
        if *reward > rewards[at] {
            at = other;
        }
    }
    (!rewards.is_empty()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_best_is_chosen() {
        assert_eq!(best(&[0.5, 2.0, 2.0]), Some(1));
        assert_eq!(best(&[-1.0, -3.0]), Some(0));
        assert_eq!(best(&[]), None);
    }
}

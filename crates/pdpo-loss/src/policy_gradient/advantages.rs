//! How much better a response is than the others to the same prompt.

/// Added to a standard deviation before it divides, as in TRL.
const LEAST: f64 = 1e-4;

/// `r_i` less the mean of the other rewards of its group (RLOO, arXiv 2402.14740, equation 8); 0 in a group of one.
pub fn leave_one_out(rewards: &[f64], group: usize) -> Vec<f64> {
    let of_group = |rewards: &[f64]| -> Vec<f64> {
        let (sum, others) = (rewards.iter().sum::<f64>(), rewards.len() as f64 - 1.0);
        let advantage = |reward: &f64| match others > 0.0 {
            true => reward - (sum - reward) / others,
            false => 0.0,
        };
        rewards.iter().map(advantage).collect()
    };
    rewards.chunks(group.max(1)).flat_map(of_group).collect()
}

/// `r_i` less the mean of its group, divided by a standard deviation if `by` tells one for this group (GRPO, arXiv 2402.03300,
/// section 4.1.2).
pub fn against_group(
    rewards: &[f64],
    group: usize,
    by: impl Fn(&[f64]) -> Option<f64>,
) -> Vec<f64> {
    let of_group = |rewards: &[f64]| -> Vec<f64> {
        let middle = mean(rewards);
        let divisor = by(rewards).map_or(1.0, |spread| spread + LEAST);
        let advantage = |reward: &f64| (reward - middle) / divisor;
        rewards.iter().map(advantage).collect()
    };
    rewards.chunks(group.max(1)).flat_map(of_group).collect()
}

/// Advantages with mean 0 and standard deviation 1 over the batch.
pub fn standardised(advantages: &[f64]) -> Vec<f64> {
    against_group(advantages, advantages.len(), |all| Some(deviation(all)))
}

/// The unbiased standard deviation; 0 of one number.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares = values.iter().map(|value| (value - middle).powi(2));
    match values.len() {
        0 | 1 => 0.0,
        count => (squares.sum::<f64>() / (count as f64 - 1.0)).sqrt(),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_compared_with_the_others_of_its_group() {
        // 1 - (2 + 6) / 2, 2 - (1 + 6) / 2, 6 - (1 + 2) / 2; then a group of its own.
        let found = leave_one_out(&[1.0, 2.0, 6.0, 5.0, 5.0, 5.0], 3);
        assert_eq!(found, [-3.0, -1.5, 4.5, 0.0, 0.0, 0.0]);
        assert_eq!(leave_one_out(&[7.0], 1), [0.0]);
        assert!(leave_one_out(&[], 2).is_empty());
    }

    #[test]
    fn a_group_of_equal_rewards_has_no_advantages_and_no_infinite_ones() {
        let found = against_group(&[0.5; 4], 4, |group| Some(deviation(group)));
        assert_eq!(found, [0.0; 4]);
        // Rewards 1 and 3: a mean of 2 and a standard deviation of sqrt(2).
        let found = against_group(&[1.0, 3.0], 2, |group| Some(deviation(group)));
        let expected = 1.0 / (2.0_f64.sqrt() + 1e-4);
        assert!((found[1] - expected).abs() < 1e-12 && found[0] == -found[1]);
    }

    #[test]
    fn a_standardised_batch_has_mean_0_and_deviation_1() {
        let found = standardised(&[3.0, -1.0, 4.0, -6.0]);
        assert!(mean(&found).abs() < 1e-12);
        assert!((deviation(&found) - 1.0).abs() < 1e-4);
    }
}

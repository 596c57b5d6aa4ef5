//! The few statistics a report needs: pure functions, tested against hand calculations.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard error of the mean: sample standard deviation (divisor n - 1) over the root of n. `None` for fewer than two
/// values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (n - 1.0) / n).sqrt())
}

/// Wilson's 95 % interval of a proportion (Wilson 1927). `None` when `n` is 0 or less than `successes`.
///
/// Unlike the normal interval it stays within 0..1 and has a width at 0 and at 1.
pub fn wilson(successes: u64, n: u64) -> Option<Interval> {
    if n == 0 || successes > n {
        return None;
    }
    let (count, p) = (n as f64, successes as f64 / n as f64);
    let scale = 1.0 + Z * Z / count;
    let centre = (p + Z * Z / (2.0 * count)) / scale;
    let half = Z / scale * (p * (1.0 - p) / count + Z * Z / (4.0 * count * count)).sqrt();
    Some(Interval {
        // Exact at the ends, where rounding would put the proportion outside its own interval.
        low: if successes == 0 { 0.0 } else { centre - half },
        high: if successes == n { 1.0 } else { centre + half },
    })
}

/// 95 % percentile bootstrap interval over users: `statistic` of `resamples` draws of as many users, with replacement.
///
/// The draws depend on `seed` and the number of users only. A draw whose statistic is `None` or not finite is left out;
/// `None` when no draw remains. For a paired comparison of two systems let a user hold both values and the statistic be
/// their difference.
pub fn bootstrap<U>(
    users: &[U],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[&U]) -> Option<f64>,
) -> Option<Interval> {
    if users.is_empty() {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut found: Vec<f64> = (0..resamples)
        .map(|_| {
            (0..users.len())
                .map(|_| &users[rng.random_range(0..users.len())])
                .collect::<Vec<&U>>()
        })
        .filter_map(|draw| statistic(&draw))
        .filter(|value| value.is_finite())
        .collect();
    found.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile(&found, 0.025)?,
        high: quantile(&found, 0.975)?,
    })
}

/// [`bootstrap`] of the mean of one value per user.
pub fn bootstrap_mean(values: &[f64], resamples: usize, seed: u64) -> Option<Interval> {
    bootstrap(values, resamples, seed, |draw| {
        mean(&draw.iter().map(|value| **value).collect::<Vec<_>>())
    })
}

/// [`bootstrap`] of a pooled proportion: each user is `(correct, n)`, and a draw's value is all correct over all n.
pub fn bootstrap_pooled(users: &[(u64, u64)], resamples: usize, seed: u64) -> Option<Interval> {
    bootstrap(users, resamples, seed, |draw| {
        let (correct, n) = draw
            .iter()
            .fold((0, 0), |sum, user| (sum.0 + user.0, sum.1 + user.1));
        (n > 0).then(|| correct as f64 / n as f64)
    })
}

/// Quantile of sorted values by linear interpolation (the `type 7` of Hyndman and Fan, numpy's default).
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }

    #[test]
    fn mean_and_standard_error_equal_the_hand_calculation() {
        // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 32, sample variance 32/7, se = sqrt(32/7/8) = sqrt(4/7).
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), Some(5.0));
        close(standard_error(&values).unwrap(), (4.0_f64 / 7.0).sqrt());
    }

    #[test]
    fn too_few_values_give_none_and_not_zero() {
        assert_eq!(mean(&[]), None);
        assert_eq!(standard_error(&[1.0]), None);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(3, 2), None);
        assert_eq!(bootstrap_mean(&[], 100, 1), None);
        assert_eq!(bootstrap_mean(&[1.0], 0, 1), None);
        assert_eq!(bootstrap_pooled(&[(0, 0)], 100, 1), None);
    }

    #[test]
    fn wilson_equals_the_textbook_values() {
        // 8 of 10: centre (0.8 + 0.19207) / 1.38415 = 0.71674, half width 0.22658.
        let interval = wilson(8, 10).unwrap();
        close(interval.low, 0.4902);
        close(interval.high, 0.9433);
        // 0 of 10: upper end z^2 / (10 + z^2) = 3.84146 / 13.84146.
        let none = wilson(0, 10).unwrap();
        assert_eq!(none.low, 0.0);
        close(none.high, 3.84146 / 13.84146);
        let all = wilson(10, 10).unwrap();
        close(all.low, 10.0 / 13.84146);
        assert_eq!(all.high, 1.0);
    }

    #[test]
    fn quantiles_interpolate() {
        // Position 0.025 * 4 = 0.1 between 10 and 20.
        close(
            quantile(&[10.0, 20.0, 30.0, 40.0, 50.0], 0.025).unwrap(),
            11.0,
        );
        close(
            quantile(&[10.0, 20.0, 30.0, 40.0, 50.0], 0.5).unwrap(),
            30.0,
        );
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn bootstrap_depends_on_the_seed_alone() {
        let values = [0.1, 0.4, 0.5, 0.9, 1.0];
        assert_eq!(
            bootstrap_mean(&values, 500, 7),
            bootstrap_mean(&values, 500, 7)
        );
        assert_ne!(
            bootstrap_mean(&values, 500, 7),
            bootstrap_mean(&values, 500, 8)
        );
    }

    #[test]
    fn bootstrap_of_a_constant_has_no_width() {
        assert_eq!(
            bootstrap_mean(&[0.5; 6], 200, 3),
            Some(Interval {
                low: 0.5,
                high: 0.5
            })
        );
    }

    #[test]
    fn bootstrap_of_coin_flips_is_about_the_normal_interval() {
        // 50 zeros and 50 ones: 0.5 +- 1.96 * 0.05.
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let interval = bootstrap_mean(&values, 4000, 11).unwrap();
        assert!(
            (interval.low - 0.402).abs() < 0.02 && (interval.high - 0.598).abs() < 0.02,
            "{interval:?}"
        );
    }

    #[test]
    fn pooled_bootstrap_weights_users_by_their_comparisons() {
        // Two users, 90 of 90 and 0 of 10: the draws give 1, 0.9 or 0; the ends are 0 and 1.
        let interval = bootstrap_pooled(&[(90, 90), (0, 10)], 1000, 5).unwrap();
        assert_eq!(
            interval,
            Interval {
                low: 0.0,
                high: 1.0
            }
        );
    }
}

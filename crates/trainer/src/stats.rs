//! The few statistics that evaluations and reports need: pure functions, tested against hand calculations.
//!
//! Every random draw comes from [`ChaCha8Rng`] (crate `rand_chacha`, the same on all platforms), seeded by
//! `seed_from_u64`; an index below `n` is `random_range(0..n)`.

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

impl Interval {
    /// Whether `value` lies in it, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (divisor n - 1); `None` for fewer than two values.
pub fn sample_sd(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() as f64 - 1.0)).sqrt())
}

/// Standard error of the mean: [`sample_sd`] over the root of n. `None` for fewer than two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    Some(sample_sd(values)? / (values.len() as f64).sqrt())
}

/// Wilson's 95 % interval of a proportion (Wilson 1927). `None` when `n` is 0 or less than `successes`.
///
/// Unlike the normal interval it stays within 0..1 and has a width at 0 and at 1. It takes the trials for independent.
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

/// Percentile, `percent` of 0..=100, of values in any order, by linear interpolation (`type 7` of Hyndman and Fan,
/// numpy's default). `None` of nothing, or for another percentage.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (0.0..=100.0)
        .contains(&percent)
        .then(|| quantile(&sorted, percent / 100.0))?
}

/// 95 % percentile bootstrap interval over users: `statistic` of `resamples` draws of as many users, with replacement.
///
/// The draws depend on `seed` and the number of users only. A draw whose statistic is `None` or not finite is left out;
/// `None` when no draw remains.
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
    let draws = (0..resamples).map(|_| draw(users, &mut rng));
    ends(draws.filter_map(|draw| statistic(&draw)).collect())
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

/// A difference of two systems on the same comparisons, second minus first, over all comparisons and over users.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Mean over comparisons.
    pub pooled: f64,
    /// Its 95 % interval.
    pub pooled_interval: Interval,
    /// Mean over users of each user's mean.
    pub over_users: f64,
    /// Its 95 % interval.
    pub over_users_interval: Interval,
}

/// Paired bootstrap in two stages: each of `resamples` draws takes as many users, with replacement, and of every user
/// drawn as many comparisons, with replacement. A user is a list of `[first, second]` values of the two systems on one
/// comparison, so that both always meet the same draw. Users without comparisons are left out; `None` when no user or no
/// draw remains.
///
/// The second stage makes the intervals wide rather than narrow (Davison and Hinkley 1997, section 3.8).
pub fn paired_bootstrap(
    users: &[Vec<[f64; 2]>],
    resamples: usize,
    seed: u64,
) -> Option<PairedDifference> {
    let differences: Vec<Vec<f64>> = users
        .iter()
        .filter(|user| !user.is_empty())
        .map(|user| user.iter().map(|[first, second]| second - first).collect())
        .collect();
    let means = |users: &[Vec<f64>]| {
        let each: Vec<f64> = users.iter().filter_map(|user| mean(user)).collect();
        Some((mean(&users.concat())?, mean(&each)?))
    };
    let (pooled, over_users) = means(&differences)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut all_pooled, mut all_over_users) = (Vec::new(), Vec::new());
    for _ in 0..resamples {
        let drawn = draw(&differences, &mut rng);
        let users: Vec<Vec<f64>> = drawn
            .into_iter()
            .map(|user| draw(user, &mut rng).into_iter().copied().collect())
            .collect();
        let (pooled, over_users) = means(&users)?;
        all_pooled.push(pooled);
        all_over_users.push(over_users);
    }
    Some(PairedDifference {
        pooled,
        pooled_interval: ends(all_pooled)?,
        over_users,
        over_users_interval: ends(all_over_users)?,
    })
}

/// As many of `items`, with replacement.
fn draw<'a, T>(items: &'a [T], rng: &mut ChaCha8Rng) -> Vec<&'a T> {
    (0..items.len())
        .map(|_| &items[rng.random_range(0..items.len())])
        .collect()
}

/// From the 2.5 % to the 97.5 % quantile of what is finite.
fn ends(mut values: Vec<f64>) -> Option<Interval> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile(&values, 0.025)?,
        high: quantile(&values, 0.975)?,
    })
}

/// Quantile of sorted values, `q` of 0..=1, as [`percentile`].
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

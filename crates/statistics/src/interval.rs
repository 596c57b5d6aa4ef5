//! Intervals, and that of a proportion.

use serde::{Deserialize, Serialize};

use crate::quantiles::quantile;

/// The 97.5 % quantile of the normal distribution.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

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

    /// Whether what this is the interval of lies from `low` to `high`: yes if all of it does, no if none of it does, else open.
    pub fn lies_in(&self, low: f64, high: f64) -> Option<bool> {
        let (inside, outside) = (
            low <= self.low && self.high <= high,
            self.high < low || high < self.low,
        );
        (inside || outside).then_some(inside)
    }

    /// Whether what this is the interval of is more than `bound`: yes if all of it is, no if none of it is, else open.
    pub fn is_above(&self, bound: f64) -> Option<bool> {
        let (above, not_above) = (self.low > bound, self.high <= bound);
        (above || not_above).then_some(above)
    }

    /// From the 2.5 % to the 97.5 % quantile of what is finite; `None` if nothing is.
    pub(crate) fn of_draws(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        Some(Self {
            low: quantile(&values, 0.025)?,
            high: quantile(&values, 0.975)?,
        })
    }
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

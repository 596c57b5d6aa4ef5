//! Two systems on the same comparisons.

use serde::{Deserialize, Serialize};

use crate::clustered::Cluster;
use crate::{Bootstrap, Interval, mean};

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
/// drawn as many comparisons, with replacement ([`Bootstrap::clustered`]). A user is a list of `[first, second]` values of the two systems on one
/// comparison, so that both always meet the same draw. Users without comparisons are left out; `None` with fewer than two comparisons, or without draws.
pub fn paired_bootstrap(
    users: &[Vec<[f64; 2]>],
    resamples: usize,
    seed: u64,
) -> Option<PairedDifference> {
    let difference = |[first, second]: &[f64; 2]| vec![second - first];
    let cluster = |user: &Vec<[f64; 2]>| -> Cluster<f64> { user.iter().map(difference).collect() };
    let users: Vec<Cluster<f64>> = users.iter().map(cluster).collect();
    let draws = resamples;
    let [pooled, over_users] = Bootstrap { draws, seed }.clustered(&[users], means)?;
    Some(PairedDifference {
        pooled: pooled.value,
        pooled_interval: pooled.interval,
        over_users: over_users.value,
        over_users_interval: over_users.interval,
    })
}

/// Means over all values of all strata, and over clusters of each one's mean; no number where there are none.
pub fn means(strata: &[Vec<Vec<f64>>]) -> [f64; 2] {
    let clusters = || strata.iter().flatten();
    let all: Vec<f64> = clusters().flatten().copied().collect();
    let each: Vec<f64> = clusters().filter_map(|cluster| mean(cluster)).collect();
    [&all, &each].map(|values| mean(values).unwrap_or(f64::NAN))
}

//! Two systems on the same comparisons.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::bootstrap::draw;
use crate::{Interval, mean};

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
    let (pooled, over_users) = means(&differences)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut all_pooled, mut all_over_users) = (Vec::new(), Vec::new());
    for _ in 0..resamples {
        let drawn = draw(&differences, &mut random);
        let users: Vec<Vec<f64>> = drawn
            .into_iter()
            .map(|user| draw(user, &mut random).into_iter().copied().collect())
            .collect();
        let (pooled, over_users) = means(&users)?;
        all_pooled.push(pooled);
        all_over_users.push(over_users);
    }
    Some(PairedDifference {
        pooled,
        pooled_interval: Interval::of_draws(all_pooled)?,
        over_users,
        over_users_interval: Interval::of_draws(all_over_users)?,
    })
}

/// Over comparisons, and over users.
fn means(users: &[Vec<f64>]) -> Option<(f64, f64)> {
    let each: Vec<f64> = users.iter().filter_map(|user| mean(user)).collect();
    Some((mean(&users.concat())?, mean(&each)?))
}

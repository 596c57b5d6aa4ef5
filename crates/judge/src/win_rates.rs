//! Win rates: ours, and by the two conventions of the P-RLHF paper.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statistics::{Bootstrap, population_standard_error};

use crate::counts::Counts;
use crate::verdict::Verdict;

/// A figure, how sure it is, and where it would lie with other users.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure, from 0 to 1.
    pub value: f64,
    /// Population standard deviation over users / sqrt(users), as in the paper. None for a figure over samples, or with
    /// fewer than two users.
    pub standard_error: Option<f64>,
    /// The lower end of the 95 % bootstrap over users; none with fewer than two users.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

/// One user's rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UserRates {
    /// What they are made of.
    pub counts: Counts,
    /// Ties as half.
    pub win_rate: f64,
    /// The P-SOUPS protocol: wins / items.
    pub psoups: f64,
    /// The PRISM protocol's share: (wins + ties) / items.
    pub prism_share: f64,
}

/// The win rates of one system over another. A figure is none if nothing was judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WinRates {
    /// All items.
    pub counts: Counts,
    /// Over samples, ties as half.
    pub per_sample: Option<Estimate>,
    /// Mean over users of their rates, ties as half.
    pub per_user: Option<Estimate>,
    /// The P-SOUPS protocol: mean over users of wins / items. Both systems may stay below a half.
    pub psoups: Option<Estimate>,
    /// The PRISM protocol over samples: (wins + ties) / (wins + losses + 2 ties).
    pub prism_per_sample: Option<Estimate>,
    /// The PRISM protocol over users: those with (wins + ties) / items of a half or more. Both systems may exceed a half.
    pub prism_per_user: Option<Estimate>,
    /// By user.
    pub users: BTreeMap<String, UserRates>,
}

impl WinRates {
    /// The rates of verdicts, each with its user.
    pub fn of<U: AsRef<str>>(verdicts: &[(U, Verdict)]) -> Self {
        Self::with_bootstrap(verdicts, Bootstrap::default())
    }

    /// The same with intervals from other draws.
    pub fn with_bootstrap<U: AsRef<str>>(verdicts: &[(U, Verdict)], bootstrap: Bootstrap) -> Self {
        let mut users = BTreeMap::<String, Counts>::new();
        for (user, verdict) in verdicts {
            users.entry(user.as_ref().into()).or_default().add(*verdict);
        }
        if users.is_empty() {
            return Self::default();
        }
        let counts: Vec<Counts> = users.values().copied().collect();
        let [
            per_sample,
            per_user,
            psoups,
            prism_per_sample,
            prism_per_user,
        ] = estimates(&counts, bootstrap).map(Some);
        Self {
            counts: counts.iter().sum(),
            per_sample,
            per_user,
            psoups,
            prism_per_sample,
            prism_per_user,
            users: users
                .into_iter()
                .map(|(user, counts)| (user, UserRates::of(counts)))
                .collect(),
        }
    }
}

impl UserRates {
    fn of(counts: Counts) -> Self {
        Self {
            counts,
            win_rate: counts.win_rate(),
            psoups: counts.psoups(),
            prism_share: counts.prism_share(),
        }
    }
}

type OfAUser = fn(&Counts) -> f64;

/// How each figure over users is made from one user; none for the figures over samples.
const OF_A_USER: [Option<OfAUser>; 5] = [
    None,
    Some(Counts::win_rate),
    Some(Counts::psoups),
    None,
    Some(Counts::prism_won_or_tied),
];

/// `users` is not empty, and each has an item.
fn figures(users: &[Counts]) -> [f64; 5] {
    let all: Counts = users.iter().sum();
    let mean = |of: OfAUser| users.iter().map(of).sum::<f64>() / users.len() as f64;
    [
        all.win_rate(),
        mean(Counts::win_rate),
        mean(Counts::psoups),
        all.prism(),
        mean(Counts::prism_won_or_tied),
    ]
}

fn estimates(users: &[Counts], bootstrap: Bootstrap) -> [Estimate; 5] {
    let values = figures(users);
    let intervals = bootstrap.intervals(users, figures);
    std::array::from_fn(|figure| Estimate {
        value: values[figure],
        standard_error: OF_A_USER[figure].and_then(|of| {
            let values: Vec<f64> = users.iter().map(of).collect();
            population_standard_error(&values)
        }),
        low: intervals.map(|intervals| intervals[figure].low),
        high: intervals.map(|intervals| intervals[figure].high),
    })
}

#[cfg(test)]
mod tests;

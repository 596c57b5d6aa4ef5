//! Wins, losses and ties.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// How often we won, lost and tied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Items where ours is preferred.
    pub wins: u64,
    /// Items where theirs is preferred.
    pub losses: u64,
    /// Items where neither is.
    pub ties: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Win => self.wins += 1,
            Verdict::Loss => self.losses += 1,
            Verdict::Tie => self.ties += 1,
        }
    }

    /// All items.
    pub fn items(&self) -> u64 {
        self.wins + self.losses + self.ties
    }

    /// Ties as half a win: `(wins + ties / 2) / items`. NaN without items.
    pub fn win_rate(&self) -> f64 {
        (self.wins as f64 + self.ties as f64 / 2.0) / self.items() as f64
    }

    /// The P-SOUPS protocol, a tie is no win: `wins / items`. NaN without items.
    pub fn psoups(&self) -> f64 {
        self.wins as f64 / self.items() as f64
    }

    /// The PRISM protocol's rate of samples, a tie is a win for both: `(wins + ties) / (wins + losses + 2 ties)`. NaN
    /// without items.
    pub fn prism(&self) -> f64 {
        (self.wins + self.ties) as f64 / (self.items() + self.ties) as f64
    }

    /// The PRISM protocol's share of a user's items, ties as wins for our side: `(wins + ties) / items`. NaN without
    /// items.
    pub fn prism_share(&self) -> f64 {
        (self.wins + self.ties) as f64 / self.items() as f64
    }

    /// The PRISM protocol's verdict on a user: 1 if the share is a half or more, else 0.
    pub fn prism_won_or_tied(&self) -> f64 {
        f64::from(u8::from(2 * (self.wins + self.ties) >= self.items()))
    }
}

impl<'a> Sum<&'a Counts> for Counts {
    fn sum<I: Iterator<Item = &'a Counts>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, next| Self {
            wins: sum.wins + next.wins,
            losses: sum.losses + next.losses,
            ties: sum.ties + next.ties,
        })
    }
}

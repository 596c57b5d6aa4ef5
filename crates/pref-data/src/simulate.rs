//! Simulated judgements: some workers prefer the longer summary, the others the shorter one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tldr::TldrRecord;
use crate::types::Comparison;

/// The reason under which records with two equal texts are counted.
pub const EQUAL_TEXTS: &str = "the two summaries are equal";

/// What a simulated worker prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The longer text.
    Majority,
    /// The shorter text.
    Minority,
}

impl Kind {
    /// `majority` or `minority`, as in [`Comparison::group`].
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Majority => "majority",
            Kind::Minority => "minority",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The comparison as a worker of this kind decides it (reference 4.1, step 4): by the number of Unicode characters of
/// the summary's text as published; of two equally long texts the first is chosen by both kinds. The human choice is not
/// looked at. `None` if the two texts are equal; the caller counts them under [`EQUAL_TEXTS`].
pub fn simulate(record: &TldrRecord, kind: Kind) -> Option<Comparison> {
    let [first, second] = &record.summaries;
    let (first, second) = (first.text.chars().count(), second.text.chars().count());
    let chosen = match kind {
        Kind::Majority => usize::from(second > first),
        Kind::Minority => usize::from(second < first),
    };
    let comparison = record.comparison(chosen)?;
    Some(Comparison {
        group: Some(kind.as_str().to_owned()),
        ..comparison
    })
}

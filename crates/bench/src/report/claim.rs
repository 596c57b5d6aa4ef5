//! Claims of the paper, and what decides them.

use serde::{Deserialize, Serialize};
use statistics::Estimated;

/// Whether a claim of the paper was seen: decided by intervals, so that chance decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// `None` where an interval reaches over a bound, or where a figure is missing.
    pub holds: Option<bool>,
    /// How far it holds, for a claim of several grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// What decides it; empty where it was not measured.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The same in a sentence.
    pub text: String,
}

/// A figure that decides a claim.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Of which system.
    pub system: String,
    /// What it is, with its unit.
    pub what: String,
    /// The figure.
    pub value: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Whether it lies where the claim says, with all of its interval; `None` where the interval reaches over the bound.
    pub holds: Option<bool>,
}

impl Finding {
    /// A figure that lies where the claim says, or does not.
    pub fn new(system: &str, what: &str, figure: Estimated, holds: Option<bool>) -> Self {
        Self {
            system: system.into(),
            what: what.into(),
            value: figure.value,
            low: figure.interval.low,
            high: figure.interval.high,
            holds,
        }
    }
}

impl Claim {
    /// A claim that lacks a figure.
    pub fn not_measured(why: &str) -> Self {
        Self {
            text: why.into(),
            ..Self::default()
        }
    }

    /// `holds`, `holds as in the paper`, `does not hold`, `undecided` or `not measured`.
    pub fn verdict(&self) -> String {
        match (self.holds, &self.grade) {
            (Some(true), Some(grade)) => format!("holds {grade}"),
            (Some(true), None) => "holds".into(),
            (Some(false), _) => "does not hold".into(),
            (None, _) if self.findings.is_empty() => "not measured".into(),
            (None, _) => "undecided".into(),
        }
    }
}

/// Whether several things hold together: not if one does not, else open if one is.
pub(crate) fn all(holds: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut together = Some(true);
    for one in holds {
        match one {
            Some(false) => return Some(false),
            None => together = None,
            Some(true) => {}
        }
    }
    together
}

/// Whether one of several things holds: if one does, else open if one is.
pub(crate) fn any(holds: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let not = |one: Option<bool>| one.map(|holds| !holds);
    not(all(holds.into_iter().map(not)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_outweighs_one_that_is_open() {
        assert_eq!(all([Some(true), Some(true)]), Some(true));
        assert_eq!(all([Some(true), None]), None);
        assert_eq!(all([None, Some(false), Some(true)]), Some(false));
        assert_eq!(any([Some(false), Some(false)]), Some(false));
        assert_eq!(any([Some(false), None]), None);
        assert_eq!(any([None, Some(true), Some(false)]), Some(true));
    }

    #[test]
    fn a_claim_without_figures_was_not_measured() {
        let mut claim = Claim::not_measured("no unseen worker");
        assert_eq!(claim.verdict(), "not measured");
        claim.findings.push(Finding::default());
        assert_eq!(claim.verdict(), "undecided");
        claim.holds = Some(true);
        claim.grade = Some("in the direction".into());
        assert_eq!(claim.verdict(), "holds in the direction");
    }
}

//! The account of what was left out.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// One reason for leaving records out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SkippedReason {
    count: u64,
    /// Where the first one was, as `file:line` or by the name of its source.
    first: String,
}

/// How many records were left out, by reason. Reasons are short sentences, the same for every record of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Skipped {
    reasons: BTreeMap<String, SkippedReason>,
}

impl Skipped {
    /// Counts one record.
    pub fn add(&mut self, reason: &str, place: impl fmt::Display) {
        if let Some(entry) = self.reasons.get_mut(reason) {
            entry.count += 1;
            return;
        }
        let first = place.to_string();
        self.reasons
            .insert(reason.to_owned(), SkippedReason { count: 1, first });
    }

    /// Records left out for one reason.
    pub fn count(&self, reason: &str) -> u64 {
        self.reasons.get(reason).map_or(0, |entry| entry.count)
    }

    /// Records left out in all.
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|entry| entry.count).sum()
    }

    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Reasons in alphabetical order.
    fn iter(&self) -> impl Iterator<Item = (&str, &SkippedReason)> {
        self.reasons
            .iter()
            .map(|(reason, entry)| (reason.as_str(), entry))
    }

    /// The reasons, in alphabetical order.
    #[cfg(test)]
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.iter().map(|(reason, _)| reason).collect()
    }

    /// Adds the counts of another account.
    pub fn merge(&mut self, other: &Skipped) {
        for (reason, entry) in other.iter() {
            match self.reasons.get_mut(reason) {
                Some(mine) => mine.count += entry.count,
                None => {
                    self.reasons.insert(reason.to_owned(), entry.clone());
                }
            }
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "nothing left out");
        }
        for (n, (reason, entry)) in self.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            let SkippedReason { count, first } = entry;
            write!(f, "{separator}{count} left out: {reason} (first: {first})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_reason_and_names_the_first_place() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.to_string(), "nothing left out");
        skipped.add("equal texts", "a:1");
        skipped.add("equal texts", "a:7");
        let mut more = Skipped::default();
        more.add("equal texts", "b:2");
        more.add("no worker", "b:3");
        skipped.merge(&more);
        assert_eq!(skipped.count("equal texts"), 3);
        assert_eq!(skipped.total(), 4);
        assert_eq!(
            skipped.to_string(),
            "3 left out: equal texts (first: a:1)\n1 left out: no worker (first: b:3)"
        );
    }
}

//! The account of what was left out, or read otherwise than it stands.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// One reason, for leaving records out or for reading them otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SkippedReason {
    count: u64,
    /// Where the first one was, as `file:line` or by the name of its source.
    first: String,
}

/// How many records were left out, by reason, and notes of what else a reader should know: files passed over, records read
/// otherwise than they stand. Reasons are short sentences, the same for every record of a kind. Only reasons are serialised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Skipped {
    reasons: Counts,
    #[serde(skip)]
    notes: Counts,
}

impl Skipped {
    /// Counts one record.
    pub fn add(&mut self, reason: &str, place: impl fmt::Display) {
        count(&mut self.reasons, reason, place);
    }

    /// Counts a record that was kept, or a file, of which something must be said.
    pub fn note(&mut self, what: &str, place: impl fmt::Display) {
        count(&mut self.notes, what, place);
    }

    /// The notes in alphabetical order, each with its count and the first place.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.notes.iter();
        notes
            .map(|(what, SkippedReason { count, first })| {
                format!("{count} x {what} (first: {first})")
            })
            .collect()
    }

    /// Records left out for one reason.
    pub fn count(&self, reason: &str) -> u64 {
        self.reasons.get(reason).map_or(0, |entry| entry.count)
    }

    /// Records left out in all.
    pub fn total(&self) -> u64 {
        self.reasons.values().map(|entry| entry.count).sum()
    }

    /// Whether no record was left out.
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
        merge(&mut self.reasons, &other.reasons);
        merge(&mut self.notes, &other.notes);
    }
}

type Counts = BTreeMap<String, SkippedReason>;

fn count(counts: &mut Counts, what: &str, place: impl fmt::Display) {
    if let Some(entry) = counts.get_mut(what) {
        entry.count += 1;
        return;
    }
    let first = place.to_string();
    counts.insert(what.to_owned(), SkippedReason { count: 1, first });
}

fn merge(counts: &mut Counts, others: &Counts) {
    for (what, entry) in others {
        match counts.get_mut(what) {
            Some(mine) => mine.count += entry.count,
            None => {
                counts.insert(what.clone(), entry.clone());
            }
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left_out = self.iter().map(|(reason, SkippedReason { count, first })| {
            format!("{count} left out: {reason} (first: {first})")
        });
        let mut lines: Vec<String> = left_out.collect();
        if lines.is_empty() {
            lines.push("nothing left out".into());
        }
        lines.extend(self.notes());
        f.write_str(&lines.join("\n"))
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

    #[test]
    fn notes_stand_below_what_was_left_out() {
        let mut skipped = Skipped::default();
        skipped.note("file passed over", "a/README.md");
        assert!(skipped.is_empty());
        let mut more = Skipped::default();
        more.note("file passed over", "b/notes.txt");
        skipped.merge(&more);
        let expected = "nothing left out\n2 x file passed over (first: a/README.md)";
        assert_eq!(skipped.to_string(), expected);
        assert_eq!(serde_json::to_string(&skipped).unwrap(), "{}");
    }
}

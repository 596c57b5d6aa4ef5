//! What a PRISM data set holds, as plain text.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::PrismData;
use crate::comparison::{Comparison, UserId};
use crate::skipped::Skipped;

/// One part of the split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PartCounts {
    /// Users with comparisons.
    pub users: usize,
    /// Dialogues with comparisons.
    pub dialogues: usize,
    /// Turns with comparisons.
    pub turns: usize,
    /// Comparisons.
    pub comparisons: usize,
}

impl PartCounts {
    fn of<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>) -> Self {
        let (mut users, mut dialogues) = (BTreeSet::new(), BTreeSet::new());
        let (mut turns, mut count) = (0, 0);
        let mut last = None;
        for comparison in comparisons {
            users.insert(&comparison.user);
            dialogues.insert(&comparison.source);
            let turn = Some((&comparison.source, &comparison.prompt));
            turns += usize::from(turn != last);
            last = turn;
            count += 1;
        }
        Self {
            users: users.len(),
            dialogues: dialogues.len(),
            turns,
            comparisons: count,
        }
    }
}

/// Users, dialogues, turns and comparisons by part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrismStats {
    /// Dialogues read.
    pub read: usize,
    /// Seen users.
    pub seen: usize,
    /// Unseen users.
    pub unseen: usize,
    /// Users with a survey who finished a conversation.
    pub profiles: usize,
    /// Trained on.
    pub train: PartCounts,
    /// For all choices.
    pub validation: PartCounts,
    /// Test dialogues of seen users.
    pub test_seen: PartCounts,
    /// Dialogues of unseen users.
    pub test_unseen: PartCounts,
    /// What was left out.
    pub skipped: Skipped,
}

impl PrismStats {
    pub(super) fn of(data: &PrismData) -> Self {
        let is_seen = |user: &Option<UserId>| user.as_ref().is_some_and(|u| data.seen.contains(u));
        let test = |seen: bool| {
            let part = data.split.test.iter();
            PartCounts::of(part.filter(|one| is_seen(&one.user) == seen))
        };
        Self {
            read: data.dialogues,
            seen: data.seen.len(),
            unseen: data.unseen.len(),
            profiles: data.profiles().count(),
            train: PartCounts::of(&data.split.train),
            validation: PartCounts::of(&data.split.validation),
            test_seen: test(true),
            test_unseen: test(false),
            skipped: data.skipped.clone(),
        }
    }
}

impl fmt::Display for PrismStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} dialogues read; {} seen and {} unseen users, {} with a survey",
            self.read, self.seen, self.unseen, self.profiles
        )?;
        let heads = ["", "users", "dialogues", "turns", "comparisons"];
        let [name, users, dialogues, turns, comparisons] = heads;
        writeln!(
            f,
            "{name:<20} {users:>7} {dialogues:>10} {turns:>7} {comparisons:>12}"
        )?;
        for (name, part) in [
            ("training", self.train),
            ("validation", self.validation),
            ("test, seen users", self.test_seen),
            ("test, unseen users", self.test_unseen),
        ] {
            let PartCounts {
                users,
                dialogues,
                turns,
                comparisons,
            } = part;
            writeln!(
                f,
                "{name:<20} {users:>7} {dialogues:>10} {turns:>7} {comparisons:>12}"
            )?;
        }
        writeln!(f, "{}", self.skipped)
    }
}

//! A look at comparisons before they are trained on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use crate::comparison::{Comparison, Thumb, UserId};
use crate::general::MISSING;
use crate::hash::text_key;
use crate::skipped::Skipped;
use crate::split::pair_key;

/// What a data set holds and what is odd about it. Display gives it as plain text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Audit {
    /// Comparisons looked at, thumbs among them.
    pub comparisons: usize,
    /// Thumbs up.
    pub thumbs_up: usize,
    /// Thumbs down.
    pub thumbs_down: usize,
    /// Comparisons without a user id.
    pub without_user: usize,
    /// Comparisons by user.
    pub per_user: BTreeMap<UserId, usize>,
    /// Users with a single comparison: nothing can be held out for them.
    pub single_comparison_users: usize,
    /// Different sources.
    pub sources: usize,
    /// Repetitions of a comparison by the same user, prompt and responses included.
    pub duplicates: usize,
    /// Pairs that one user judged both ways.
    pub contradictory: usize,
    /// Pairs that two users judged differently: what personalisation is about.
    pub disputed: usize,
    /// Pairs that two or more users judged.
    pub shared: usize,
    /// Comparisons whose two responses are equal.
    pub equal_texts: usize,
    /// Comparisons with an empty response.
    pub empty_responses: usize,
    /// Users whose ids a person would take for one another: by Unicode form, letter case, or white space at the ends.
    pub look_alikes: Vec<[UserId; 2]>,
    /// What the loader left out.
    pub skipped: Skipped,
}

/// Counts comparison by comparison; keeps 16 bytes of hash for each pair, not the texts.
#[derive(Default)]
pub struct AuditBuilder {
    audit: Audit,
    sources: HashSet<u128>,
    pairs: HashMap<u128, HashMap<Option<UserId>, [usize; 2]>>,
}

impl AuditBuilder {
    /// Looks at one comparison.
    pub fn add(&mut self, comparison: &Comparison) {
        let audit = &mut self.audit;
        audit.comparisons += 1;
        match &comparison.user {
            Some(user) => *audit.per_user.entry(user.clone()).or_default() += 1,
            None => audit.without_user += 1,
        }
        self.sources.insert(text_key(&[&comparison.source]));
        let Comparison {
            chosen, rejected, ..
        } = comparison;
        match comparison.thumb {
            Some(Thumb::Up) => audit.thumbs_up += 1,
            Some(Thumb::Down) => audit.thumbs_down += 1,
            None => audit.equal_texts += usize::from(chosen == rejected),
        }
        let mut responses = comparison.responses().into_iter().flatten();
        audit.empty_responses += usize::from(responses.any(str::is_empty));
        let users = self.pairs.entry(pair_key(comparison)).or_default();
        let votes = users.entry(comparison.user.clone()).or_default();
        votes[usize::from(chosen < rejected)] += 1;
    }

    /// Adds up; `skipped` is the loader's account.
    pub fn finish(self, skipped: &Skipped) -> Audit {
        let mut audit = self.audit;
        audit.sources = self.sources.len();
        audit.single_comparison_users =
            audit.per_user.values().filter(|&&count| count == 1).count();
        audit.skipped = skipped.clone();
        let mut folded: HashMap<String, &UserId> = HashMap::new();
        for user in audit.per_user.keys() {
            if let Some(other) = folded.insert(printable::folded(user.as_str()), user) {
                audit.look_alikes.push([other.clone(), user.clone()]);
            }
        }
        for users in self.pairs.values() {
            for (user, votes) in users {
                audit.duplicates += votes
                    .iter()
                    .map(|&count| count.saturating_sub(1))
                    .sum::<usize>();
                // Comparisons without a user may come from different people: no contradiction.
                audit.contradictory += usize::from(user.is_some() && votes[0] > 0 && votes[1] > 0);
            }
            let named = || {
                users
                    .iter()
                    .filter(|(user, _)| user.is_some())
                    .map(|(_, votes)| votes)
            };
            audit.shared += usize::from(named().count() > 1);
            let votes_for =
                |side: usize| named().any(|votes| votes[side] > 0 && votes[1 - side] == 0);
            audit.disputed += usize::from(votes_for(0) && votes_for(1));
        }
        audit
    }
}

impl Audit {
    /// Looks at comparisons in memory.
    pub fn of<'a>(
        comparisons: impl IntoIterator<Item = &'a Comparison>,
        skipped: &Skipped,
    ) -> Self {
        let mut builder = AuditBuilder::default();
        for comparison in comparisons {
            builder.add(comparison);
        }
        builder.finish(skipped)
    }
}

impl Audit {
    /// What a person should look at before training, a sentence each.
    pub fn remarks(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        let mut remarks = Vec::new();
        for [one, other] in self.look_alikes.iter().take(SHOWN) {
            let difference = printable::difference(one.as_str(), other.as_str());
            let difference = difference.map_or_else(String::new, |by| format!(" ({by})"));
            remarks.push(format!(
                "the users {} and {} look alike and are two{difference}",
                printable::quoted(one.as_str()),
                printable::quoted(other.as_str())
            ));
        }
        if let Some(more @ 1..) = self.look_alikes.len().checked_sub(SHOWN) {
            remarks.push(format!("{more} more pairs of users look alike"));
        }
        for name in MISSING {
            if let Some(count) = self.per_user.get(&UserId::new(name)) {
                remarks.push(format!(
                    "a user of {count} comparisons is called `{name}`: a missing value that became text?"
                ));
            }
        }
        remarks
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = || self.per_user.values().copied();
        let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
        writeln!(f, "comparisons            {:>8}", self.comparisons)?;
        let (up, down) = (self.thumbs_up, self.thumbs_down);
        if up + down > 0 {
            writeln!(
                f,
                "  thumbs               {:>8}  ({up} up, {down} down)",
                up + down
            )?;
        }
        writeln!(f, "sources                {:>8}", self.sources)?;
        writeln!(
            f,
            "users                  {:>8}  ({least} to {most} comparisons each)",
            self.per_user.len()
        )?;
        writeln!(
            f,
            "  with one comparison  {:>8}",
            self.single_comparison_users
        )?;
        writeln!(f, "without a user         {:>8}", self.without_user)?;
        writeln!(f, "duplicates             {:>8}", self.duplicates)?;
        writeln!(
            f,
            "contradictory pairs    {:>8}  (one user, both ways)",
            self.contradictory
        )?;
        writeln!(
            f,
            "pairs of several users {:>8}  ({} disputed)",
            self.shared, self.disputed
        )?;
        writeln!(f, "equal texts            {:>8}", self.equal_texts)?;
        writeln!(f, "empty responses        {:>8}", self.empty_responses)?;
        write!(f, "{}", self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::Prompt;

    fn comparison(user: Option<&str>, chosen: &str, rejected: &str) -> Comparison {
        Comparison {
            user: user.map(UserId::new),
            user_text: None,
            prompt: Prompt::Text("p".into()),
            chosen: chosen.into(),
            rejected: rejected.into(),
            source: "s".into(),
            template: Default::default(),
            place: Default::default(),
            group: None,
            thumb: None,
        }
    }

    #[test]
    fn thumbs_are_counted_and_contradict_each_other() {
        let thumb = |user, up| match up {
            true => Comparison {
                thumb: Some(Thumb::Up),
                ..comparison(Some(user), "x", "")
            },
            false => Comparison {
                thumb: Some(Thumb::Down),
                ..comparison(Some(user), "", "x")
            },
        };
        let all = [
            thumb("a", true),
            thumb("a", false),
            thumb("b", true),
            thumb("c", false),
        ];
        let audit = Audit::of(&all, &Skipped::default());
        assert_eq!((audit.thumbs_up, audit.thumbs_down), (2, 2));
        assert_eq!((audit.equal_texts, audit.empty_responses), (0, 0));
        assert_eq!((audit.contradictory, audit.disputed), (1, 1));
        let shown = audit.to_string();
        assert!(shown.contains("(2 up, 2 down)"), "{shown}");
    }

    #[test]
    fn counts_what_is_odd() {
        let all = [
            comparison(Some("a"), "x", "y"),
            comparison(Some("a"), "x", "y"), // a duplicate
            comparison(Some("a"), "y", "x"), // a contradiction
            comparison(Some("b"), "u", "v"),
            comparison(Some("c"), "v", "u"), // disputed with b
            comparison(None, "v", "u"),
            comparison(Some("d"), "", ""), // equal and empty
        ];
        let mut skipped = Skipped::default();
        skipped.add("why", "f:1");
        let audit = Audit::of(&all, &skipped);
        assert_eq!(
            (audit.comparisons, audit.sources, audit.without_user),
            (7, 1, 1)
        );
        assert_eq!((audit.duplicates, audit.contradictory), (1, 1));
        assert_eq!((audit.shared, audit.disputed), (1, 1));
        assert_eq!((audit.equal_texts, audit.empty_responses), (1, 1));
        assert_eq!(audit.per_user[&"a".into()], 3);
        assert_eq!(audit.single_comparison_users, 3);
        assert!(audit.to_string().ends_with("1 left out: why (first: f:1)"));
    }
}

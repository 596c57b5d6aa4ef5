//! What goes into an evaluation and what comes out.

use std::collections::BTreeMap;

use minijinja::Value;
use serde::{Deserialize, Serialize};

use crate::error::JudgeError;
use crate::verdict::{Choice, Verdict};
use crate::win_rates::WinRates;

/// Two outputs to compare for one user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Names the item in messages and tosses its coin together with the user.
    pub id: String,
    /// Whose preference counts.
    pub user: String,
    /// What the prompt file asks for: text, or lists and mappings that its templates loop over.
    pub fields: BTreeMap<String, Value>,
    /// The output whose win rate is wanted.
    pub ours: String,
    /// The output it is compared with.
    pub theirs: String,
}

/// An answer without a verdict that could be read. Its item has none and leaves the denominator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unparsable {
    /// The item's place in the list.
    pub index: usize,
    /// The item's id.
    pub id: String,
    /// The judge's words.
    pub answer: String,
    /// Whether they were cut at the limit of tokens, which a higher `max_tokens` helps.
    pub cut: bool,
}

/// An item that got no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// The item's place in the list.
    pub index: usize,
    /// The item's id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// How often each place was chosen: a judge without a liking for one chooses first and second about equally often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Places {
    /// Verdicts for the output shown first.
    pub first: u64,
    /// Verdicts for the output shown second.
    pub second: u64,
    /// Verdicts for neither.
    pub tie: u64,
    /// Items whose verdicts in the two orders differ; they count as ties.
    pub disagreements: u64,
}

impl Places {
    pub(crate) fn count(&mut self, choice: Choice) {
        match choice {
            Choice::First => self.first += 1,
            Choice::Second => self.second += 1,
            Choice::Tie => self.tie += 1,
        }
    }
}

/// The verdicts of an evaluation, and what kept it from others.
#[derive(Debug, Default)]
pub struct Outcome {
    /// One for each item, in their order; `None` for those in `unparsable` or `unjudged`.
    pub verdicts: Vec<Option<Verdict>>,
    /// Answers that could not be read, by item; with both orders, an item may have two.
    pub unparsable: Vec<Unparsable>,
    /// Items without an answer, or with one order's answer only.
    pub unjudged: Vec<Unjudged>,
    /// How often each place was chosen.
    pub places: Places,
    /// Calls to the endpoint, repetitions too.
    pub calls: u64,
    /// Questions that the cache answered.
    pub cached: usize,
    /// Items whose two outputs are the same text: a tie, for which nobody is asked.
    pub identical: usize,
    /// Why the evaluation ended early, if it did: [`JudgeError::Budget`] or [`JudgeError::GivenUp`].
    pub stopped: Option<JudgeError>,
}

impl Outcome {
    /// User and verdict of each judged item; `items` as they were given.
    pub fn by_user<'a>(&self, items: &'a [Item]) -> Vec<(&'a str, Verdict)> {
        let pairs = items.iter().zip(&self.verdicts);
        pairs
            .filter_map(|(item, verdict)| Some((item.user.as_str(), (*verdict)?)))
            .collect()
    }

    /// The win rates over the judged items; `items` as they were given.
    pub fn win_rates(&self, items: &[Item]) -> WinRates {
        WinRates::of(&self.by_user(items))
    }
}

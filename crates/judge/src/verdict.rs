//! Verdicts: how an answer is read, and who was shown first.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A verdict from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Ours is preferred.
    Win,
    /// Theirs is preferred.
    Loss,
    /// Neither is.
    Tie,
}

impl Verdict {
    /// The verdict from the other side.
    pub fn swapped(self) -> Self {
        match self {
            Self::Win => Self::Loss,
            Self::Loss => Self::Win,
            Self::Tie => Self::Tie,
        }
    }
}

/// What a judge chose of the two outputs it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The first output.
    First,
    /// The second output.
    Second,
    /// Neither.
    Tie,
}

impl Choice {
    /// The verdict, where ours was shown first or second.
    pub fn verdict(self, ours_first: bool) -> Verdict {
        match (self, ours_first) {
            (Self::Tie, _) => Verdict::Tie,
            (Self::First, true) | (Self::Second, false) => Verdict::Win,
            (Self::First, false) | (Self::Second, true) => Verdict::Loss,
        }
    }
}

/// In which order the two outputs are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Position {
    /// Every item is judged in both orders, at twice the calls; verdicts that disagree are a tie.
    Swapped,
    /// A coin for each item, which depends on this seed and the item's user and id alone.
    Seeded(u64),
}

impl Default for Position {
    /// The paper's seed.
    fn default() -> Self {
        Self::Seeded(123)
    }
}

impl Position {
    /// The orders to ask in: `true` where ours is shown first.
    pub(crate) fn orders(self, user: &str, id: &str) -> &'static [bool] {
        let Self::Seeded(seed) = self else {
            return &[true, false];
        };
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update((user.len() as u64).to_le_bytes());
        hash.update(user);
        hash.update(id);
        if hash.finalize()[0] & 1 == 0 {
            &[true]
        } else {
            &[false]
        }
    }
}

/// The words of a verdict, as a prompt asks for them. Case, `*` and backticks do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// What stands before the verdict; the last one in an answer counts.
    pub marker: String,
    /// The verdict for the first output.
    pub first: String,
    /// The verdict for the second output.
    pub second: String,
    /// The verdict for neither.
    pub tie: String,
}

impl Labels {
    /// Whether the four can be told apart; if not, what is wrong.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn validate(&self) -> Result<(), String> {
        let named = [
            ("marker", &self.marker),
            ("first", &self.first),
            ("second", &self.second),
            ("tie", &self.tie),
        ];
        for (name, label) in named {
            if plain(label).is_empty() {
                return Err(format!("`verdict.{name}`: found nothing, expected words"));
            }
        }
        for (name, label) in &named[1..] {
            for (other_name, other) in named[1..].iter().filter(|(other, _)| other != name) {
                if holds(&plain(label), &plain(other)) {
                    let found = format!("found `{other}` within `{label}`");
                    let names = format!("`verdict.{name}` and `verdict.{other_name}`");
                    return Err(format!("{names}: {found}, expected different words"));
                }
            }
        }
        Ok(())
    }

    /// The choice in an answer: the one label in the first line with words after the last marker, or the whole answer
    /// if it is nothing but a label. `None` if there is no label there or more than one.
    pub fn read(&self, answer: &str) -> Option<Choice> {
        let marker = plain(&self.marker);
        let lines: Vec<_> = answer.lines().map(plain).collect();
        let last = lines.iter().enumerate().rev().find_map(|(number, line)| {
            let place = line.rfind(&marker)?;
            Some((number, place + marker.len()))
        });
        let Some((number, end)) = last else {
            return self.whole(&plain(answer));
        };
        let rest = lines.get(number)?.get(end..)?;
        let following = lines.iter().skip(number + 1).map(String::as_str);
        let line = [rest].into_iter().chain(following);
        self.only(
            line.into_iter()
                .find(|line| line.contains(char::is_alphanumeric))?,
        )
    }

    fn choices(&self) -> [(Choice, String); 3] {
        [
            (Choice::First, plain(&self.first)),
            (Choice::Second, plain(&self.second)),
            (Choice::Tie, plain(&self.tie)),
        ]
    }

    fn whole(&self, answer: &str) -> Option<Choice> {
        let bare = |text: &str| text.trim_end_matches(['.', '!']).to_owned();
        let answer = bare(answer);
        let mut choices = self.choices().into_iter();
        choices.find_map(|(choice, label)| (bare(&label) == answer).then_some(choice))
    }

    fn only(&self, line: &str) -> Option<Choice> {
        let mut found = self
            .choices()
            .into_iter()
            .filter(|(_, label)| holds(line, label));
        match (found.next(), found.next()) {
            (Some((choice, _)), None) => Some(choice),
            _ => None,
        }
    }
}

/// Lower case, without marks of emphasis, and with single spaces.
fn plain(text: &str) -> String {
    let bare: String = text.chars().filter(|c| !matches!(c, '*' | '`')).collect();
    let words: Vec<_> = bare.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Whether a label stands in a text as whole words.
fn holds(text: &str, label: &str) -> bool {
    text.match_indices(label).any(|(start, found)| {
        let before = text[..start].chars().next_back();
        let after = text[start + found.len()..].chars().next();
        let joins = |inner: Option<char>, outer: Option<char>| {
            inner.is_some_and(char::is_alphanumeric) && outer.is_some_and(char::is_alphanumeric)
        };
        !joins(found.chars().next(), before) && !joins(found.chars().next_back(), after)
    })
}

#[cfg(test)]
mod tests;

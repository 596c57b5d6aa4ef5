//! The project's own small PRISM data, in the official layout: written by seeded templates, free of real people.
//!
//! Every response has two traits. Its [`Manner`], practical steps or words about feelings, is what the survey decides:
//! self-description, system string and stated preferences of a user all tell which one she wants. Its tone, formal or
//! casual ([`HiddenKind`]), is what the survey does not know: half of the users of either manner want the one, half the
//! other, and no text says so. On about half of the comparisons the manner differs, on the others the tone alone; so a model
//! that reads the survey is right on three of four, and only one that learns each user can be right on all.
//!
//! The tone differs in last turns only. In earlier turns all responses have one tone, drawn without regard to the user, so
//! that the history does not give her away either.
//!
//! What is odd in the official files is here as well, in small numbers (see [`Oddity`]), and two users took part in the
//! survey only. Ids are beyond those of the official files.

mod odd;
mod people;
mod talk;
mod words;

use serde::Serialize;

use crate::prism::{Conversation, Survey};
use crate::seed::rng;
use crate::types::UserId;

pub use odd::Oddity;

/// Seed of the files that the project ships.
pub const SEED: u64 = 74;
/// Users with a survey and with conversations.
pub const USERS: usize = 96;
/// Users with a survey only.
pub const SURVEY_ONLY: usize = 2;

/// The tone that a user wants without saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HiddenKind {
    /// Polite distance.
    Formal,
    /// Chummy.
    Casual,
}

impl HiddenKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Formal, Self::Casual];

    /// `formal` or `casual`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Formal => "formal",
            Self::Casual => "casual",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Formal => Self::Casual,
            Self::Casual => Self::Formal,
        }
    }
}

/// What a user wants and says so in the survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Manner {
    /// What to do first, what next.
    Steps,
    /// Sympathy.
    Feelings,
}

impl Manner {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Steps, Self::Feelings];

    fn other(self) -> Self {
        match self {
            Self::Steps => Self::Feelings,
            Self::Feelings => Self::Steps,
        }
    }
}

/// The two files.
#[derive(Clone, Debug, PartialEq)]
pub struct MiniPrism {
    /// `survey.jsonl`.
    pub survey: Vec<Survey>,
    /// `conversations.jsonl`.
    pub conversations: Vec<Conversation>,
}

/// Writes both files; a pure function of the seed.
pub fn generate(seed: u64) -> MiniPrism {
    let people = people::people(seed);
    let mut random = rng("mini prism survey", seed);
    MiniPrism {
        survey: people
            .iter()
            .filter(|person| person.has_survey)
            .map(|person| person.survey(&mut random))
            .collect(),
        conversations: talk::conversations(&mut rng("mini prism talk", seed), &people),
    }
}

/// Records as JSON Lines, one a line, with a line end after the last.
///
/// # Errors
/// What the serialiser says; it has no reason to.
pub fn json_lines<T: Serialize>(records: &[T]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for record in records {
        text.push_str(&serde_json::to_string(record)?);
        text.push('\n');
    }
    Ok(text)
}

/// The tone that a user of the shipped files wants; `None` for other users. No file says it.
pub fn hidden_kind(user: &UserId) -> Option<HiddenKind> {
    person(user).map(|person| person.tone)
}

/// What a user of the shipped files wants according to the survey; `None` for other users.
pub fn stated_manner(user: &UserId) -> Option<Manner> {
    person(user).map(|person| person.manner)
}

fn person(user: &UserId) -> Option<people::Person> {
    let mut people = people::people(SEED).into_iter();
    people.find(|person| person.id == *user)
}

/// The tone of a response of these files, or of one that begins or ends like them.
pub fn tone_of(text: &str) -> Option<HiddenKind> {
    let has = |kind: HiddenKind| {
        let begins = kind
            .openings()
            .iter()
            .any(|form| text.trim_start().starts_with(form));
        begins
            || kind
                .closings()
                .iter()
                .any(|form| text.trim_end().ends_with(form))
    };
    one_of(HiddenKind::ALL, has)
}

/// The manner of a response of these files, or of one that has their phrases.
pub fn manner_of(text: &str) -> Option<Manner> {
    let has = |manner: Manner| {
        let leads = manner
            .forms()
            .map(|form| form.split('{').next().unwrap_or(form).trim());
        leads.iter().any(|lead| text.contains(lead))
    };
    one_of(Manner::ALL, has)
}

/// The one of two that holds, if only one does.
fn one_of<T: Copy>(both: [T; 2], has: impl Fn(T) -> bool) -> Option<T> {
    match both.map(has) {
        [true, false] => Some(both[0]),
        [false, true] => Some(both[1]),
        _ => None,
    }
}

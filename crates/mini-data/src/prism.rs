//! The data in the official PRISM layout.
//!
//! Every response has two traits. Its [`Manner`], practical steps or words about feelings, is what the survey decides:
//! self-description, system string and stated preferences of a user all tell which one she wants. Its tone, formal or
//! casual ([`Tone`]), is what the survey does not know: half of the users of either manner want the one, half the
//! other, and no text says so. On about 60 % of the comparisons the tone alone differs, on the others the manner; so a model
//! that reads the survey is right on seven of ten, and only one that learns each user can be right on all.
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

use serde_json::Value;

use crate::random::Random;

/// Seed of the shipped files.
pub const SEED: u64 = 74;
/// Users with a survey and with conversations.
const USERS: usize = 64;
/// Users with a survey only.
const SURVEY_ONLY: usize = 2;

/// How a response sounds: what a user wants without saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tone {
    /// Polite distance.
    Formal,
    /// Chummy.
    Casual,
}

impl Tone {
    /// Both.
    const ALL: [Self; 2] = [Self::Formal, Self::Casual];

    fn other(self) -> Self {
        match self {
            Self::Formal => Self::Casual,
            Self::Casual => Self::Formal,
        }
    }
}

/// What a response says: what a user wants and says so in the survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Manner {
    /// What to do first, what next.
    Steps,
    /// Sympathy.
    Feelings,
}

impl Manner {
    /// Both.
    const ALL: [Self; 2] = [Self::Steps, Self::Feelings];

    fn other(self) -> Self {
        match self {
            Self::Steps => Self::Feelings,
            Self::Feelings => Self::Steps,
        }
    }
}

/// The records of `survey.jsonl` and of `conversations.jsonl`; a pure function of the seed.
pub fn records(seed: u64) -> (Vec<Value>, Vec<Value>) {
    let people = people::people(seed);
    let mut random = Random::new("mini prism survey", seed);
    let surveyed = people.iter().filter(|person| person.has_survey);
    let survey = surveyed.map(|person| person.survey(&mut random)).collect();
    let conversations = talk::conversations(&mut Random::new("mini prism talk", seed), &people);
    (survey, conversations)
}

#[cfg(test)]
mod tests;

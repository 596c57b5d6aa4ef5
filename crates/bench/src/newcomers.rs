//! Users whom nobody was trained on: who they are, how well a trained policy serves them after so many of their answers, and what
//! a report says of it.

mod claims;
mod config;
mod figures;
mod in_context;
mod measure;
mod tables;

use serde::{Deserialize, Serialize};
use trainer::pref_data::Comparison;

pub(crate) use claims::claims;
pub use config::{AdaptersSection, Alternatives, NewcomersSection};
pub(crate) use measure::{Scorer, Tokenised, Trained};
pub(crate) use tables::told;

/// Users whom nobody was trained on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Newcomers {
    /// Who they are.
    pub users: Vec<Newcomer>,
    /// After how many answers they are looked at.
    pub counts: Vec<usize>,
    /// What is done with their answers where a system has no users.
    pub alternatives: Alternatives,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct Newcomer {
    /// Their id.
    pub id: String,
    /// What they want, for evaluation only.
    pub group: String,
    /// What they answered, in the order in which they were asked.
    pub answers: Vec<Comparison>,
    /// What they are tested on.
    pub tests: Vec<Comparison>,
}

impl Newcomers {
    /// What they answered, all of it.
    pub fn answers(&self) -> Vec<Comparison> {
        let answers = self.users.iter().flat_map(|user| &user.answers);
        answers.cloned().collect()
    }
}

/// How a policy came to serve a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// As a user of whom nothing is known.
    Generic,
    /// By a rule: the longer response, or the shorter one, as most answers were.
    Length,
    /// By a sentence in the prompt, written from measures of the answers.
    Profile,
    /// By the answers themselves in the prompt, as many as fit.
    InContext,
    /// By those of them in the prompt whose prompts are most like the one that is answered.
    Retrieved,
    /// By adapters that went on training on the answers.
    Adapters,
    /// As the trained user whose row explains the answers best.
    Nearest,
    /// By a row fitted to the answers.
    Fitted,
    /// By a row fitted to as many answers that were asked for, each chosen once those before it were known.
    Asked,
    /// Trained on the answers from the start, with everybody else.
    Trained,
}

impl How {
    /// As reports call it.
    fn title(self) -> &'static str {
        match self {
            Self::Generic => "generic user",
            Self::Length => "rule of length",
            Self::Profile => "profile in words",
            Self::InContext => "answers in the prompt",
            Self::Retrieved => "nearest answers in the prompt",
            Self::Adapters => "adapters of their own",
            Self::Nearest => "nearest trained user",
            Self::Fitted => "fitted",
            Self::Asked => "fitted, questions chosen",
            Self::Trained => "trained from the start",
        }
    }
}

/// How a newcomer was served.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Served {
    /// Who.
    pub newcomer: String,
    /// How.
    pub how: How,
    /// After how many answers.
    pub answers: usize,
    /// How far the preferred response of each test is rewarded beyond the other.
    pub margins: Vec<f32>,
    /// Of a fitted row: what the margins' probabilities become where it is known how sure the row is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread_probabilities: Vec<f64>,
    /// What it took once the answers were there, beside the tests.
    pub seconds: f64,
    /// Positions that a request has for them, soft tokens or tokens of the prompt: the mean over the tests.
    #[serde(default)]
    pub tokens: f64,
    /// Answers in the prompt: the mean over the tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<f64>,
}

//! Measures of sampled texts, and win rates.

use judge::WinRates;
use serde::{Deserialize, Serialize};

use super::system::Estimate;

/// One measure of the texts of all systems.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TextMeasure {
    /// Its short name, for example `grade`.
    pub key: String,
    /// What a reader sees, with its unit.
    pub title: String,
    /// By system and user.
    pub values: Vec<MeasuredText>,
}

impl TextMeasure {
    /// What was measured of a system's texts for a user; `None`: the generic user, or everyone.
    pub fn of(&self, system: &str, user: Option<&str>) -> Option<Estimate> {
        let mut values = self.values.iter();
        let found = values.find(|v| v.system == system && v.user.as_deref() == user)?;
        Some(found.estimate)
    }
}

/// The mean over the texts of one system for one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasuredText {
    /// The system.
    pub system: String,
    /// The user; `None`: the generic user, or everyone in a system that does not tell users apart.
    pub user: Option<String>,
    /// Mean and interval over prompts; `n` counts prompts.
    pub estimate: Estimate,
}

/// How one system fared against another in the eyes of a judge.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Duel {
    /// The system whose win rate it is.
    pub system: String,
    /// Another system, or the data's chosen response.
    pub opponent: String,
    /// The model that judged.
    pub judge: String,
    /// Win rates over samples and users, ties as half and by the paper's conventions.
    pub rates: WinRates,
    /// Items whose answer could not be read.
    pub unparsable: u64,
    /// Items without an answer.
    pub unjudged: u64,
}

/// How users were served whom nobody was trained on, by one system in one way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedUsers {
    /// The system.
    pub system: String,
    /// `generic user`, `nearest trained user`, `fitted`, `trained from the start`.
    pub served_as: String,
    /// After how many answers.
    pub answers: u64,
    /// On their other comparisons; `n` counts these.
    pub accuracy: Estimate,
}

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

/// The best of several responses by a reward model, for one group of users.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BestOf {
    /// The reward model.
    pub system: String,
    /// The system whose responses they are.
    pub writer: String,
    /// The group of users; `generic` for the generic user.
    pub group: String,
    /// Among how many one is chosen.
    pub count: u64,
    /// What its KL divergence from one response is at most, in nats.
    pub kl_bound: f64,
    /// What it is worth to its user; `n` counts prompts.
    pub reward: Estimate,
    /// How much more than the first of them; none for one response.
    #[serde(default)]
    pub gain: Option<Estimate>,
    /// Mean words.
    pub words: f64,
    /// Median words.
    pub median_words: f64,
    /// How often the user's simulated preference is for it rather than for the first of them, ties as half; none where nobody knows.
    #[serde(default)]
    pub wins: Option<Estimate>,
    /// How often for neither, or for the first itself.
    #[serde(default)]
    pub even: Option<f64>,
    /// How often another text has the same reward.
    pub tied: f64,
}

/// How users were served whom nobody was trained on, by one system in one way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedUsers {
    /// The system.
    pub system: String,
    /// `generic user`, `nearest trained user`, `fitted`, `answers in the prompt`, `trained from the start` and so on.
    pub served_as: String,
    /// After how many answers.
    pub answers: u64,
    /// On their other comparisons; `n` counts these.
    pub accuracy: Estimate,
    /// What is in a request for them: soft tokens, or tokens of the prompt, in the mean.
    #[serde(default)]
    pub tokens: Option<f64>,
    /// Seconds that one of them takes once the answers are there.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// Answers in the prompt, in the mean.
    #[serde(default)]
    pub shown: Option<f64>,
}

//! What a report holds: the types of `report.json`.
//!
//! A measurement that was not made is `None` here and `null` in the file, never 0. Accuracies and shares are fractions
//! from 0 to 1, lengths are words, memory is bytes, times are seconds. Every accuracy is on held-out comparisons.
//!
//! The types serve every experiment: majority and minority are `None` where an experiment has no such groups, and
//! [`Report::tables`] takes what only one experiment measures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::measures::{BestOf, Duel, ServedUsers, TextMeasure};
use super::system::{System, system_title};
use super::table::Table;

/// Everything one run found out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The experiment, for example `tldr`.
    pub experiment: String,
    /// Its name as people write it, for example `TL;DR`.
    pub title: String,
    /// The preset, for example `tiny`.
    pub preset: String,
    /// Seed of initialisation, order and sampling; with several, the first, whose samples are shown.
    pub seed: u64,
    /// All seeds, where the figures are pooled over several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
    /// Seed of the simulated population, where there is one.
    #[serde(default)]
    pub population_seed: Option<u64>,
    /// A warning shown above everything else, for example that the numbers are made up.
    #[serde(default)]
    pub notice: Option<String>,
    /// The comparisons.
    pub data: Data,
    /// The base model.
    pub model: Model,
    /// The compared systems, in the order they are shown.
    pub systems: Vec<System>,
    /// Analytic yardsticks by name: `always-longer`, and `perfect` or `own length`, in the TL;DR experiment.
    #[serde(default)]
    pub yardsticks: BTreeMap<String, Yardstick>,
    /// Measures of the sampled texts by system and user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text_measures: Vec<TextMeasure>,
    /// How users were served whom nobody was trained on, where some came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_users: Vec<ServedUsers>,
    /// The best of several responses by reward models, where some chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub best_of: Vec<BestOf>,
    /// Win rates, where there was a judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duels: Vec<Duel>,
    /// The paper's claims by key: `e1` and `e2` in the TL;DR experiment.
    #[serde(default, rename = "verdicts")]
    pub claims: BTreeMap<String, Claim>,
    /// The settings a reader asks for first; `config.toml` beside the report has them all.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// Where the settings differ from the paper's, and why.
    #[serde(default)]
    pub settings_note: Vec<Difference>,
    /// Responses to the same prompt, side by side.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// The same for every sampled prompt: shown in the gallery, and kept out of `report.json`.
    #[serde(skip)]
    pub gallery: Vec<Sample>,
    /// Tables of one experiment only, shown after the common ones.
    #[serde(default)]
    pub tables: Vec<Table>,
    /// Where and how long it ran.
    #[serde(default)]
    pub environment: Environment,
}

impl Report {
    /// The system called `name`.
    pub fn system(&self, name: &str) -> Option<&System> {
        self.systems.iter().find(|system| system.name == name)
    }

    /// The name shown for a system, also for one that is not in [`Report::systems`].
    pub fn title_of<'a>(&'a self, system: &'a str) -> &'a str {
        self.system(system)
            .map_or(system_title(system), System::title)
    }

    /// What a reader sees of a user: `user 1, P1A`.
    pub fn user_title(&self, user: &str) -> String {
        let name = user_name(user);
        match self.group(user) {
            Some(group) => format!("{name}, {group}"),
            None => name,
        }
    }

    /// Whom a system's text is for: a user, the generic user of a system with users, or everyone.
    pub fn reader_title(&self, system: &str, user: Option<&str>) -> String {
        let personal = || self.system(system)?.trainable.users;
        match user {
            Some(user) => self.user_title(user),
            None if personal().is_some() => "generic user".into(),
            None => "everyone".into(),
        }
    }

    /// The group of a user, for example `minority`.
    pub fn group(&self, user: &str) -> Option<&str> {
        self.data
            .users
            .iter()
            .find(|info| info.id == user)?
            .group
            .as_deref()
    }
}

/// `user 4`; an id that says so itself, such as `user9000`, stands alone.
pub(super) fn user_name(id: &str) -> String {
    match id.to_lowercase().starts_with("user") {
        true => id.to_owned(),
        false => format!("user {id}"),
    }
}

/// The comparisons a run used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Where they came from.
    pub source: String,
    /// Training comparisons.
    pub train: u64,
    /// Validation comparisons: all choices are made on these.
    #[serde(default)]
    pub validation: Option<u64>,
    /// Held-out comparisons: every reported accuracy is on these.
    pub eval: u64,
    /// Users the personalised systems are trained on.
    pub workers: u64,
    /// The unit that is never on two sides of the split, for example `post`.
    #[serde(default)]
    pub split_by: Option<String>,
    /// Over how many splits the results are pooled.
    #[serde(default)]
    pub pooled_splits: Option<u64>,
    /// Sizes by side, by seen or unseen user, and by group.
    #[serde(default)]
    pub splits: Vec<SplitCounts>,
    /// The seen users.
    #[serde(default)]
    pub users: Vec<UserInfo>,
    /// What a reader has to know: filters, skipped records, splits we made ourselves.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Sizes of one side of the split (Table 3 of the paper).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// `train`, `validation` or `eval`.
    pub name: String,
    /// All comparisons of this side.
    pub total: u64,
    /// Comparisons of seen users, where there are no groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Comparisons of unseen users, where there are no groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<u64>,
    /// Comparisons of seen majority users.
    #[serde(default)]
    pub seen_majority: Option<u64>,
    /// Comparisons of seen minority users.
    #[serde(default)]
    pub seen_minority: Option<u64>,
    /// Comparisons of unseen majority users.
    #[serde(default)]
    pub unseen_majority: Option<u64>,
    /// Comparisons of unseen minority users.
    #[serde(default)]
    pub unseen_minority: Option<u64>,
}

/// One seen user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserInfo {
    /// The caller's id.
    pub id: String,
    /// `majority`, `minority`, or a profile.
    #[serde(default)]
    pub group: Option<String>,
    /// Training comparisons.
    pub train: u64,
    /// Held-out comparisons.
    pub eval: u64,
}

/// The base model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Where the weights came from.
    pub source: String,
    /// Number of weights, frozen ones included.
    pub parameters: u64,
    /// How the SFT model came about; says so where that stage was skipped.
    #[serde(default)]
    pub sft: Option<String>,
}

/// Accuracies that follow from the data alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Yardstick {
    /// As [`Accuracy::top`](super::Accuracy::top).
    pub top: Option<f64>,
    /// As [`Accuracy::generic`](super::Accuracy::generic).
    pub generic: Option<f64>,
    /// Majority.
    pub majority: Option<f64>,
    /// Minority.
    pub minority: Option<f64>,
}

/// One setting of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name in the configuration.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// One difference from the paper.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The setting.
    pub setting: String,
    /// The value here.
    pub here: String,
    /// The value in the paper.
    pub paper: String,
    /// Why.
    pub reason: String,
}

/// One prompt and what the systems answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The prompt as text.
    pub prompt: String,
    /// The responses, in the order they are shown.
    pub responses: Vec<Response>,
}

/// One sampled response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Name of the system.
    pub system: String,
    /// The user it is for; `None` is the generic user, or everyone in a system without users.
    pub user: Option<String>,
    /// The response, possibly empty.
    pub text: String,
}

/// Where the run took place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The command line.
    pub command: Option<String>,
    /// Device, for example `flex` or `cuda:0`.
    pub device: Option<String>,
    /// Name of the processor.
    pub cpu: Option<String>,
    /// Number of threads used.
    pub threads: Option<u64>,
    /// Operating system.
    pub os: Option<String>,
    /// Version of this software.
    pub version: Option<String>,
    /// Time of the whole run in seconds.
    pub seconds: Option<f64>,
}

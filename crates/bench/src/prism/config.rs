//! The `[data]` section of the PRISM experiment.

use serde::{Deserialize, Serialize};
use trainer::pref_data::prism::{
    ComparisonOptions, PrismOptions, Rejected, SplitOptions, TopPreferences,
};

use crate::newcomers::NewcomersSection;

/// `[data]`. The default is what the paper describes; `preferences = "display_order"` and `released_limits = true` are what
/// the released code does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrismConfig {
    /// The official folder or files (`survey.jsonl`, `conversations.jsonl` or `utterances.jsonl`), used where `--data`
    /// names none.
    pub paths: Vec<String>,
    /// How the three preferences in a user's text are found: `by_score` (default), or `display_order`.
    pub preferences: TopPreferences,
    /// Which rejected responses of a turn count: `all` (default) or `first`.
    pub rejected: Rejected,
    /// The character limits of the released code. Default false: the limits in tokens are `[prompt]`'s.
    pub released_limits: bool,
    /// Share of users that are seen.
    pub seen_share: f64,
    /// Share of a seen user's dialogues that are not for test.
    pub train_share: f64,
    /// Share of the training dialogues that go to validation.
    pub validation_share: f64,
    /// Seeds of the split of users and dialogues; with more than one, results are pooled over all of them.
    pub split_seeds: Vec<u64>,
    /// At most so many training comparisons; 0: all.
    pub train_limit: usize,
    /// At most so many test comparisons, half of them of seen users; 0: all.
    pub test_limit: usize,
    /// Other users whom each sampled prompt is answered for, beside the one who wrote it.
    pub other_users: usize,
    /// `[data.newcomers]`: unseen users who come once everybody else is trained; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<NewcomersSection>,
}

impl Default for PrismConfig {
    fn default() -> Self {
        let split = SplitOptions::default();
        Self {
            paths: vec!["datasets/mini/prism".into()],
            preferences: TopPreferences::ByScore,
            rejected: Rejected::All,
            released_limits: false,
            seen_share: split.seen_share,
            train_share: split.train_share,
            validation_share: split.validation_share,
            split_seeds: vec![0],
            train_limit: 0,
            test_limit: 0,
            other_users: 2,
            newcomers: None,
        }
    }
}

impl PrismConfig {
    /// For the loader.
    pub fn options(&self, split_seed: u64) -> PrismOptions {
        PrismOptions {
            preferences: self.preferences,
            comparisons: ComparisonOptions {
                rejected: self.rejected,
                released_limits: self.released_limits,
            },
            split: SplitOptions {
                seed: split_seed,
                seen_share: self.seen_share,
                train_share: self.train_share,
                validation_share: self.validation_share,
            },
            ..PrismOptions::default()
        }
    }
}

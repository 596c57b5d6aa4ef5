//! The `[data]` section of the TL;DR experiment.

use serde::{Deserialize, Serialize};

use crate::newcomers::NewcomersSection;

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TldrConfig {
    /// The comparisons used where `--data` names none.
    pub paths: Vec<String>,
    /// The workers that are trained on: the most active ones.
    pub workers: usize,
    /// `simulated`: a majority that wants long summaries and a minority that wants short ones, as in the paper; `real`: what the
    /// annotators chose.
    pub annotators: Annotators,
    /// `sft`: pairs of two SFT policies only, as in the paper; `all`.
    pub policies: Policies,
    /// The seed of the simulated population.
    pub population_seed: u32,
    /// The population is the first draw from the seed upward whose minority holds a share of the seen comparisons
    /// within these bounds; absent: the draw of the seed itself.
    pub minority_share: Option<[f64; 2]>,
    /// Shares of posts for train, validation and test.
    pub split: [f64; 3],
    /// Seeds of the split by post; with more than one, results are pooled over all of them.
    pub split_seeds: Vec<u64>,
    /// At most so many training comparisons; 0: all.
    pub train_limit: usize,
    /// At most so many test comparisons; 0: all.
    pub test_limit: usize,
    /// Train on single responses: each training comparison becomes a thumb up and a thumb down.
    pub thumbs: bool,
    /// `[data.newcomers]`: users who come once everybody else is trained; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<NewcomersSection>,
}

impl Default for TldrConfig {
    fn default() -> Self {
        Self {
            paths: vec!["datasets/mini/tldr.jsonl".into()],
            workers: 10,
            annotators: Annotators::Simulated,
            policies: Policies::Sft,
            population_seed: 3456,
            minority_share: None,
            split: [0.7, 0.1, 0.2],
            split_seeds: vec![0],
            train_limit: 0,
            test_limit: 0,
            thumbs: false,
            newcomers: None,
        }
    }
}

/// Whose choices are learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Annotators {
    /// Simulated ones of two groups.
    Simulated,
    /// Those of the files.
    Real,
}

/// Which policies' summaries are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policies {
    /// Supervised ones only.
    Sft,
    /// All.
    All,
}

//! The `[data]` section of the P-SOUPS experiment.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trainer::pref_data::SplitRatios;
use trainer::pref_data::psoups::{PsoupsOptions, SplitBy};

use crate::newcomers::NewcomersSection;

/// `[data]`. The default is what the paper describes, without leaks; `split_by = "row"` with `split = [0.9, 0.0, 0.1]`,
/// `keep_leaking = true` and `max_characters = 4800` is what the released code does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PsoupsConfig {
    /// The official folder or files (`P1A.json` .. `P3B.json`), used where `--data` names none.
    pub paths: Vec<String>,
    /// `instruction` (default): no instruction is on two sides; `row`: the released code's split, which leaks.
    pub split_by: SplitBy,
    /// Shares of instructions (or rows) for train, validation and test.
    pub split: [f64; 3],
    /// Seeds of the split; with more than one, results are pooled over all of them.
    pub split_seeds: Vec<u64>,
    /// Keep rows that still say the preference in another spelling, as the released code does. Default false.
    pub keep_leaking: bool,
    /// Leave out rows with more characters in instruction and response; 0 (default): none.
    pub max_characters: usize,
    /// At most so many training comparisons; 0: all.
    pub train_limit: usize,
    /// At most so many test comparisons; 0: all.
    pub test_limit: usize,
    /// What stands before and after an instruction where the template is raw.
    pub around: [String; 2],
    /// Instructions that responses are sampled for, such as the official `koala_eval_50.json`; absent: held-out ones.
    pub prompts: Option<PathBuf>,
    /// `[data.newcomers]`: users who come once everybody else is trained, and want what three of them want; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<NewcomersSection>,
}

impl Default for PsoupsConfig {
    fn default() -> Self {
        Self {
            paths: vec!["datasets/mini/psoups".into()],
            split_by: SplitBy::Instruction,
            split: [0.7, 0.1, 0.2],
            split_seeds: vec![0],
            keep_leaking: false,
            max_characters: 0,
            train_limit: 0,
            test_limit: 0,
            around: ["<|user|>\n".into(), " \n<|assistant|>\n".into()],
            prompts: None,
            newcomers: None,
        }
    }
}

impl PsoupsConfig {
    /// For the loader.
    pub fn options(&self, split_seed: u64) -> PsoupsOptions {
        PsoupsOptions {
            split_by: self.split_by,
            ratios: SplitRatios {
                train: self.split[0],
                validation: self.split[1],
                test: self.split[2],
            },
            split_seed,
            keep_leaking: self.keep_leaking,
            max_characters: (self.max_characters > 0).then_some(self.max_characters),
            ..PsoupsOptions::default()
        }
    }
}

//! Comparisons to train on, and comparisons for all choices.

use std::collections::HashSet;

use pref_data::{
    Comparison, DataError, Prompt, Skipped, SplitError, SplitRatios, UserId, read_comparisons,
};

use crate::config::DataSection;
use crate::error::TrainError;

/// The split does not move with the seed of a run, so that runs can be compared.
const SPLIT_SEED: u64 = 0;

/// Training and validation.
#[derive(Debug, Default)]
pub struct Sides {
    /// Trained on.
    pub train: Vec<Comparison>,
    /// For all choices; may be empty.
    pub validation: Vec<Comparison>,
    /// Records left out, by reason.
    pub skipped: Skipped,
}

impl Sides {
    /// Reads the files of a `[data]` section; where it names no validation files, a share of the prompts is held out.
    ///
    /// # Errors
    /// A broken record unless the section is lenient, naming file, line and field; no comparison at all; or too few prompts
    /// to hold any out.
    pub fn read(section: &DataSection) -> Result<Self, TrainError> {
        section.validate()?;
        let (train, mut skipped) = read_comparisons(&section.train, section.options())?;
        if section.validation.is_empty() {
            let sides = Self::split(train, section.validation_share)?;
            return Ok(Self { skipped, ..sides });
        }
        let (validation, more) = read_comparisons(&section.validation, section.options())?;
        skipped.merge(&more);
        Ok(Self {
            train,
            validation,
            skipped,
        })
    }

    /// Refuses validation comparisons that are all trained on, and warns where some are: a step that is the best on these is not
    /// the best on others.
    ///
    /// # Errors
    /// Names the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        let all = self.validation.len();
        let trained: HashSet<_> = self.train.iter().map(judgement).collect();
        let same = |c: &&Comparison| trained.contains(&judgement(c));
        let same = self.validation.iter().filter(same).count();
        if same > 0 && same == all {
            let found = format!("a leak: all its {all} comparisons are in data.train, too");
            let expected = "comparisons that are not trained on; leave it out to hold out a share of the prompts";
            return Err(TrainError::config("data.validation", found, expected));
        }
        let trained: HashSet<_> = self.train.iter().map(pair).collect();
        let pairs = |c: &&Comparison| trained.contains(&pair(c));
        let pairs = self.validation.iter().filter(pairs).count();
        if pairs > 0 {
            tracing::warn!(
                "a leak: of {all} comparisons of data.validation, {pairs} have prompt and responses of one in data.train, \
                 {same} its user and choice, too; the best step is chosen on what was trained on"
            );
        }
        Ok(())
    }

    /// Holds out all comparisons of a share of the prompts.
    ///
    /// # Errors
    /// Too few prompts to hold any out.
    pub fn split(comparisons: Vec<Comparison>, share: f64) -> Result<Self, TrainError> {
        let ratios = SplitRatios {
            train: 1.0 - share,
            validation: share,
            test: 0.0,
        };
        let split = pref_data::split_by_source(comparisons, &ratios, SPLIT_SEED);
        let split = split.map_err(|error| match error {
            SplitError::TooFewSources { found, .. } if share > 0.0 => {
                let expected = format!(
                    "0 or data with more prompts: there is nothing to hold out of {found} (data.validation names other files)"
                );
                TrainError::config("data.validation_share", share, expected)
            }
            other => DataError::Split(other).into(),
        })?;
        Ok(Self {
            train: split.train,
            validation: split.validation,
            skipped: Skipped::default(),
        })
    }
}

/// Prompt and responses in the order of their texts.
fn pair(comparison: &Comparison) -> (&Prompt, [&str; 2]) {
    let mut responses = [comparison.chosen.as_str(), comparison.rejected.as_str()];
    responses.sort_unstable();
    (&comparison.prompt, responses)
}

/// Who preferred what.
fn judgement(comparison: &Comparison) -> (Option<&UserId>, &Prompt, [&str; 2]) {
    let responses = [comparison.chosen.as_str(), comparison.rejected.as_str()];
    (comparison.user.as_ref(), &comparison.prompt, responses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparisons(prompts: std::ops::Range<usize>) -> Vec<Comparison> {
        if prompts.is_empty() {
            return Vec::new();
        }
        let line = |i: usize| {
            format!(
                "{{\"prompt\": \"prompt {i}\", \"chosen\": \"yes\", \"rejected\": \"no\", \"user\": \"ann\"}}\n"
            )
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.jsonl");
        std::fs::write(&path, prompts.map(line).collect::<String>()).unwrap();
        read_comparisons(&[path], pref_data::DataOptions::default())
            .unwrap()
            .0
    }

    fn sides(train: std::ops::Range<usize>, validation: std::ops::Range<usize>) -> Sides {
        Sides {
            train: comparisons(train),
            validation: comparisons(validation),
            skipped: Skipped::default(),
        }
    }

    #[test]
    fn validation_that_is_training_is_called_a_leak() {
        let error = sides(0..9, 2..5).validate().unwrap_err().to_string();
        assert!(
            error.contains("`data.validation` is a leak: all its 3 comparisons"),
            "{error}"
        );
        sides(0..9, 8..12).validate().unwrap(); // Some: a warning.
        sides(0..9, 9..12).validate().unwrap();
        sides(0..9, 0..0).validate().unwrap();
    }

    #[test]
    fn one_prompt_has_nothing_to_hold_out_of() {
        let error = Sides::split(comparisons(0..1), 0.1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("`data.validation_share` is 0.1"), "{error}");
        assert_eq!(Sides::split(comparisons(0..1), 0.0).unwrap().train.len(), 1);
    }
}

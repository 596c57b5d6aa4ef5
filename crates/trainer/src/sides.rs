//! Comparisons to train on, and comparisons for all choices.

use pref_data::{Comparison, DataError, Skipped, SplitRatios, read_comparisons};

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
        let split = split.map_err(DataError::Split)?;
        Ok(Self {
            train: split.train,
            validation: split.validation,
            skipped: Skipped::default(),
        })
    }
}

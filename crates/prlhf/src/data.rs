//! Comparisons from files of any layout.

use std::path::Path;

use trainer::TrainError;
use trainer::config::DataSection;
use trainer::pref_data::{
    Comparison, DataError, ReadOptions, Skipped, SplitRatios, split_by_source,
};

/// The split does not move with the seed of a run, so that runs can be compared.
const SPLIT_SEED: u64 = 0;

/// Comparisons and what was left out.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of the files.
    pub comparisons: Vec<Comparison>,
    /// Records left out, by reason.
    pub skipped: Skipped,
}

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

/// Reads files and folders in the general layout, or official ones: TL;DR records with the annotators' own choices, P-SOUPS
/// profiles (users `1` to `6`, the preference text removed), PRISM dialogues with the user text of the survey.
///
/// # Errors
/// A broken record unless `lenient`, naming file, line and field, or no comparison at all.
pub fn load<P: AsRef<Path>>(paths: &[P], lenient: bool) -> Result<Loaded, TrainError> {
    let (comparisons, skipped) =
        trainer::pref_data::read_comparisons(paths, ReadOptions { lenient })?;
    Ok(Loaded {
        comparisons,
        skipped,
    })
}

/// Loads a `[data]` section; where no validation files are given, a share of the prompts is held out.
///
/// # Errors
/// As [`load`], or too few prompts to hold any out.
pub fn sides(section: &DataSection) -> Result<Sides, TrainError> {
    let Loaded {
        comparisons,
        mut skipped,
    } = load(&section.train, section.lenient)?;
    if !section.validation.is_empty() {
        let validation = load(&section.validation, section.lenient)?;
        skipped.merge(&validation.skipped);
        return Ok(Sides {
            train: comparisons,
            validation: validation.comparisons,
            skipped,
        });
    }
    let ratios = SplitRatios {
        train: 1.0 - section.validation_share,
        validation: section.validation_share,
        test: 0.0,
    };
    let split = split_by_source(comparisons, &ratios, SPLIT_SEED).map_err(DataError::Split)?;
    Ok(Sides {
        train: split.train,
        validation: split.validation,
        skipped,
    })
}

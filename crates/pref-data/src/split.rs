//! Train, validation and test, by source: no post, pair or swapped pair is on two sides.
//!
//! A row-wise split would leak: simulated labels depend on the pair alone.

mod linked;

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;
use crate::error::SplitError;
use crate::hash;

pub(crate) use linked::{pair_key, unit_names};

/// Shares of sources, which sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRatios {
    /// Trained on.
    pub train: f64,
    /// For all choices.
    pub validation: f64,
    /// For every reported figure.
    pub test: f64,
}

impl Default for SplitRatios {
    fn default() -> Self {
        Self {
            train: 0.7,
            validation: 0.1,
            test: 0.2,
        }
    }
}

impl SplitRatios {
    pub(crate) fn validate(&self) -> Result<(), SplitError> {
        let parts = [self.train, self.validation, self.test];
        let valid = parts.iter().all(|part| (0.0..=1.0).contains(part));
        if valid && (parts.iter().sum::<f64>() - 1.0).abs() < 1e-6 {
            return Ok(());
        }
        Err(SplitError::Ratios {
            train: self.train,
            validation: self.validation,
            test: self.test,
        })
    }
}

/// One side of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// Trained on.
    Train,
    /// For all choices.
    Validation,
    /// For every reported figure.
    Test,
}

/// How the sides were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitOrigin {
    /// Training as published; the published validation records are shared out to validation and test by source.
    Official,
    /// All three by source.
    BySource,
    /// All three by instruction, across users.
    ByInstruction,
    /// Rows at random: what they share may be on both sides.
    ByRow,
    /// Users seen or not, then dialogues of seen users (PRISM).
    ByDialogue,
}

impl fmt::Display for SplitOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Official => "official training records; the official validation records by post",
            Self::BySource => {
                "by post (the files do not hold both training and validation records)"
            }
            Self::ByInstruction => "by instruction, across all users",
            Self::ByRow => "by row: the same instruction may be on two sides",
            Self::ByDialogue => "by user, then by dialogue",
        })
    }
}

/// Comparisons on three sides, each in the order of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Trained on.
    pub train: Vec<Comparison>,
    /// For all choices.
    pub validation: Vec<Comparison>,
    /// For every reported figure.
    pub test: Vec<Comparison>,
    /// How the sides were made.
    pub origin: SplitOrigin,
}

/// Splits by source. Sources that share a pair (same prompt, same two responses in either order) stay together. The
/// units are ordered by a hash of `(seed, source)` and cut at the ratios, so the order of `items` has no influence and
/// every part with a positive ratio gets at least one unit.
///
/// # Errors
/// [`SplitError::Ratios`] for ratios that are not shares of one, [`SplitError::TooFewSources`] if a part would be empty.
pub fn split_by_source(
    items: Vec<Comparison>,
    ratios: &SplitRatios,
    seed: u64,
) -> Result<Split, SplitError> {
    ratios.validate()?;
    let names = unit_names(&items);
    let parts = assign(&names, ratios, seed)?;
    let mut split = Split::empty(SplitOrigin::BySource);
    for (item, name) in items.into_iter().zip(&names) {
        // invariant: `assign` gives every name of `names` a part.
        let part = parts.get(name.as_str()).copied().unwrap_or(Part::Train);
        split.side(part).push(item);
    }
    Ok(split)
}

impl Split {
    pub(crate) fn empty(origin: SplitOrigin) -> Self {
        Self {
            train: Vec::new(),
            validation: Vec::new(),
            test: Vec::new(),
            origin,
        }
    }

    pub(crate) fn side(&mut self, part: Part) -> &mut Vec<Comparison> {
        match part {
            Part::Train => &mut self.train,
            Part::Validation => &mut self.validation,
            Part::Test => &mut self.test,
        }
    }

    /// Proves that no source, pair or swapped pair is on two sides.
    ///
    /// # Errors
    /// [`SplitError::Leak`] with the first one that is.
    pub fn validate_disjoint(&self) -> Result<(), SplitError> {
        let mut sources: HashMap<&str, &'static str> = HashMap::new();
        let mut pairs: HashMap<u128, &'static str> = HashMap::new();
        for (side, items) in [
            ("train", &self.train),
            ("validation", &self.validation),
            ("test", &self.test),
        ] {
            for item in items {
                let source = *sources.entry(&item.source).or_insert(side);
                let pair = *pairs.entry(pair_key(item)).or_insert(side);
                for (what, first) in [("source", source), ("pair", pair)] {
                    if first != side {
                        let name = item.source.clone();
                        return Err(SplitError::Leak {
                            what,
                            name,
                            first,
                            second: side,
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

/// A part for every unit.
fn assign<'a>(
    names: &'a [String],
    ratios: &SplitRatios,
    seed: u64,
) -> Result<HashMap<&'a str, Part>, SplitError> {
    let units: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut units: Vec<&str> = units.into_iter().collect();
    units.sort_by_cached_key(|name| (hash::rank("split", seed, name), *name));
    let (first, second) = cuts(units.len(), ratios)?;
    let part = |place| match place {
        _ if place < first => Part::Train,
        _ if place < second => Part::Validation,
        _ => Part::Test,
    };
    Ok(units
        .into_iter()
        .enumerate()
        .map(|(place, name)| (name, part(place)))
        .collect())
}

/// Where validation and test begin.
fn cuts(units: usize, ratios: &SplitRatios) -> Result<(usize, usize), SplitError> {
    let needed = |ratio: f64| usize::from(ratio > 0.0);
    let (train, validation, test) = (
        needed(ratios.train),
        needed(ratios.validation),
        needed(ratios.test),
    );
    let expected = train + validation + test;
    if units < expected {
        let found = units;
        return Err(SplitError::TooFewSources { found, expected });
    }
    let at = |share: f64| (share * units as f64).round() as usize;
    let first = at(ratios.train).clamp(train, units - validation - test);
    let second = at(ratios.train + ratios.validation).clamp(first + validation, units - test);
    Ok((first, second))
}

//! What a policy was trained on, as far as an evaluation needs to know.

use std::collections::HashSet;
use std::path::PathBuf;

use terminal::hub;
use trainer::TrainError;
use trainer::config::DataSection;
use trainer::pref_data::general::source_of;
use trainer::pref_data::{Comparison, Prompt, read_comparisons};
use trainer::sides::Sides;

use super::report::TrainingData;

/// Prompts and users of the training data.
pub enum TrainedOn {
    /// It was read.
    Known {
        /// Comparisons.
        comparisons: usize,
        /// Hashes of the prompts.
        prompts: HashSet<String>,
        /// Ids of the users.
        users: HashSet<String>,
    },
    /// It could not be, for this reason.
    Unknown(String),
}

impl TrainedOn {
    /// Reads the files in `named` or, if there are none, what a `[data]` section trains on: its validation share was held
    /// out and does not count.
    ///
    /// # Errors
    /// Files in `named` that cannot be read. Those of the section may have been moved since.
    pub fn read(
        named: &[PathBuf],
        lenient: bool,
        section: &DataSection,
    ) -> Result<Self, TrainError> {
        if !named.is_empty() {
            let mut options = section.options();
            options.read.lenient = lenient;
            let (comparisons, _) = read_comparisons(&hub::locate_data(named)?, options)?;
            return Ok(Self::of(&comparisons));
        }
        if section.train.is_empty() {
            let reason = "no configuration names it; --training-data does";
            return Ok(Self::Unknown(reason.into()));
        }
        if section.train.iter().any(|path| path.as_os_str() == "-") {
            let reason = "it came from standard input; --training-data names it";
            return Ok(Self::Unknown(reason.into()));
        }
        let sides = hub::located(section).and_then(|section| Sides::read(&section));
        Ok(match sides {
            Ok(sides) => Self::of(&sides.train),
            Err(error) => Self::Unknown(error.to_string()),
        })
    }

    fn of(comparisons: &[Comparison]) -> Self {
        let users = comparisons.iter().filter_map(|c| c.user.as_ref());
        Self::Known {
            comparisons: comparisons.len(),
            prompts: comparisons.iter().map(|c| source_of(&c.prompt)).collect(),
            users: users.map(|user| user.as_str().to_string()).collect(),
        }
    }

    /// Whether that very prompt was trained on, with whatever responses; none if nobody knows.
    pub fn contains(&self, prompt: &Prompt) -> Option<bool> {
        match self {
            Self::Known { prompts, .. } => Some(prompts.contains(&source_of(prompt))),
            Self::Unknown(_) => None,
        }
    }

    /// Whether the training data is known to hold comparisons of that user.
    pub fn names(&self, user: &str) -> bool {
        matches!(self, Self::Known { users, .. } if users.contains(user))
    }

    /// For the report.
    pub fn summary(&self) -> TrainingData {
        match self {
            Self::Known {
                comparisons,
                prompts,
                ..
            } => TrainingData::Known {
                comparisons: *comparisons,
                prompts: prompts.len(),
            },
            Self::Unknown(reason) => TrainingData::Unknown(reason.clone()),
        }
    }
}

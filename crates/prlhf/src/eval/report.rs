//! Everything that an evaluation found, as `prlhf eval --json` writes it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use statistics::Calibration;

use super::accuracy::Accuracy;
use super::rows::{EvalRow, comparisons_hash};
use super::spread::SpreadReport;
use super::ways::AnsweredReport;
use trainer::TrainError;

/// The version of the layout.
pub const VERSION: u32 = 1;

/// An evaluation. The keys of [`Accuracy`] stand beside the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvalReport {
    /// [`VERSION`].
    pub version: u32,
    /// The base model.
    pub model: String,
    /// The folder of adapters.
    pub adapters: String,
    /// Whether there is a user model.
    pub user_model: bool,
    /// A name for the set of comparisons: [`comparisons_hash`].
    pub comparisons_hash: String,
    /// What is known of the training data.
    pub training_data: TrainingData,
    /// Accuracy: `all`, `seen`, `unseen`, `without_user`, `grid`, `over_users`, `users`.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Calibration of the preference probability.
    pub calibration: Calibration,
    /// The same of fitted users, with and without how sure their rows are; where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadReport>,
    /// Other ways to serve users, from their answers; where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<AnsweredReport>,
    /// Mean preference loss.
    pub loss: f64,
    /// Mean KL to the reference per response token, in nats; none of a reward model, which writes nothing.
    pub kl: Option<f64>,
    /// Mean negative log-likelihood per response token, in nats.
    pub nll: Option<f64>,
    /// The same of the reference.
    pub nll_reference: Option<f64>,
    /// Every comparison, in the order of the data.
    pub rows: Vec<EvalRow>,
}

/// What is known of the training data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingData {
    /// It was read.
    Known {
        /// Comparisons trained on.
        comparisons: usize,
        /// Their different prompts.
        prompts: usize,
    },
    /// It could not be read, for this reason: seen and unseen prompts are not told apart.
    Unknown(String),
}

/// What a comparison of two evaluations needs of each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SavedEval {
    /// [`VERSION`].
    pub version: u32,
    /// The base model.
    pub model: String,
    /// The folder of adapters.
    pub adapters: String,
    /// A name for the set of comparisons.
    pub comparisons_hash: String,
    /// Every comparison.
    pub rows: Vec<EvalRow>,
    /// Other ways to serve users, where they were asked for.
    #[serde(default)]
    pub answered: Option<SavedAnswered>,
}

/// What a comparison of two evaluations needs of other ways to serve users.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SavedAnswered {
    served: Vec<SavedWay>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct SavedWay {
    way: String,
    rows: Vec<EvalRow>,
}

impl SavedEval {
    /// Reads what `prlhf eval --json` wrote.
    ///
    /// # Errors
    /// Another file, another version, or rows that were changed by hand.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read(path).map_err(|e| TrainError::io(path, e))?;
        let saved: Self = serde_json::from_slice(&text).map_err(|e| {
            let expected = "expected a file that `prlhf eval --json` wrote";
            TrainError::format(path, format!("{expected}: {e}"))
        })?;
        if saved.version != VERSION {
            let problem = format!("version {}, expected {VERSION}", saved.version);
            return Err(TrainError::format(path, problem));
        }
        if comparisons_hash(&saved.rows) != saved.comparisons_hash {
            let problem = "`comparisons_hash` is not that of `rows`: the file was changed";
            return Err(TrainError::format(path, problem));
        }
        Ok(saved)
    }

    /// What `prlhf eval --json --answers` wrote to `path` of users served in one way.
    ///
    /// # Errors
    /// As [`read`](Self::read), or a way that is not there.
    pub fn read_way(path: &Path, way: &str) -> Result<Self, TrainError> {
        let mut saved = Self::read(path)?;
        let served = saved.answered.take().map(|answered| answered.served);
        let mut served = served.unwrap_or_default();
        let Some(place) = served.iter().position(|served| served.way == way) else {
            let there: Vec<&str> = served.iter().map(|served| served.way.as_str()).collect();
            let problem = match there.is_empty() {
                true => "the evaluation was made without --answers".into(),
                false => format!("it has {}", there.join(", ")),
            };
            let way = printable::quoted(way);
            let problem = format!("no users served as {way}: {problem}");
            return Err(TrainError::format(path, problem));
        };
        let rows = served.swap_remove(place).rows;
        Ok(Self {
            comparisons_hash: comparisons_hash(&rows),
            rows,
            ..saved
        })
    }
}

impl From<EvalReport> for SavedEval {
    fn from(report: EvalReport) -> Self {
        Self {
            version: report.version,
            model: report.model,
            adapters: report.adapters,
            comparisons_hash: report.comparisons_hash,
            rows: report.rows,
            answered: None,
        }
    }
}

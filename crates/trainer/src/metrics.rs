//! Metrics as JSON Lines: one object per optimiser step and per validation.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use pdpo_loss::ScoredRow;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::example::Example;
use crate::tokenise::TokenizedPair;

/// One line of `metrics.jsonl`. Names as in TRL.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Line {
    /// `train` or `validation`.
    pub split: String,
    /// Optimiser steps done.
    pub step: usize,
    /// Passes over the data, with fraction.
    pub epoch: f64,
    /// The objective (train), the mean loss with every row's own user (validation). Both are what the objective says of the same
    /// rows.
    pub loss: f64,
    /// The mean of each term of the loss by name, where it has several: in the rows that rewards tell of, which are those of the
    /// users' branch where there is one.
    #[serde(
        rename = "loss_parts",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub loss_parts: BTreeMap<String, f64>,
    /// Mean implicit reward of preferred responses (preferences only, as all rewards).
    #[serde(
        rename = "rewards/chosen",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rewards_chosen: Option<f64>,
    /// Mean implicit reward of the others.
    #[serde(
        rename = "rewards/rejected",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rewards_rejected: Option<f64>,
    /// Mean difference.
    #[serde(
        rename = "rewards/margins",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rewards_margins: Option<f64>,
    /// The share of comparisons with a positive margin.
    #[serde(
        rename = "rewards/accuracies",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rewards_accuracies: Option<f64>,
    /// The same by user.
    #[serde(
        rename = "rewards/accuracies_by_user",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub by_user: BTreeMap<String, f64>,
    /// How many comparisons each user's share is over. Comparisons without a user count as user `""`.
    #[serde(
        rename = "comparisons_by_user",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub count_by_user: BTreeMap<String, u64>,
    /// The probability that a response ends before its first word, by user; `""` is the generic user (validation only, where
    /// [`Endings`](crate::endings::Endings) are watched).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ends_at_once_by_user: BTreeMap<String, f64>,
    /// Mean reward of the responses that the policy wrote, by the scorer (online only, as all that follows up to the log-probs): those of
    /// the users' branch where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
    /// Their mean log-ratio to the reference in nats, an estimate of the KL divergence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
    /// Their mean length in tokens, without their ends.
    #[serde(
        rename = "completions/mean_length",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub mean_length: Option<f64>,
    /// The share of those that reached the longest length.
    #[serde(
        rename = "completions/clipped_ratio",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub cut_ratio: Option<f64>,
    /// The share of those without a word.
    #[serde(
        rename = "completions/empty_ratio",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub empty_ratio: Option<f64>,
    /// Calls that the scorer made for this line (only of those who tell, such as a judge).
    #[serde(
        rename = "scorer/calls",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub scorer_calls: Option<u64>,
    /// Answers that it knew from before.
    #[serde(
        rename = "scorer/cached",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub scorer_cached: Option<u64>,
    /// Mean reward by user; `""` is the generic user (validation only, as what follows by user).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reward_by_user: BTreeMap<String, f64>,
    /// Mean log-ratio to the reference by user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kl_by_user: BTreeMap<String, f64>,
    /// Mean words by user.
    #[serde(
        rename = "completions/mean_words_by_user",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub words_by_user: BTreeMap<String, f64>,
    /// The share of responses without a word by user.
    #[serde(
        rename = "completions/empty_ratio_by_user",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub empty_by_user: BTreeMap<String, f64>,
    /// Mean summed log-prob of preferred responses.
    #[serde(
        rename = "logps/chosen",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub logps_chosen: Option<f64>,
    /// Mean summed log-prob of the others.
    #[serde(
        rename = "logps/rejected",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub logps_rejected: Option<f64>,
    /// The norm of the adapters' gradient before clipping (train only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// That of the user model's: shared tensors and users' rows (train only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_grad_norm: Option<f64>,
    /// The rate of the adapters (train only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The rate of the user model (train only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_learning_rate: Option<f64>,
    /// Input tokens per second without padding (train only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Comparisons per second.
    pub comparisons_per_second: f64,
}

impl Line {
    /// Fills in what rows of preferences tell, one row per comparison.
    pub(crate) fn describe_preferences(&mut self, rows: &[(&Example, &ScoredRow)]) {
        let n = rows.len().max(1) as f64;
        // Of a thumb one response does not exist, and counts for no mean.
        let mean =
            |side: fn(&TokenizedPair) -> &Vec<u32>, of: fn(&ScoredRow) -> f32| -> Option<f64> {
                let there = rows
                    .iter()
                    .filter(|(example, _)| !side(example.pair()).is_empty());
                let values: Vec<f64> = there.map(|(_, row)| f64::from(of(row))).collect();
                let count = values.len() as f64;
                (!values.is_empty()).then(|| values.into_iter().sum::<f64>() / count)
            };
        self.rewards_chosen = mean(|pair| &pair.chosen, |r| r.reward_chosen);
        self.rewards_rejected = mean(|pair| &pair.rejected, |r| r.reward_rejected);
        let rewards = self.rewards_chosen.zip(self.rewards_rejected);
        self.rewards_margins = rewards.map(|(chosen, rejected)| chosen - rejected);
        self.logps_chosen = mean(|pair| &pair.chosen, |r| r.logp_chosen);
        self.logps_rejected = mean(|pair| &pair.rejected, |r| r.logp_rejected);
        let mut users = BTreeMap::<String, (u64, u64)>::new();
        for (example, row) in rows {
            let owner = example.item.user.clone().unwrap_or_default();
            let (correct, count) = users.entry(owner).or_default();
            *correct += u64::from(row.correct());
            *count += 1;
            for (name, value) in row.parts.iter().filter(|_| row.parts.len() > 1) {
                let sum = self.loss_parts.entry((*name).into()).or_default();
                *sum += f64::from(*value) / n;
            }
        }
        let correct: u64 = users.values().map(|(correct, _)| correct).sum();
        self.rewards_accuracies = (!rows.is_empty()).then_some(correct as f64 / n);
        for (user, (correct, count)) in users {
            let share = correct as f64 / count as f64;
            self.by_user.insert(user.clone(), share);
            self.count_by_user.insert(user, count);
        }
    }
}

/// The lines of a file.
///
/// # Errors
/// A file that cannot be read, or that holds something else.
pub fn read(path: &Path) -> Result<Vec<Line>, TrainError> {
    let text = fs::read_to_string(path).map_err(|e| TrainError::io(path, e))?;
    let parse = |line| serde_json::from_str(line).map_err(|e| TrainError::format(path, e));
    text.lines().map(parse).collect()
}

/// The file, appended to line by line.
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl MetricsFile {
    /// Opens the file and drops what lies behind its first `keep` bytes: lines of steps that will be done again.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn open(path: &Path, keep: u64) -> Result<Self, TrainError> {
        let error = |e| TrainError::io(path, e);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(error)?;
        let found = file.metadata().map_err(error)?.len();
        let mut kept = keep.min(found);
        if found < keep {
            let path = path.display();
            tracing::warn!(
                "{path} lacks lines of steps before the checkpoint ({found} of {keep} bytes); those that are there stay"
            );
            kept = whole_lines(&mut file).map_err(error)?;
        }
        file.set_len(kept).map_err(error)?;
        file.seek(SeekFrom::End(0)).map_err(error)?;
        Ok(Self {
            path: path.into(),
            file,
            bytes: kept,
        })
    }

    /// Writes one line.
    ///
    /// # Errors
    /// A file that cannot be written, such as on a full disk.
    pub fn write(&mut self, line: &Line) -> Result<(), TrainError> {
        let mut text =
            serde_json::to_string(line).map_err(|e| TrainError::format(&self.path, e))?;
        text.push('\n');
        self.bytes += text.len() as u64;
        self.file
            .write_all(text.as_bytes())
            .map_err(|e| TrainError::io(&self.path, e))
    }

    /// Has the lines on the disk.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn sync(&self) -> Result<(), TrainError> {
        let synced = self.file.sync_data();
        synced.map_err(|e| TrainError::io(&self.path, e))
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Bytes up to the end of the last line that has one.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let (mut reader, mut whole, mut line) = (BufReader::new(file), 0, Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.ends_with(b"\n") {
            whole += line.len() as u64;
        }
        line.clear();
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_shorter_than_the_checkpoint_says_keeps_its_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        fs::write(&path, "{\"a\":1}\n{\"a\":2}\n{\"a\"").unwrap();
        let file = MetricsFile::open(&path, 1 << 40).unwrap();
        assert_eq!(file.bytes(), 16);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
        MetricsFile::open(&path, 8).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n");
    }
}

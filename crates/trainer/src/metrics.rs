//! Metrics as JSON Lines: one object per optimiser step and per validation.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use pdpo_loss::Branch;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::eval::Scored;
use crate::schedule::Rates;
use crate::step::{Example, StepReport};

/// One line of `metrics.jsonl`. Names as in TRL.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Line {
    /// `train` or `validation`.
    pub split: String,
    /// Optimiser steps done.
    pub step: usize,
    /// Passes over the data, with fraction.
    pub epoch: f64,
    /// The objective (train), the mean loss with every row's own user (validation).
    pub loss: f64,
    /// Mean implicit reward of preferred responses.
    #[serde(rename = "rewards/chosen")]
    pub rewards_chosen: f64,
    /// Mean implicit reward of the others.
    #[serde(rename = "rewards/rejected")]
    pub rewards_rejected: f64,
    /// Mean difference.
    #[serde(rename = "rewards/margins")]
    pub rewards_margins: f64,
    /// The share of comparisons with a positive margin.
    #[serde(rename = "rewards/accuracies")]
    pub rewards_accuracies: f64,
    /// The same by user.
    #[serde(rename = "rewards/accuracies_by_user")]
    pub by_user: BTreeMap<String, f64>,
    /// How many comparisons each user's share is over. Comparisons without a user count as user `""`.
    #[serde(rename = "comparisons_by_user")]
    pub count_by_user: BTreeMap<String, u64>,
    /// Mean summed log-prob of preferred responses (train only).
    #[serde(
        rename = "logps/chosen",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub logps_chosen: Option<f64>,
    /// Mean summed log-prob of the others (train only).
    #[serde(
        rename = "logps/rejected",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub logps_rejected: Option<f64>,
    /// Global gradient norm before clipping (train only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
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

#[derive(Default)]
struct Means {
    count: f64,
    chosen: f64,
    rejected: f64,
    correct: f64,
    users: BTreeMap<String, (u64, u64)>,
}

impl Means {
    fn add(&mut self, example: &Example, chosen: f32, rejected: f32) {
        let correct = u8::from(chosen > rejected);
        self.count += 1.0;
        self.chosen += f64::from(chosen);
        self.rejected += f64::from(rejected);
        self.correct += f64::from(correct);
        let owner = example.owner.clone().unwrap_or_default();
        let entry = self.users.entry(owner).or_default();
        entry.0 += u64::from(correct);
        entry.1 += 1;
    }

    fn fill(self, line: &mut Line) {
        let n = self.count.max(1.0);
        line.rewards_chosen = self.chosen / n;
        line.rewards_rejected = self.rejected / n;
        line.rewards_margins = (self.chosen - self.rejected) / n;
        line.rewards_accuracies = self.correct / n;
        for (user, (correct, count)) in self.users {
            line.by_user
                .insert(user.clone(), correct as f64 / count as f64);
            line.count_by_user.insert(user, count);
        }
    }
}

/// The line of a training step. Rewards are those of the user branch, of the generic one where there is no other.
pub fn train_line<E: Borrow<Example>>(
    batch: &[E],
    report: &StepReport,
    rates: &Rates,
    (step, epoch, seconds): (usize, f64, f64),
) -> Line {
    let shown = match report.rows.iter().any(|r| r.branch == Branch::User) {
        true => Branch::User,
        false => Branch::Generic,
    };
    let mut means = Means::default();
    let (mut chosen, mut rejected) = (0.0, 0.0);
    for row in report.rows.iter().filter(|r| r.branch == shown) {
        let example = batch[row.example].borrow();
        means.add(example, row.reward_chosen, row.reward_rejected);
        chosen += f64::from(row.logp_chosen);
        rejected += f64::from(row.logp_rejected);
    }
    let n = means.count.max(1.0);
    let mut line = Line {
        split: "train".into(),
        step,
        epoch,
        loss: report.loss,
        logps_chosen: Some(chosen / n),
        logps_rejected: Some(rejected / n),
        grad_norm: Some(report.grad_norm),
        learning_rate: Some(rates.adapters),
        users_learning_rate: Some(rates.users),
        tokens_per_second: Some(report.tokens as f64 / seconds),
        comparisons_per_second: batch.len() as f64 / seconds,
        ..Default::default()
    };
    means.fill(&mut line);
    line
}

/// The line of a validation.
pub fn validation_line(
    examples: &[Example],
    scored: &[Scored],
    (step, epoch, seconds): (usize, f64, f64),
) -> Line {
    let mut means = Means::default();
    for (example, row) in examples.iter().zip(scored) {
        means.add(example, row.reward_chosen, row.reward_rejected);
    }
    let losses: f64 = scored.iter().map(|s| f64::from(s.loss)).sum();
    let mut line = Line {
        split: "validation".into(),
        step,
        epoch,
        loss: losses / scored.len().max(1) as f64,
        comparisons_per_second: scored.len() as f64 / seconds,
        ..Default::default()
    };
    means.fill(&mut line);
    line
}

/// The file, appended to line by line.
pub struct MetricsFile {
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
        file.set_len(keep).map_err(error)?;
        file.seek(SeekFrom::End(0)).map_err(error)?;
        Ok(Self {
            path: path.into(),
            file,
            bytes: keep,
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

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

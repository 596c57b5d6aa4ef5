//! A training run: batches in order, validation, the best adapters kept, checkpoints, exact resume.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use llm_backbone::LoraConfig;
use sha2::{Digest, Sha256};
use user_model::UserTable;

use crate::checkpoint::{self, Best, State};
use crate::config::{Objective, TrainingSection};
use crate::error::TrainError;
use crate::metrics::{Line, MetricsFile, train_line, validation_line};
use crate::policy::Policy;
use crate::reference::hex;
use crate::schedule::Schedule;
use crate::step::{Example, Learner};
use crate::{adapters, eval, order};

/// What a run is made of.
pub struct SessionConfig {
    /// The folder of the run: `metrics.jsonl`, `checkpoint/`, `adapters/`.
    pub dir: PathBuf,
    /// The base model's name, written into the adapters.
    pub base: String,
    /// Moves the order of the data.
    pub seed: u64,
    /// `[lora]`
    pub lora: LoraConfig,
    /// `[objective]`
    pub objective: Objective,
    /// `[training]`
    pub training: TrainingSection,
}

/// Who watches a run and may stop it.
pub trait Monitor {
    /// A step or a validation is done; `total` steps will be.
    fn line(&mut self, line: &Line, total: usize);
    /// Asked after every step: finish here, save, and say how to go on?
    fn should_stop(&self) -> bool {
        false
    }
}

/// Watches nothing.
pub struct Unwatched;

impl Monitor for Unwatched {
    fn line(&mut self, _: &Line, _: usize) {}
}

/// A run in progress.
pub struct Session<'a> {
    config: SessionConfig,
    /// What is trained.
    pub learner: Learner,
    train: &'a [Example],
    validation: &'a [Example],
    state: State,
}

/// What a finished run gives.
pub struct Outcome {
    /// The policy of the best validation, of the last step where there is none.
    pub policy: Policy,
    /// Its users.
    pub table: Option<UserTable>,
    /// Where it stopped.
    pub state: State,
}

impl<'a> Session<'a> {
    /// Starts in `config.dir`, or goes on from its checkpoint where `resume` is set and there is one.
    ///
    /// # Errors
    /// Numbers out of range, no examples, or a checkpoint of another configuration.
    pub fn new(
        config: SessionConfig,
        policy: Policy,
        table: Option<UserTable>,
        (train, validation): (&'a [Example], &'a [Example]),
        resume: bool,
    ) -> Result<Self, TrainError> {
        if train.is_empty() {
            let after = "to train on".into();
            return Err(TrainError::Empty { after });
        }
        fs::create_dir_all(&config.dir).map_err(|e| TrainError::io(&config.dir, e))?;
        let mut learner = Learner::new(policy, table, &config.objective, &config.training)?;
        let fingerprint = fingerprint(&config, &learner, train);
        let found = match resume {
            true => checkpoint::load(
                &config.dir.join("checkpoint"),
                &mut learner,
                &config.lora,
                &fingerprint,
            )?,
            false => None,
        };
        let state = found.unwrap_or_else(|| State::new(fingerprint));
        Ok(Self {
            config,
            learner,
            train,
            validation,
            state,
        })
    }

    /// Optimiser steps of the whole run.
    pub fn total_steps(&self) -> usize {
        let training = &self.config.training;
        let all = training.epochs * self.train.len().div_ceil(training.batch);
        match training.max_steps {
            0 => all,
            limit => limit.min(all),
        }
    }

    /// Where the run stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Trains to the end.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`] if the monitor said stop (the checkpoint is written), [`TrainError::Diverged`] if
    /// the loss is no number, or a file that cannot be written.
    pub fn run(mut self, monitor: &mut dyn Monitor) -> Result<Outcome, TrainError> {
        let total = self.total_steps();
        let mut metrics = MetricsFile::open(
            &self.config.dir.join("metrics.jsonl"),
            self.state.metrics_bytes,
        )?;
        let mut schedule = Schedule::new(&self.config.training, total, self.state.step)?;
        while !self.state.finished && self.state.step < total {
            let batch = self.next_batch();
            let rates = schedule.next();
            let start = Instant::now();
            let report = self.learner.step(&batch, &rates)?;
            let seconds = start.elapsed().as_secs_f64();
            if !report.loss.is_finite() || !report.grad_norm.is_finite() {
                let (step, loss) = (self.state.step + 1, report.loss);
                return Err(TrainError::Diverged { step, loss });
            }
            self.state.step += 1;
            self.state.train_seconds += seconds;
            let at = (self.state.step, self.epoch(), seconds);
            let line = train_line(&batch, &report, &rates, at);
            metrics.write(&line)?;
            monitor.line(&line, total);
            self.validate_if_due(total, &mut metrics, monitor)?;
            self.state.metrics_bytes = metrics.bytes();
            let save_every = self.config.training.save_every;
            let due = save_every > 0 && self.state.step.is_multiple_of(save_every);
            let stopped = monitor.should_stop() && self.state.step < total && !self.state.finished;
            if due || stopped {
                self.save()?;
            }
            if stopped {
                let (step, path) = (self.state.step, self.config.dir.clone());
                return Err(TrainError::Interrupted { step, path });
            }
        }
        self.finish()
    }

    fn next_batch(&self) -> Vec<Example> {
        let per_epoch = self.train.len().div_ceil(self.config.training.batch);
        let (epoch, index) = (self.state.step / per_epoch, self.state.step % per_epoch);
        let lengths: Vec<usize> = self.train.iter().map(|e| e.pair.row_length(0)).collect();
        let batches = order::epoch(
            &lengths,
            self.config.training.batch,
            self.config.seed,
            epoch,
        );
        batches[index]
            .iter()
            .map(|&i| self.train[i].clone())
            .collect()
    }

    fn epoch(&self) -> f64 {
        (self.state.step * self.config.training.batch) as f64 / self.train.len() as f64
    }

    fn validate_if_due(
        &mut self,
        total: usize,
        metrics: &mut MetricsFile,
        monitor: &mut dyn Monitor,
    ) -> Result<(), TrainError> {
        let training = &self.config.training;
        let every = training.eval_every;
        let last = self.state.step == total;
        let due = last || (every > 0 && self.state.step.is_multiple_of(every));
        if !due || self.validation.is_empty() {
            return Ok(());
        }
        let limit = match training.eval_limit {
            0 => self.validation.len(),
            limit => limit.min(self.validation.len()),
        };
        let examples = &self.validation[..limit];
        let start = Instant::now();
        let learner = &self.learner;
        let scored = eval::score(
            &learner.policy,
            learner.table.as_ref(),
            learner.objective(),
            examples,
            training.micro_rows,
        )?;
        let at = (self.state.step, self.epoch(), start.elapsed().as_secs_f64());
        let line = validation_line(examples, &scored, at);
        metrics.write(&line)?;
        monitor.line(&line, total);
        if self.state.best.is_none_or(|best| line.loss < best.loss) {
            self.state.best = Some(Best {
                step: self.state.step,
                loss: line.loss,
                accuracy: line.rewards_accuracies,
            });
            self.state.stale = 0;
            self.save_adapters()?;
        } else {
            self.state.stale += 1;
            let patience = self.config.training.patience;
            self.state.finished = patience > 0 && self.state.stale >= patience;
        }
        Ok(())
    }

    fn save(&self) -> Result<(), TrainError> {
        checkpoint::save(
            &self.config.dir.join("checkpoint"),
            &self.learner,
            &self.state,
        )
    }

    fn adapters_dir(&self) -> PathBuf {
        self.config.dir.join("adapters")
    }

    fn save_adapters(&self) -> Result<(), TrainError> {
        adapters::save(
            &self.adapters_dir(),
            &self.learner.policy,
            self.learner.table.as_ref(),
            &self.config.lora,
            &self.config.base,
        )
    }

    fn finish(mut self) -> Result<Outcome, TrainError> {
        self.state.finished = true;
        self.save()?;
        if self.state.best.is_none() {
            self.save_adapters()?;
        }
        let device = self.learner.policy.model.device();
        let base = without_adapters(&self.learner.policy);
        let (policy, table, _) = adapters::load(&self.adapters_dir(), base, &device)?;
        Ok(Outcome {
            policy,
            table,
            state: self.state,
        })
    }
}

/// The base model below a policy's adapters.
fn without_adapters(policy: &Policy) -> llm_backbone::Model {
    policy.model.clone().without_adapters()
}

/// A hash of everything that a checkpoint must share with the run that goes on from it.
fn fingerprint(config: &SessionConfig, learner: &Learner, train: &[Example]) -> String {
    let mut hash = Sha256::new();
    let users = learner.policy.users.as_ref().map(|u| u.config().clone());
    let parts = (
        &config.base,
        config.seed,
        &config.lora,
        &config.objective,
        &config.training,
        users,
    );
    hash.update(serde_json::to_vec(&parts).unwrap_or_default()); // invariant: plain data
    for example in train {
        for ids in [
            &example.pair.prompt.ids,
            &example.pair.chosen,
            &example.pair.rejected,
        ] {
            hash.update((ids.len() as u64).to_le_bytes());
            for id in ids {
                hash.update(id.to_le_bytes());
            }
        }
        hash.update(format!("{:?}", example.user));
    }
    hex(&hash.finalize())[..16].to_string()
}

/// Refuses a folder that already holds a run, unless it is to be resumed.
///
/// # Errors
/// [`TrainError::Occupied`].
pub fn check_free(dir: &Path, resume: bool, force: bool) -> Result<(), TrainError> {
    let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied && !resume && !force {
        return Err(TrainError::Occupied { path: dir.into() });
    }
    Ok(())
}

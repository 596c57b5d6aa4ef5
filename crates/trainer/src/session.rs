//! A training run: batches in order, validation, the best adapters kept, checkpoints, exact resume.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use llm_backbone::LoraConfig;
use sha2::{Digest, Sha256};
use user_model::UserTable;

use crate::checkpoint::{self, Best, State};
use crate::config::{Objective, TrainingSection};
use crate::error::TrainError;
use crate::metrics::{Line, MetricsFile, train_line, validation_line};
use crate::policy::Policy;
use crate::profile::TARGET;
use crate::reference::hex;
use crate::schedule::{Rates, Schedule};
use crate::step::{Example, Learner};
use crate::strategy::{self, Display};
use crate::{adapters, eval, memory, order};

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
    /// Devices that compute gradients beside the policy's own; see [`Learner::with_devices`].
    pub further_devices: Vec<Device>,
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
pub struct Session {
    config: SessionConfig,
    /// What is trained.
    pub learner: Learner,
    train: Arc<[Example]>,
    validation: Arc<[Example]>,
    state: State,
    /// The epoch under way, counted from 0, and its batches.
    order: Option<(usize, Vec<Vec<usize>>)>,
    pub(crate) display: Display,
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

impl Session {
    /// Starts in `config.dir`, or goes on from its checkpoint where `resume` is set and there is one.
    ///
    /// # Errors
    /// Numbers out of range, no examples, or a checkpoint of another configuration.
    pub fn new(
        config: SessionConfig,
        policy: Policy,
        table: Option<UserTable>,
        (train, validation): (&[Example], &[Example]),
        resume: bool,
    ) -> Result<Self, TrainError> {
        if train.is_empty() {
            let after = "to train on".into();
            return Err(TrainError::Empty { after });
        }
        fs::create_dir_all(&config.dir).map_err(|e| TrainError::io(&config.dir, e))?;
        let soft = policy.user_tokens();
        let longest = train.iter().map(|e| e.pair.row_length(soft)).max();
        let mut learner = Learner::new(policy, table, &config.objective, &config.training)?
            .with_devices(&config.further_devices)?;
        memory::check_step(
            &learner.policy.model,
            config.training.gradient_checkpointing,
            learner.rows_at_once(config.training.batch),
            longest.unwrap_or(0),
        )?;
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
            train: train.into(),
            validation: validation.into(),
            state,
            order: None,
            display: Display::default(),
        })
    }

    /// Shows burn-train's dashboard while the run lasts, if standard output is a terminal. Default: no.
    ///
    /// The dashboard holds the terminal: log lines wait until it is gone, and `q`, not Ctrl-C, stops the run.
    #[must_use]
    pub fn with_dashboard(mut self, dashboard: bool) -> Self {
        self.display.dashboard = dashboard;
        self
    }

    /// Shows the run through a burn-train renderer, instead of the dashboard or nothing.
    #[must_use]
    pub fn with_renderer(mut self, renderer: Box<dyn MetricsRenderer>) -> Self {
        self.display.renderer = Some(renderer);
        self
    }

    /// Stops the run from another thread, as a [`Monitor`] does: after the step under way, with a checkpoint.
    pub fn interrupter(&self) -> Interrupter {
        self.display.interrupter.clone()
    }

    /// Optimiser steps of the whole run.
    pub fn total_steps(&self) -> usize {
        let training = &self.config.training;
        let all = training.epochs * self.steps_per_epoch();
        match training.max_steps {
            0 => all,
            limit => limit.min(all),
        }
    }

    /// Optimiser steps of one pass over the data.
    pub fn steps_per_epoch(&self) -> usize {
        self.train.len().div_ceil(self.config.training.batch)
    }

    /// Where the run stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The folder of the run.
    pub fn dir(&self) -> &Path {
        &self.config.dir
    }

    /// Trains to the end, on burn-train, in a thread of its own; `monitor` is served on this one.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`] if the monitor, the dashboard or the interrupter said stop (the checkpoint is
    /// written), [`TrainError::Killed`] if the dashboard said stop at once, [`TrainError::Diverged`] if the loss is no
    /// number, or a file that cannot be written.
    pub fn run(self, monitor: &mut dyn Monitor) -> Result<Outcome, TrainError> {
        strategy::run(self, monitor)
    }

    /// True while there are steps to do.
    pub(crate) fn goes_on(&self) -> bool {
        !self.state.finished && self.state.step < self.total_steps()
    }

    /// The learning rates from here on.
    pub(crate) fn schedule(&self) -> Result<Schedule, TrainError> {
        Schedule::new(&self.config.training, self.total_steps(), self.state.step)
    }

    /// The metrics file, without lines of steps that will be done again.
    pub(crate) fn metrics_file(&self) -> Result<MetricsFile, TrainError> {
        let path = self.config.dir.join("metrics.jsonl");
        MetricsFile::open(&path, self.state.metrics_bytes)
    }

    /// Notes how much of the metrics file belongs to the steps done.
    pub(crate) fn set_metrics_bytes(&mut self, bytes: u64) {
        self.state.metrics_bytes = bytes;
    }

    /// One optimiser step.
    pub(crate) fn step(&mut self, rates: &Rates) -> Result<Line, TrainError> {
        let train = Arc::clone(&self.train);
        let batch: Vec<&Example> = self.next_batch().iter().map(|&i| &train[i]).collect();
        self.seed_dropout();
        let start = Instant::now();
        let report = self.learner.step(&batch, rates)?;
        let seconds = start.elapsed().as_secs_f64();
        if !report.is_finite() {
            let (step, loss) = (self.state.step + 1, report.loss);
            return Err(TrainError::Diverged { step, loss });
        }
        self.state.step += 1;
        self.state.train_seconds += seconds;
        let at = (self.state.step, self.epoch(), seconds);
        Ok(train_line(&batch, &report, rates, at))
    }

    /// Dropout draws from the device's own generator: a pure function of (seed, step), so that a resumed run draws what
    /// one that was never stopped draws.
    fn seed_dropout(&self) {
        if self.config.lora.dropout > 0.0 {
            let step = self.state.step as u64 + 1;
            let seed = self.config.seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.learner.policy.model.device().seed(seed);
        }
    }

    /// Indices of the next step's comparisons.
    fn next_batch(&mut self) -> &[usize] {
        let per_epoch = self.steps_per_epoch();
        let (epoch, index) = (self.state.step / per_epoch, self.state.step % per_epoch);
        let (batch, seed) = (self.config.training.batch, self.config.seed);
        let train = &self.train;
        let ordered = || {
            let lengths: Vec<usize> = train.iter().map(|e| e.pair.row_length(0)).collect();
            (epoch, order::epoch(&lengths, batch, seed, epoch))
        };
        let (_, batches) = match self.order.take() {
            Some(order) if order.0 == epoch => self.order.insert(order),
            _ => self.order.insert(ordered()),
        };
        &batches[index]
    }

    fn epoch(&self) -> f64 {
        (self.state.step * self.config.training.batch) as f64 / self.train.len() as f64
    }

    /// The validation that is due after this step, if any.
    pub(crate) fn validate_if_due(&self) -> Result<Option<Line>, TrainError> {
        let training = &self.config.training;
        let every = training.eval_every;
        let last = self.state.step == self.total_steps();
        let due = last || (every > 0 && self.state.step.is_multiple_of(every));
        if !due || self.validation.is_empty() {
            return Ok(None);
        }
        let limit = match training.eval_limit {
            0 => self.validation.len(),
            limit => limit.min(self.validation.len()),
        };
        let examples = &self.validation[..limit];
        let _span = tracing::trace_span!(target: TARGET, "validation").entered();
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
        Ok(Some(validation_line(examples, &scored, at)))
    }

    /// Keeps the adapters if this validation is the best, ends the run if the last good one is too long ago.
    pub(crate) fn judge(&mut self, line: &Line) -> Result<(), TrainError> {
        if self.state.best.is_none_or(|best| line.loss < best.loss) {
            self.state.best = Some(Best {
                step: self.state.step,
                loss: line.loss,
                accuracy: line.rewards_accuracies,
            });
            self.state.stale = 0;
            return self.save_adapters();
        }
        self.state.stale += 1;
        let patience = self.config.training.patience;
        self.state.finished = patience > 0 && self.state.stale >= patience;
        Ok(())
    }

    /// True after every so many steps.
    pub(crate) fn save_is_due(&self) -> bool {
        let every = self.config.training.save_every;
        every > 0 && self.state.step.is_multiple_of(every)
    }

    /// What a run that was asked to stop ends with.
    pub(crate) fn interrupted(&self) -> TrainError {
        let (step, path) = (self.state.step, self.config.dir.clone());
        TrainError::Interrupted { step, path }
    }

    /// Writes the checkpoint.
    pub(crate) fn save(&mut self) -> Result<(), TrainError> {
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

    /// Writes what remains and loads the best adapters.
    pub(crate) fn finish(mut self) -> Result<Outcome, TrainError> {
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

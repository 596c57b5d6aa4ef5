//! A training run: batches in order, validation, the best adapters kept, checkpoints, exact resume. [`Session::run`] is the
//! loop.

mod batches;
mod config;
mod lines;
mod saving;

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use tracing::trace_span;
use user_model::UserTable;

use crate::checkpoint::{self, Best, State};
use crate::endings::Endings;
use crate::error::TrainError;
use crate::estimate::Step;
use crate::example::Example;
use crate::files::recover_folder;
use crate::folder::RunFolder;
use crate::learner::{Learner, NotFinite, StepReport};
use crate::metrics::{Line, MetricsFile};
use crate::monitor::{Monitor, Plan, Stop};
use crate::policy::Policy;
use crate::profile::TARGET;
use crate::progress::{Part, Progress};
use crate::schedule::{Rates, Schedule};
use crate::task::{Moment, Task};
use crate::{adapters, estimate, eval};
pub use config::SessionConfig;
use lines::{When, train_line, validation_line};

/// The weights of the best validation of a model that is trained whole.
pub(crate) const BEST_MODEL: &str = "best.safetensors";
pub(crate) const METRICS: &str = "metrics.jsonl";

/// A run in progress.
pub struct Session<T: Task> {
    config: SessionConfig,
    learner: Learner<T>,
    train: Arc<[Example]>,
    validation: Vec<Example>,
    endings: Option<Endings>,
    state: State,
    /// The epoch whose batches were asked for last, counted from 0, and these.
    order: Option<(usize, Vec<Vec<usize>>)>,
    /// Comparisons of all steps before this one are prepared.
    prepared: usize,
    /// Nobody else works in the folder of the run as long as this is here.
    _folder: Option<RunFolder>,
}

/// What a finished run gives.
pub struct Outcome {
    /// The policy of the best validation, of the last step where there is none.
    pub policy: Policy,
    /// Its users.
    pub table: Option<UserTable>,
    /// Where it stopped.
    pub state: State,
    /// Comparisons that its steps trained on.
    pub comparisons: usize,
}

impl<T: Task> Session<T> {
    /// Starts in `config.dir`, or goes on from its checkpoint where `resume` is set and there is one.
    ///
    /// # Errors
    /// Numbers out of range, no examples, a step that does not fit into memory, or a checkpoint of other settings.
    pub fn new(
        config: SessionConfig,
        task: T,
        (policy, table): (Policy, Option<UserTable>),
        (train, validation): (Vec<Example>, Vec<Example>),
        resume: bool,
    ) -> Result<Self, TrainError> {
        if train.is_empty() {
            let after = "to train on".into();
            return Err(TrainError::Empty { after });
        }
        fs::create_dir_all(&config.dir).map_err(|e| TrainError::io(&config.dir, e))?;
        let users = policy.places();
        policy.validate_head()?;
        let lengths = train.iter().map(|e| task.row_length(e.pair(), users.soft));
        let longest = lengths.max();
        let mut learner = Learner::new(task, policy, table, &config.training)?
            .with_devices(&config.further_devices)?;
        let taken = config.training.batch.min(train.len());
        let made = learner.task.examples_of(taken);
        let step = Step {
            rows: learner.rows_at_once(made),
            longest: longest.unwrap_or(0),
            prefix: users.prefix,
            checkpointing: config.training.gradient_checkpointing,
        };
        if estimate::validate_step(&learner.policy, step, &config.training)?.packed > 0 {
            learner.policy.model.keep_packed();
        }
        let settings = config.settings(&learner, &train, &validation);
        let checkpoint = config.dir.join(checkpoint::FOLDER);
        recover_folder(&checkpoint, &checkpoint::FILES)?;
        recover_folder(&config.dir.join(adapters::FOLDER), &adapters::FILES)?;
        let found = match resume {
            true => checkpoint::load(&checkpoint, &mut learner, &config.lora, &settings)?,
            false => None,
        };
        if resume && found.is_none() {
            let dir = config.dir.display();
            tracing::warn!("there is no checkpoint in {dir}: the run starts at step 0");
        }
        let state = found.unwrap_or_else(|| State::new(settings, config.clock));
        let mut session = Self {
            prepared: state.step,
            config,
            learner,
            train: train.into(),
            validation,
            endings: None,
            state,
            order: None,
            _folder: None,
        };
        let (section, total) = (session.config.section, session.total_steps());
        if let Some(warning) = session.config.training.warmup_warning(section, total) {
            tracing::warn!("{warning}");
        }
        // A run that was over goes on if it is to make more steps now.
        let over = session.state.step >= session.total_steps() || session.out_of_patience();
        session.state.finished &= over;
        Ok(session)
    }

    /// Has every validation tell how likely responses are to end before their first word.
    #[must_use]
    pub fn with_endings(self, endings: Endings) -> Self {
        Self {
            endings: Some(endings),
            ..self
        }
    }

    /// Keeps the run's folder to itself.
    pub(crate) fn holding(self, folder: RunFolder) -> Self {
        Self {
            _folder: Some(folder),
            ..self
        }
    }

    /// Optimiser steps of the whole run.
    pub fn total_steps(&self) -> usize {
        self.config.training.total_steps(self.train.len())
    }

    /// Optimiser steps of one pass over the data.
    pub(crate) fn steps_per_epoch(&self) -> usize {
        self.train.len().div_ceil(self.config.training.batch)
    }

    /// The policy as it is.
    pub fn policy(&self) -> &Policy {
        &self.learner.policy
    }

    /// Its users; none without a user model.
    pub fn table(&self) -> Option<&UserTable> {
        self.learner.table.as_ref()
    }

    /// Where the run stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Trains to the end; `monitor` hears of every step.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`] if the monitor said stop, and [`TrainError::Unscored`] where a scorer failed (the checkpoint is
    /// written), [`TrainError::Killed`] if the monitor said stop at once, [`TrainError::Diverged`] if loss or gradient is no number, or a file that cannot be written.
    pub fn run(mut self, monitor: &mut dyn Monitor) -> Result<Outcome, TrainError> {
        let total = self.total_steps();
        let adapted = (&self.learner.policy.model, &self.config.lora);
        let (training, head) = (&self.config.training, self.learner.task.head_rate());
        let steps = (total, self.state.step);
        let mut schedule = Schedule::with_lora(training, adapted, head, steps)?;
        let path = self.config.dir.join(METRICS);
        // Without lines of steps that will be done again.
        let mut metrics = MetricsFile::open(&path, self.state.metrics_bytes)?;
        monitor.start(&Plan {
            done: self.state.step,
            total,
            per_epoch: self.steps_per_epoch().min(total),
        });
        while self.goes_on() {
            let (stop, unscored) = match self.advance(&mut schedule, &mut metrics, monitor) {
                Err(TrainError::Stopped) => (monitor.stop().or(Some(Stop::AfterSaving)), None),
                // Nothing of the step, or of the validation, is made yet.
                Err(TrainError::Unscored { problem, .. }) => (None, Some(problem)),
                advanced => {
                    advanced?;
                    (monitor.stop().filter(|_| self.goes_on()), None)
                }
            };
            self.state.metrics_bytes = metrics.bytes();
            if stop == Some(Stop::AtOnce) {
                let path = self.config.dir;
                return Err(TrainError::Killed { path });
            }
            if stop.is_some() || unscored.is_some() || self.save_is_due() {
                metrics.sync()?;
                self.save()?;
            }
            if let Some(problem) = unscored {
                let saved = Some((self.state.step, self.config.dir));
                return Err(TrainError::Unscored { problem, saved });
            }
            if stop.is_some() {
                let (step, path) = (self.state.step, self.config.dir);
                return Err(TrainError::Interrupted { step, path });
            }
        }
        metrics.sync()?;
        self.finish()
    }

    /// True while there is something to do.
    fn goes_on(&self) -> bool {
        let steps = self.state.step < self.total_steps();
        !self.state.finished && (steps || self.state.unvalidated)
    }

    /// A step with the validation after it; only the latter where the run was stopped in it.
    fn advance(
        &mut self,
        schedule: &mut Schedule,
        metrics: &mut MetricsFile,
        monitor: &mut dyn Monitor,
    ) -> Result<(), TrainError> {
        let total = self.total_steps();
        if !self.state.unvalidated {
            let batch = self.next_batch(monitor.progress())?;
            let line = self.step(&batch, &schedule.next(), monitor.progress())?;
            tell(&line, metrics, monitor, total)?;
            self.state.unvalidated = self.validation_is_due();
        }
        if self.state.unvalidated {
            let line = self.validate(monitor.progress())?;
            tell(&line, metrics, monitor, total)?;
            self.keep_if_best(&line)?;
            self.state.unvalidated = false;
        }
        Ok(())
    }

    /// One step: an update of the weights, or as many as the task makes on the same examples. It tells of the first.
    fn step(
        &mut self,
        indices: &[usize],
        rates: &Rates,
        progress: &dyn Progress,
    ) -> Result<Line, TrainError> {
        let train = Arc::clone(&self.train);
        let drawn = self.drawn(indices);
        let taken: Vec<&Example> = match &drawn {
            Some(drawn) => drawn.iter().collect(),
            None => indices.iter().map(|&i| &train[i]).collect(),
        };
        let start = Instant::now();
        let made = self.made(&taken, Some(self.state.step), &Part(progress))?;
        let batch: Vec<&Example> = match &made {
            Some(made) => made.iter().collect(),
            None => taken,
        };
        self.seed_dropout();
        let report = self.update(&batch, rates)?;
        for _ in 1..self.learner.task.updates() {
            self.update(&batch, rates)?;
        }
        let seconds = start.elapsed().as_secs_f64();
        self.state.step += 1;
        self.state.train_seconds += seconds;
        let when = self.when(seconds);
        let mut line = train_line(&self.learner.task, &batch, &report, rates, when);
        line.comparisons_per_second = indices.len() as f64 / seconds;
        Ok(line)
    }

    /// One update of the weights.
    fn update(
        &mut self,
        batch: &[&Example],
        rates: &Rates,
    ) -> Result<StepReport<T::Report>, TrainError> {
        let report = self.learner.step(batch, rates)?;
        match report.not_finite() {
            Some((what, value)) => Err(self.diverged(what, value)),
            None => Ok(report),
        }
    }

    /// What the task makes of examples of the data, if it makes any, in a step or for a validation.
    fn made(
        &self,
        examples: &[&Example],
        step: Option<usize>,
        progress: &dyn Progress,
    ) -> Result<Option<Vec<Example>>, TrainError> {
        let Learner {
            task,
            policy,
            table,
            ..
        } = &self.learner;
        let moment = Moment {
            policy,
            table: table.as_ref(),
            step: step.unwrap_or(0),
            validates: step.is_none(),
            progress,
        };
        task.made(examples, moment)
    }

    /// What to say of the step that was not made.
    fn diverged(&self, what: NotFinite, value: f64) -> TrainError {
        let key = match what {
            NotFinite::Loss | NotFinite::Model => {
                format!("{}.learning_rate", self.config.section)
            }
            NotFinite::Users => "training.users_learning_rate".into(),
        };
        let advice = match self.state.step {
            0 => "no step was made yet, so that no rate is to blame: look at the model's weights and model.dtype, at lora.alpha and [objective]".into(),
            _ => format!("lower {key}"),
        };
        TrainError::Diverged {
            step: self.state.step + 1,
            what: what.name(),
            value,
            advice,
            saved: self.config.dir.join(checkpoint::FOLDER).is_dir(),
        }
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

    fn when(&self, seconds: f64) -> When {
        let seen = self.comparisons(self.state.step);
        When {
            step: self.state.step,
            epoch: seen as f64 / self.train.len() as f64,
            seconds,
        }
    }

    fn validation_is_due(&self) -> bool {
        let every = self.config.training.eval_every;
        let last = self.state.step == self.total_steps();
        let due = last || (every > 0 && self.state.step.is_multiple_of(every));
        due && !self.validation.is_empty()
    }

    /// Evaluates the policy as it is.
    fn validate(&self, progress: &dyn Progress) -> Result<Line, TrainError> {
        let training = &self.config.training;
        let examples = &self.validation[..self.config.validated(self.validation.len())];
        let start = Instant::now();
        let made = self.made(&examples.iter().collect::<Vec<_>>(), None, progress)?;
        let making = start.elapsed();
        let examples = made.as_deref().unwrap_or(examples);
        let Learner {
            task,
            policy,
            table,
            ..
        } = &self.learner;
        task.prepare(&examples.iter().collect::<Vec<_>>(), progress)?;
        let _span = trace_span!(target: TARGET, "validation").entered();
        let start = Instant::now();
        let rows = training.micro_rows;
        let reports = eval::evaluate(task, policy, table.as_ref(), examples, rows, progress)?;
        let when = self.when((making + start.elapsed()).as_secs_f64());
        let mut line = validation_line(task, examples, &reports, when);
        if let Some(endings) = &self.endings {
            line.ends_at_once_by_user = endings.measure(policy, table.as_ref(), rows, progress)?;
        }
        Ok(line)
    }

    /// Keeps what is trained if this validation is the best, ends the run if the last good one is too long ago.
    fn keep_if_best(&mut self, line: &Line) -> Result<(), TrainError> {
        if self.state.best.is_none_or(|best| line.loss < best.loss) {
            self.state.best = Some(Best {
                step: self.state.step,
                loss: line.loss,
                accuracy: line.rewards_accuracies,
            });
            self.state.stale = 0;
            return self.keep();
        }
        self.state.stale += 1;
        self.state.finished = self.out_of_patience();
        Ok(())
    }

    /// True after too many validations without improvement.
    fn out_of_patience(&self) -> bool {
        let patience = self.config.training.patience;
        patience > 0 && self.state.stale >= patience
    }
}

/// Passes a line on to the file and to who watches.
fn tell(
    line: &Line,
    metrics: &mut MetricsFile,
    monitor: &mut dyn Monitor,
    total: usize,
) -> Result<(), TrainError> {
    let _span = trace_span!(target: TARGET, "logging").entered();
    metrics.write(line)?;
    monitor.line(line, total);
    Ok(())
}

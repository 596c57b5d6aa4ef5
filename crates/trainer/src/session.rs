//! A training run: batches in order, validation, the best adapters kept, checkpoints, exact resume. [`Session::run`] is the
//! loop.

mod lines;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use llm_backbone::LoraConfig;
use serde_json::json;
use tracing::trace_span;
use user_model::UserTable;

use crate::checkpoint::{self, Best, State};
use crate::config::TrainingSection;
use crate::error::TrainError;
use crate::estimate::Step;
use crate::example::Example;
use crate::files::recover_folder;
use crate::folder::RunFolder;
use crate::learner::Learner;
use crate::lineage::Lineage;
use crate::metrics::{Line, MetricsFile};
use crate::monitor::{Monitor, Plan, Stop};
use crate::policy::Policy;
use crate::profile::TARGET;
use crate::progress::Progress;
use crate::schedule::{Rates, Schedule};
use crate::settings::Settings;
use crate::task::Task;
use crate::{adapters, estimate, eval, order};
use lines::{When, train_line, validation_line};

/// What a run is made of, beside what it learns.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The folder of the run: `metrics.jsonl`, `checkpoint/`, `adapters/`.
    pub dir: PathBuf,
    /// The base model, named in the adapters.
    pub base: Lineage,
    /// What tells the base model's weights from others, by whatever name they are opened.
    pub model_key: String,
    /// Moves the order of the data.
    pub seed: u64,
    /// `[lora]`
    pub lora: LoraConfig,
    /// `[training]`
    pub training: TrainingSection,
    /// What errors call it: `training`, or the section that its steps and rates are from.
    pub section: &'static str,
    /// Devices that compute gradients beside the policy's own; see [`Learner::with_devices`].
    pub further_devices: Vec<Device>,
    /// The time that the chat template was told, in seconds since 1970, where it matters: a run that goes on keeps it.
    pub clock: Option<u64>,
}

impl SessionConfig {
    /// What is trained, apart from how.
    fn settings<T: Task>(
        &self,
        learner: &Learner<T>,
        train: &[Example],
        validation: &[Example],
    ) -> Settings {
        let users = learner.policy.users.as_ref().map(|users| users.config());
        let parts = json!({
            "model": self.model_key,
            "seed": self.seed,
            "lora": self.lora,
            "users": users,
        });
        let training = Settings::of_training(self.section, &self.training);
        let comparisons = Settings::of_comparisons("comparisons", train);
        // The best step is that of one set of comparisons.
        let validated = &validation[..self.validated(validation.len())];
        let validation = Settings::of_comparisons("validation", validated);
        let task = learner.task.settings();
        Settings::new([parts, training, comparisons, validation, task])
    }

    /// How many of so many validation comparisons a validation looks at.
    fn validated(&self, validation: usize) -> usize {
        match self.training.eval_limit {
            0 => validation,
            limit => limit.min(validation),
        }
    }
}

/// Batches whose comparisons are prepared together, at most: a window of [`order`] holds as many.
const MOST_AHEAD: usize = 8;

/// The end of the steps whose comparisons are prepared together with those of `step`: one step at first, so that a run begins at
/// once, then ever more. It depends on the step alone, so that a resumed run computes reference log-probs in the company in
/// which a run never stopped does, to the last bit.
fn prepared_together(step: usize) -> usize {
    let (mut end, mut length) = (1, 1);
    while end <= step {
        length = (2 * length).min(MOST_AHEAD);
        end += length;
    }
    end
}

/// The weights of the best validation of a model that is trained whole.
pub(crate) const BEST_MODEL: &str = "best.safetensors";
pub(crate) const METRICS: &str = "metrics.jsonl";

/// A run in progress.
pub struct Session<T: Task> {
    config: SessionConfig,
    learner: Learner<T>,
    train: Arc<[Example]>,
    validation: Vec<Example>,
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
        let soft = policy.user_tokens();
        let longest = train.iter().map(|e| e.pair().row_length(soft)).max();
        let mut learner = Learner::new(task, policy, table, &config.training)?
            .with_devices(&config.further_devices)?;
        let step = Step {
            rows: learner.rows_at_once(config.training.batch),
            longest: longest.unwrap_or(0),
            checkpointing: config.training.gradient_checkpointing,
        };
        estimate::validate_step(&learner.policy.model, step, &config.training)?;
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
            state,
            order: None,
            _folder: None,
        };
        // A run that was over goes on if it is to make more steps now.
        let over = session.state.step >= session.total_steps() || session.out_of_patience();
        session.state.finished &= over;
        Ok(session)
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
        let training = &self.config.training;
        let all = training.epochs.saturating_mul(self.steps_per_epoch());
        match training.max_steps {
            0 => all,
            limit => limit.min(all),
        }
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
    /// [`TrainError::Interrupted`] if the monitor said stop (the checkpoint is written), [`TrainError::Killed`] if it said stop
    /// at once, [`TrainError::Diverged`] if the loss is no number, or a file that cannot be written.
    pub fn run(mut self, monitor: &mut dyn Monitor) -> Result<Outcome, TrainError> {
        let total = self.total_steps();
        let mut schedule = Schedule::new(&self.config.training, total, self.state.step)?;
        let path = self.config.dir.join(METRICS);
        // Without lines of steps that will be done again.
        let mut metrics = MetricsFile::open(&path, self.state.metrics_bytes)?;
        monitor.start(&Plan {
            done: self.state.step,
            total,
            per_epoch: self.steps_per_epoch().min(total),
        });
        while self.goes_on() {
            let stop = match self.advance(&mut schedule, &mut metrics, monitor) {
                Err(TrainError::Stopped) => monitor.stop().or(Some(Stop::AfterSaving)),
                advanced => {
                    advanced?;
                    monitor.stop().filter(|_| self.goes_on())
                }
            };
            self.state.metrics_bytes = metrics.bytes();
            if stop == Some(Stop::AtOnce) {
                let path = self.config.dir;
                return Err(TrainError::Killed { path });
            }
            if stop.is_some() || self.save_is_due() {
                metrics.sync()?;
                self.save()?;
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
            let line = self.step(&batch, &schedule.next())?;
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

    /// The next step's comparisons by index, ready for it.
    fn next_batch(&mut self, progress: &dyn Progress) -> Result<Vec<usize>, TrainError> {
        let step = self.state.step;
        if step >= self.prepared {
            let until = prepared_together(step).min(self.total_steps());
            let train = Arc::clone(&self.train);
            let indices: Vec<usize> = (step..until).flat_map(|step| self.batch_of(step)).collect();
            let examples: Vec<&Example> = indices.into_iter().map(|i| &train[i]).collect();
            self.learner.task.prepare(&examples, progress)?;
            self.prepared = until;
        }
        Ok(self.batch_of(step))
    }

    /// The comparisons of a step.
    fn batch_of(&mut self, step: usize) -> Vec<usize> {
        let per_epoch = self.steps_per_epoch();
        let (epoch, index) = (step / per_epoch, step % per_epoch);
        let (batch, seed) = (self.config.training.batch, self.config.seed);
        let train = &self.train;
        let ordered = || {
            let lengths: Vec<usize> = train.iter().map(|e| e.pair().row_length(0)).collect();
            (epoch, order::epoch(&lengths, batch, seed, epoch))
        };
        let (_, batches) = match self.order.take() {
            Some(order) if order.0 == epoch => self.order.insert(order),
            _ => self.order.insert(ordered()),
        };
        batches[index].clone()
    }

    /// One optimiser step.
    fn step(&mut self, batch: &[usize], rates: &Rates) -> Result<Line, TrainError> {
        let batch: Vec<&Example> = batch.iter().map(|&i| &self.train[i]).collect();
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
        let when = self.when(seconds);
        Ok(train_line(&self.learner.task, &batch, &report, rates, when))
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

    /// Comparisons that so many steps train on: the last batch of a pass over the data may be smaller.
    fn comparisons(&self, steps: usize) -> usize {
        let (all, per_epoch) = (self.train.len(), self.steps_per_epoch());
        let partial = (steps % per_epoch) * self.config.training.batch;
        steps / per_epoch * all + partial.min(all)
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
        let when = self.when(start.elapsed().as_secs_f64());
        Ok(validation_line(task, examples, &reports, when))
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

    /// True after every so many steps.
    fn save_is_due(&self) -> bool {
        let every = self.config.training.save_every;
        every > 0 && self.state.step.is_multiple_of(every)
    }

    /// Writes the checkpoint.
    fn save(&self) -> Result<(), TrainError> {
        let dir = self.config.dir.join(checkpoint::FOLDER);
        checkpoint::save(&dir, &self.learner, &self.state)
    }

    /// Whether the model is trained whole, without adapters.
    fn is_whole(&self) -> bool {
        self.learner.policy.model.num_adapter_params() == 0
    }

    /// Writes what is trained as it is, for use.
    fn keep(&self) -> Result<(), TrainError> {
        let policy = &self.learner.policy;
        if self.is_whole() {
            return adapters::write_trained(&self.config.dir.join(BEST_MODEL), &policy.model);
        }
        adapters::save(
            &self.config.dir.join(adapters::FOLDER),
            policy,
            self.learner.table.as_ref(),
            &self.config.lora,
            &self.config.base,
        )
    }

    /// Writes what remains and loads the best.
    fn finish(mut self) -> Result<Outcome, TrainError> {
        self.state.finished = true;
        self.save()?;
        if self.state.best.is_none() {
            self.keep()?;
        }
        let (dir, model) = (&self.config.dir, self.learner.policy.model.clone());
        let (policy, table) = if self.is_whole() {
            let path = dir.join(BEST_MODEL);
            let model = adapters::read_trained(&path, model, &self.config.lora)?;
            (Policy::plain(model.frozen()), None)
        } else {
            let (device, base) = (model.device(), model.without_adapters());
            let (policy, table, _) = adapters::load(&dir.join(adapters::FOLDER), base, &device)?;
            (policy, table)
        };
        let comparisons = self.comparisons(self.state.step);
        Ok(Outcome {
            policy,
            table,
            state: self.state,
            comparisons,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_together_depends_on_the_step_alone() {
        let ends: Vec<usize> = [0, 1, 2, 3, 6, 7, 14, 15, 22, 23]
            .into_iter()
            .map(prepared_together)
            .collect();
        assert_eq!(ends, [1, 3, 3, 7, 7, 15, 15, 23, 23, 31]);
    }
}

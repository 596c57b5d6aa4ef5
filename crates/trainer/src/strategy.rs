//! Training on burn-train, through a strategy of our own.
//!
//! burn-train brings the dashboard, the metrics behind it and the interrupter; its default loop would checkpoint the
//! frozen base at epoch ends and validate once an epoch. `SessionStrategy` therefore owns the whole
//! [`Session`] and only reports to burn-train what it did.
//!
//! ```text
//! Session::run ── monitor's thread: serves the Monitor
//!      └── training thread: SupervisedTraining::launch ── SessionStrategy::fit ── Session, step by step
//!                                                              └── events ── metrics ── dashboard
//! ```

mod events;
mod item;
mod relay;
mod scalar;
mod silent;

use std::any::Any;
use std::io::IsTerminal;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use burn::optim::AdamWConfig;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::{
    Interrupter, Learner, SupervisedLearningStrategy, SupervisedTraining,
    SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingStrategy,
    ValidLoader,
};

use crate::error::TrainError;
use crate::metrics::{Line, MetricsFile};
use crate::profile::TARGET;
use crate::schedule::{Rates, Schedule};
use crate::session::{Monitor, Outcome, Session};
use events::Events;
use item::{NoItems, Proxy};
use relay::Relay;
use scalar::Scalar;
use silent::Silent;

/// Address space of the training thread's stack; only what is used becomes memory.
const STACK_BYTES: usize = 16 << 20;

/// What the dashboard's "stop immediately" panics with in burn-train.
const KILLED: &str = "Killing training from user input.";

/// How a run is shown and stopped.
#[derive(Default)]
pub(crate) struct Display {
    /// The dashboard, if standard output is a terminal.
    pub dashboard: bool,
    /// Instead of the dashboard.
    pub renderer: Option<Box<dyn MetricsRenderer>>,
    /// Stops the run after a step.
    pub interrupter: Interrupter,
}

impl Display {
    fn takes_the_terminal(&self) -> bool {
        self.dashboard && self.renderer.is_none() && std::io::stdout().is_terminal()
    }

    fn into_renderer(self, finished_epochs: Option<usize>) -> Box<dyn MetricsRenderer> {
        if self.takes_the_terminal() {
            let dashboard = TuiMetricsRendererWrapper::new(self.interrupter, finished_epochs);
            return Box::new(dashboard);
        }
        self.renderer.unwrap_or_else(|| Box::new(Silent))
    }
}

/// Runs `session` to its end in a thread of its own and serves `monitor`, which may borrow, on this one.
pub(crate) fn run(session: Session, monitor: &mut dyn Monitor) -> Result<Outcome, TrainError> {
    let path = session.dir().to_path_buf();
    let (relay, desk) = relay::pair();
    let training = thread::Builder::new()
        .name("training".into())
        .stack_size(STACK_BYTES)
        .spawn(move || train(session, relay))
        .map_err(|e| TrainError::io(&path, e))?;
    desk.serve(monitor);
    let result = training.join();
    match result {
        Ok(result) => result,
        Err(payload) if was_killed(payload.as_ref()) => Err(TrainError::Killed { path }),
        Err(payload) => resume_unwind(payload),
    }
}

fn was_killed(payload: &(dyn Any + Send)) -> bool {
    let text = payload.downcast_ref::<&str>().copied();
    text.or(payload.downcast_ref::<String>().map(String::as_str)) == Some(KILLED)
}

/// The steps of an epoch, of the whole run where that is shorter.
fn steps_per_split(session: &Session) -> usize {
    session.steps_per_epoch().min(session.total_steps())
}

/// Launches burn-train around the session.
fn train(mut session: Session, relay: Relay) -> Result<Outcome, TrainError> {
    let (step, per_epoch) = (session.state().step, steps_per_split(&session));
    let path = session.dir().to_path_buf();
    let model = Proxy::new(&session.learner.policy.model.device());
    let epochs = session.total_steps().div_ceil(per_epoch);
    let finished = Some((step / per_epoch).min(epochs - 1)).filter(|&n| n > 0);
    let display = std::mem::take(&mut session.display);
    let interrupter = display.interrupter.clone();
    let strategy = Arc::new(SessionStrategy {
        work: Mutex::new(Some(Work { session, relay })),
        result: Mutex::new(None),
    });
    let loader = Arc::new(NoItems);
    let mut training = SupervisedTraining::new(&path, loader.clone(), loader)
        .num_epochs(epochs)
        .renderer(display.into_renderer(finished))
        .with_interrupter(interrupter)
        .with_metric_logger(Silent)
        .with_application_logger(None)
        .with_training_strategy(TrainingStrategy::Custom(strategy.clone()));
    if let Some(finished) = finished {
        training = training.checkpoint(finished);
    }
    for metric in Scalar::of_both_splits() {
        training = training
            .metric_train_numeric(metric.clone())
            .metric_valid_numeric(metric);
    }
    for metric in Scalar::of_training() {
        training = training.metric_train_numeric(metric);
    }
    let ended = training.launch(Learner::new(model, AdamWConfig::new().init(), 0.0));
    drop(ended); // Its renderer gives the terminal back.
    let result = locked(&strategy.result).take();
    // invariant: `fit` has run. Were it not so, nothing has been trained.
    result.unwrap_or(Err(TrainError::Interrupted { step, path }))
}

/// Trains a [`Session`](crate::session::Session) inside [`SupervisedTraining`].
///
/// Model, optimiser, schedule, order of the data, validation and checkpoints are the session's; burn-train's learner
/// and loaders are empty. Errors do not pass through burn-train, which has no type for them, but through `result`.
struct SessionStrategy {
    work: Mutex<Option<Work>>,
    result: Mutex<Option<Result<Outcome, TrainError>>>,
}

impl SupervisedLearningStrategy<Proxy> for SessionStrategy {
    fn fit(
        &self,
        components: TrainingComponents<Proxy>,
        learner: Learner<Proxy>,
        _: TrainLoader<Proxy>,
        _: ValidLoader<Proxy>,
        _: usize,
    ) -> (Proxy, SupervisedTrainingEventProcessor<Proxy>) {
        let mut processor = components.event_processor;
        if let Some(work) = locked(&self.work).take() {
            let mut events = Events::new(processor, steps_per_split(&work.session));
            let result = work.run(&mut events, &components.interrupter);
            *locked(&self.result) = Some(result);
            processor = events.close();
        }
        (learner.model(), processor)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session, and the way back to who watches it.
struct Work {
    session: Session,
    relay: Relay,
}

impl Work {
    fn run(
        mut self,
        events: &mut Events,
        interrupter: &Interrupter,
    ) -> Result<Outcome, TrainError> {
        let mut schedule = self.session.schedule()?;
        let mut reports = Reports {
            file: self.session.metrics_file()?,
            relay: &self.relay,
            events,
            total: self.session.total_steps(),
        };
        while self.session.goes_on() {
            self.session.step_once(&mut schedule, &mut reports)?;
            let asked = self.relay.should_stop() || interrupter.should_stop();
            let stopped = asked && self.session.goes_on();
            if stopped || self.session.save_is_due() {
                self.session.save()?;
            }
            if stopped {
                return Err(self.session.interrupted());
            }
        }
        self.session.finish()
    }
}

impl Session {
    /// One optimiser step and the validation that may follow it.
    fn step_once(
        &mut self,
        schedule: &mut Schedule,
        reports: &mut Reports<'_>,
    ) -> Result<(), TrainError> {
        let rates = schedule.next();
        let line = self.step(&rates)?;
        reports.step(line, &rates)?;
        if let Some(line) = self.validate_if_due()? {
            let line = Arc::new(line);
            reports.validation(&line)?;
            self.judge(&line)?;
        }
        reports.events.end_step(self.state().step);
        self.set_metrics_bytes(reports.file.bytes());
        Ok(())
    }
}

/// Everybody who hears of a step: the metrics file, the monitor, burn-train.
struct Reports<'a> {
    file: MetricsFile,
    relay: &'a Relay,
    events: &'a mut Events,
    total: usize,
}

impl Reports<'_> {
    fn step(&mut self, line: Line, rates: &Rates) -> Result<(), TrainError> {
        let _span = tracing::trace_span!(target: TARGET, "logging").entered();
        let line = Arc::new(line);
        self.publish(&line)?;
        self.events.step(&line, rates);
        Ok(())
    }

    fn validation(&mut self, line: &Arc<Line>) -> Result<(), TrainError> {
        self.publish(line)?;
        self.events.validation(line);
        Ok(())
    }

    fn publish(&mut self, line: &Arc<Line>) -> Result<(), TrainError> {
        self.file.write(line)?;
        self.relay.line(line.clone(), self.total);
        Ok(())
    }
}

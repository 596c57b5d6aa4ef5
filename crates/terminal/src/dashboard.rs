//! burn-train's terminal dashboard, and its metrics, as a [`Monitor`].
//!
//! A pass over the data is an epoch there. A validation in its midst ends the training split, and the next step opens it again,
//! so that splits never overlap; steps count on within the epoch.

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use burn_train::Interrupter;
use burn_train::metric::state::{FormatOptions, NumericMetricState};
use burn_train::metric::{MetricDefinition, MetricEntry, MetricId, NumericAttributes};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer};
use trainer::metrics::Line;
use trainer::monitor::{Monitor, Plan, Stop};
use trainer::progress::Progress;

use crate::logging;

/// What the dashboard's "stop immediately" panics with in burn-train.
const KILLED: &str = "Killing training from user input.";

/// One number of a line.
struct Number {
    name: &'static str,
    higher_is_better: bool,
    pick: fn(&Line) -> Option<f64>,
}

const fn number(
    name: &'static str,
    higher_is_better: bool,
    pick: fn(&Line) -> Option<f64>,
) -> Number {
    Number {
        name,
        higher_is_better,
        pick,
    }
}

/// Under their names in `metrics.jsonl`.
const NUMBERS: [Number; 13] = [
    number("loss", false, |l| Some(l.loss)),
    number("reward", true, |l| l.reward),
    number("kl", false, |l| l.kl),
    number("completions/mean_length", true, |l| l.mean_length),
    number("completions/empty_ratio", false, |l| l.empty_ratio),
    number("rewards/accuracies", true, |l| l.rewards_accuracies),
    number("rewards/margins", true, |l| l.rewards_margins),
    number("comparisons_per_second", true, |l| {
        Some(l.comparisons_per_second)
    }),
    number("tokens_per_second", true, |l| l.tokens_per_second),
    number("grad_norm", false, |l| l.grad_norm),
    number("users_grad_norm", false, |l| l.users_grad_norm),
    number("learning_rate", true, |l| l.learning_rate),
    number("users_learning_rate", true, |l| l.users_learning_rate),
];

/// Whether there is a terminal to show a dashboard on.
pub fn has_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Shows a run on burn-train's dashboard; `inner` hears of it too. `q` there, or what `inner` says, stops it.
pub struct Dashboard<M> {
    inner: M,
    interrupter: Interrupter,
    /// Instead of the terminal.
    renderer: Option<Box<dyn MetricsRenderer>>,
    shown: Option<Shown>,
    killed: bool,
    /// Log lines wait until the terminal is free.
    held: Option<logging::Hold>,
}

/// What is on the screen.
struct Shown {
    renderer: Box<dyn MetricsRenderer>,
    plan: Plan,
    /// Of the training and of the validation split.
    numbers: [[NumericMetricState; NUMBERS.len()]; 2],
    training_is_open: bool,
    /// Steps done.
    step: usize,
    /// Epochs that the renderer knows to be over.
    epochs: usize,
}

impl<M: Monitor> Dashboard<M> {
    /// On the terminal, which it holds from the start of the run until it is dropped.
    pub fn new(inner: M) -> Self {
        Self::on(inner, None)
    }

    /// Through another of burn-train's renderers.
    pub fn with_renderer(inner: M, renderer: Box<dyn MetricsRenderer>) -> Self {
        Self::on(inner, Some(renderer))
    }

    fn on(inner: M, renderer: Option<Box<dyn MetricsRenderer>>) -> Self {
        Self {
            inner,
            interrupter: Interrupter::new(),
            renderer,
            shown: None,
            killed: false,
            held: None,
        }
    }

    /// Draws. burn-train's renderer panics where its user said stop at once: here that becomes an answer to
    /// [`Monitor::stop`].
    fn draw(&mut self, draw: impl FnOnce(&mut Shown)) {
        let Some(shown) = self.shown.as_mut().filter(|_| !self.killed) else {
            return;
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| draw(shown))) {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or(payload.downcast_ref::<String>().map(String::as_str));
            if text != Some(KILLED) {
                resume_unwind(payload);
            }
            self.killed = true;
        }
    }
}

impl<M: Monitor> Monitor for Dashboard<M> {
    fn start(&mut self, plan: &Plan) {
        self.inner.start(plan);
        let epochs = plan.total.div_ceil(plan.per_epoch.max(1)).max(1);
        let finished = (plan.done / plan.per_epoch.max(1)).min(epochs - 1);
        let renderer = self.renderer.take().unwrap_or_else(|| {
            self.held = Some(logging::hold());
            let checkpoint = Some(finished).filter(|&n| n > 0);
            Box::new(TuiMetricsRendererWrapper::new(
                self.interrupter.clone(),
                checkpoint,
            ))
        });
        self.shown = Some(Shown {
            renderer,
            plan: *plan,
            numbers: Default::default(),
            training_is_open: false,
            step: plan.done,
            epochs: finished,
        });
        self.draw(|shown| shown.start(epochs));
    }

    fn line(&mut self, line: &Line, total: usize) {
        self.inner.line(line, total);
        self.draw(|shown| shown.line(line));
    }

    fn stop(&self) -> Option<Stop> {
        if self.killed {
            return Some(Stop::AtOnce);
        }
        let asked = self.interrupter.should_stop().then_some(Stop::AfterSaving);
        asked.or_else(|| self.inner.stop())
    }

    fn progress(&self) -> &dyn Progress {
        self.inner.progress()
    }
}

impl<M> Drop for Dashboard<M> {
    /// Gives the terminal back before the log lines that waited for it come out.
    fn drop(&mut self) {
        if let Some(mut shown) = self.shown.take().filter(|_| !self.killed) {
            let _ = catch_unwind(AssertUnwindSafe(|| shown.end())); // Killed at the last moment.
        }
        self.held = None;
    }
}

impl Shown {
    fn start(&mut self, epochs: usize) {
        for number in &NUMBERS {
            let attributes = NumericAttributes {
                unit: None,
                higher_is_better: number.higher_is_better,
            };
            self.renderer.register_metric(MetricDefinition {
                metric_id: id(number),
                name: Arc::new(number.name.into()),
                description: None,
                attributes: attributes.into(),
            });
        }
        self.renderer.start(epochs, self.epochs + 1, None, None);
    }

    fn line(&mut self, line: &Line) {
        match line.split.as_str() {
            "validation" => {
                self.end_training();
                let done = line.count_by_user.values().sum::<u64>() as usize;
                self.renderer.start_split("valid", done);
                self.numbers[1] = Default::default();
                self.update(line, 1);
                self.renderer.update_split(done);
                self.renderer.end_split();
            }
            _ => {
                let per_epoch = self.plan.per_epoch;
                if !self.training_is_open {
                    self.end_epochs();
                    self.training_is_open = true;
                    self.numbers[0] = Default::default();
                    self.renderer.start_split("train", per_epoch);
                }
                self.step = line.step;
                self.update(line, 0);
                self.renderer.update_split((line.step - 1) % per_epoch + 1);
                if line.step.is_multiple_of(per_epoch) {
                    self.end_training();
                }
            }
        }
    }

    /// Shows the numbers that a line has.
    fn update(&mut self, line: &Line, split: usize) {
        for (number, state) in NUMBERS.iter().zip(&mut self.numbers[split]) {
            let Some(value) = (number.pick)(line) else {
                continue;
            };
            state.update(value, 1);
            let format = FormatOptions::new(Arc::new(number.name.into())).precision(4);
            let entry = MetricEntry::new(id(number), state.compute_update(format));
            let shown = MetricState::Numeric(entry, Some(state.current_value()));
            match split {
                0 => self.renderer.update_train(shown),
                _ => self.renderer.update_valid(shown),
            }
        }
    }

    fn end_training(&mut self) {
        if std::mem::take(&mut self.training_is_open) {
            self.renderer.end_split();
        }
    }

    /// Tells of the epochs that are over.
    fn end_epochs(&mut self) {
        while self.epochs < self.step / self.plan.per_epoch {
            self.epochs += 1;
            self.renderer.update_epoch(self.epochs);
        }
    }

    fn end(&mut self) {
        self.end_training();
        self.end_epochs();
        self.renderer.end();
        let _ = self.renderer.on_train_end(None); // There is no summary that it could fail to show.
    }
}

fn id(number: &Number) -> MetricId {
    MetricId::new(Arc::new(number.name.into()))
}

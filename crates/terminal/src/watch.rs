//! The monitor of the programs: logs progress, stops at Ctrl-C, and where the system asks the program to end.

use std::time::{Duration, Instant};

use trainer::metrics::Line;
use trainer::monitor::{Monitor, Plan, Stop};
use trainer::progress::Progress;

use crate::signals::{self, Work};
use crate::{Bars, duration};

/// The least time between two lines of training.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The exit code of a program that stopped early, as shells expect it after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Takes over Ctrl-C, SIGTERM and SIGHUP for a command that has nothing to save: it ends within a second without temporary files, and
/// at the second one at once. A program may make a [`Watch`] later, from when on there is something to save.
pub fn end_at_signals() {
    signals::listen(Work::HasNothingToSave);
}

/// Logs a line now and then. At the first Ctrl-C, SIGTERM or SIGHUP the run finishes its step and saves; the second ends
/// the program.
pub struct Watch {
    bars: Bars,
    last: Instant,
    /// When the run began or went on, and how many steps were done then.
    start: (Instant, usize),
}

impl Watch {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP, for all [`Bars`] too; a program may have one of these.
    pub fn new() -> Self {
        signals::listen(Work::Saves);
        Self {
            bars: Bars::default(),
            last: Instant::now(),
            start: (Instant::now(), 0),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Monitor for Watch {
    fn start(&mut self, plan: &Plan) {
        self.start = (Instant::now(), plan.done);
    }

    fn line(&mut self, line: &Line, total: usize) {
        let validation = line.split == "validation";
        if !validation && self.last.elapsed() < LINE_EVERY {
            return;
        }
        self.last = Instant::now();
        let left = match self.left(line.step, total) {
            Some(left) if !validation => format!(", {left} left"),
            _ => String::new(),
        };
        tracing::info!(
            "{} {}/{total}: loss {:.3}{}{left}",
            line.split,
            line.step,
            line.loss,
            told(line),
        );
    }

    fn progress(&self) -> &dyn Progress {
        &self.bars
    }

    fn stop(&self) -> Option<Stop> {
        signals::asked().then_some(Stop::AfterSaving)
    }
}

impl Watch {
    /// How long the rest of the run takes at the rate so far.
    fn left(&self, step: usize, total: usize) -> Option<String> {
        let (start, before) = self.start;
        let done = step.checked_sub(before).filter(|&done| done > 0)?;
        let rest = total.checked_sub(step).filter(|&rest| rest > 0)?;
        let each = start.elapsed().as_secs_f64() / done as f64;
        Some(duration(each * rest as f64))
    }
}

/// What a line says beside its loss: of responses that were sampled, or of comparisons.
fn told(line: &Line) -> String {
    if let (Some(reward), Some(kl)) = (line.reward, line.kl) {
        let (length, empty) = (line.mean_length, line.empty_ratio);
        let scorer = match (line.scorer_calls, line.scorer_cached) {
            (Some(calls), Some(cached)) => format!(", {calls} calls ({cached} answers cached)"),
            _ => String::new(),
        };
        return format!(
            ", reward {reward:.3}, kl {kl:.2}, {:.1} tokens, {:.0} % empty{scorer}, {:.2} prompts/s",
            length.unwrap_or(0.0),
            100.0 * empty.unwrap_or(0.0),
            line.comparisons_per_second,
        );
    }
    let rewards = match (line.rewards_accuracies, line.rewards_margins) {
        (Some(accuracy), Some(margin)) => format!(", accuracy {accuracy:.2}, margin {margin:.2}"),
        _ => String::new(),
    };
    format!(
        "{rewards}, {:.2} comparisons/s",
        line.comparisons_per_second
    )
}

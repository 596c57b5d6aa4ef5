//! The monitor of the programs: logs progress, stops at Ctrl-C, and where the system asks the program to end.

use std::time::{Duration, Instant};

use trainer::metrics::Line;
use trainer::monitor::{Monitor, Stop};
use trainer::progress::Progress;

use crate::Bars;
use crate::signals::{self, Work};

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
}

impl Watch {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP, for all [`Bars`] too; a program may have one of these.
    pub fn new() -> Self {
        signals::listen(Work::Saves);
        Self {
            bars: Bars::default(),
            last: Instant::now(),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Monitor for Watch {
    fn line(&mut self, line: &Line, total: usize) {
        let validation = line.split == "validation";
        if !validation && self.last.elapsed() < LINE_EVERY {
            return;
        }
        self.last = Instant::now();
        let rewards = match (line.rewards_accuracies, line.rewards_margins) {
            (Some(accuracy), Some(margin)) => {
                format!(", accuracy {accuracy:.2}, margin {margin:.2}")
            }
            _ => String::new(),
        };
        tracing::info!(
            "{} {}/{total}: loss {:.3}{rewards}, {:.2} comparisons/s",
            line.split,
            line.step,
            line.loss,
            line.comparisons_per_second,
        );
    }

    fn progress(&self) -> &dyn Progress {
        &self.bars
    }

    fn stop(&self) -> Option<Stop> {
        signals::asked().then_some(Stop::AfterSaving)
    }
}

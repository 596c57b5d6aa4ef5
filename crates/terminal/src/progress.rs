//! Progress with an ETA: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use trainer::progress::Progress;

use crate::{logging, signals};

/// Seconds between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows one piece of work after another on standard error, never on standard output.
#[derive(Debug, Default)]
pub struct Bars {
    current: Mutex<Option<Shown>>,
}

/// A piece of work under way.
#[derive(Debug)]
struct Shown {
    what: String,
    start: Instant,
    last_line: Instant,
    /// None where no bar can be drawn.
    bar: Option<ProgressBar>,
}

impl Progress for Bars {
    fn report(&self, what: &str, done: usize, total: usize) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if done >= total {
            *current = None; // Takes its bar away.
            return;
        }
        let shown = match current.take() {
            Some(shown) if shown.what == what && done > 0 => current.insert(shown),
            _ => current.insert(Shown::new(what, total)),
        };
        shown.show(done, total);
    }

    /// Once a [`Watch`](crate::Watch) listens to signals, or [`end_at_signals`](crate::end_at_signals) was called.
    fn stopped(&self) -> bool {
        signals::asked()
    }
}

impl Shown {
    fn new(what: &str, total: usize) -> Self {
        let free = std::io::stderr().is_terminal() && !logging::is_held();
        let bar = free.then(|| {
            let style = ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len} ETA {eta}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total as u64)
                .with_style(style)
                .with_message(printable::line(what).into_owned())
        });
        let now = Instant::now();
        Self {
            what: what.into(),
            start: now,
            last_line: now,
            bar,
        }
    }

    fn show(&mut self, done: usize, total: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        } else if done > 0 && self.last_line.elapsed() >= LINE_EVERY {
            let left = self.start.elapsed().as_secs_f64() / done as f64 * (total - done) as f64;
            tracing::info!("{}: {done} of {total}, {left:.0} s left", self.what);
            self.last_line = Instant::now();
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_done_leaves_nothing_and_other_work_takes_its_place() {
        let bars = Bars::default();
        let shown = || {
            bars.current
                .lock()
                .unwrap()
                .as_ref()
                .map(|s| s.what.clone())
        };
        bars.report("a", 0, 3);
        bars.report("a", 2, 3);
        assert_eq!(shown().as_deref(), Some("a"));
        bars.report("b", 0, 3);
        assert_eq!(shown().as_deref(), Some("b"));
        bars.report("b", 3, 3);
        assert_eq!(shown(), None);
        bars.report("nothing to do", 0, 0);
        assert_eq!(shown(), None);
    }
}

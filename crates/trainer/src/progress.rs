//! Progress with an ETA: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::logging;

/// Seconds between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress over a known number of items. Drawn on standard error, never on standard output.
pub struct Progress {
    what: String,
    total: usize,
    start: Instant,
    bar: Option<ProgressBar>,
    plain: Mutex<(usize, Instant)>,
}

impl Progress {
    /// Starts at zero of `total`.
    pub fn new(what: &str, total: usize) -> Self {
        let free = std::io::stderr().is_terminal() && !logging::is_held();
        let bar = free.then(|| {
            let style = ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len} ETA {eta}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total as u64)
                .with_style(style)
                .with_message(what.to_string())
        });
        Self {
            what: what.into(),
            total,
            start: Instant::now(),
            bar,
            plain: Mutex::new((0, Instant::now())),
        }
    }

    /// `items` more are done.
    pub fn advance(&self, items: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(items as u64);
            return;
        }
        let Ok(mut plain) = self.plain.lock() else {
            return;
        };
        plain.0 += items;
        if plain.1.elapsed() >= LINE_EVERY && plain.0 < self.total {
            let left =
                self.start.elapsed().as_secs_f64() / plain.0 as f64 * (self.total - plain.0) as f64;
            tracing::info!(
                "{}: {} of {}, {left:.0} s left",
                self.what,
                plain.0,
                self.total
            );
            plain.1 = Instant::now();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

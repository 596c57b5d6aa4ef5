//! The monitor of the programs: logs progress, stops at Ctrl-C, and where the system asks the program to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use trainer::metrics::Line;
use trainer::monitor::{Monitor, Stop};
use trainer::progress::Progress;

use crate::Bars;

/// The least time between two lines of training.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The exit code of a program that stopped early, as shells expect it after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Logs a line now and then. At the first Ctrl-C, SIGTERM or SIGHUP the run finishes its step and saves; the second ends
/// the program.
pub struct Watch {
    bars: Bars,
    stop: Arc<AtomicBool>,
    last: Instant,
}

impl Watch {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP; a program may have one of these.
    pub fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let handler = move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED.into());
            }
            tracing::warn!("finishing this step, then saving; Ctrl-C again stops at once");
        };
        if let Err(error) = at_signals(handler) {
            tracing::warn!("Ctrl-C will stop without saving: {error}");
        }
        let last = Instant::now();
        let bars = Bars::default();
        Self { bars, stop, last }
    }
}

/// Calls `handler` at Ctrl-C, at SIGTERM, and at SIGHUP unless the program was started with it ignored (`nohup`).
#[cfg(unix)]
fn at_signals(handler: impl Fn() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    let mut wanted = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted)?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || signals.forever().for_each(|_| handler()))?;
    Ok(())
}

/// Whether this process ignores a signal, where the system tells.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Calls `handler` at Ctrl-C.
#[cfg(windows)]
fn at_signals(handler: impl Fn() + Send + 'static) -> std::io::Result<()> {
    ctrlc::set_handler(handler).map_err(std::io::Error::other)
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
        let asked = self.stop.load(Ordering::SeqCst);
        asked.then_some(Stop::AfterSaving)
    }
}

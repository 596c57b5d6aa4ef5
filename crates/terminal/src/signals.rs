//! Ctrl-C, SIGTERM and SIGHUP: the first asks the work of this process to end, the second ends it. Work that has nothing to save
//! is ended if it has not ended by itself soon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::INTERRUPTED;

/// Whether the process was asked to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether the signals are taken over.
static LISTENS: AtomicBool = AtomicBool::new(false);

/// Whether there is something to save by now.
static SAVES: AtomicBool = AtomicBool::new(false);

/// Signals this soon after the first are the same one: a terminal sends to a whole group of processes, and a program that started
/// this one often passes on what it gets itself.
const TOGETHER: Duration = Duration::from_millis(500);

/// True once the process was asked to end and [`listen`] had been called.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// How long work without anything to save has to end by itself.
const PATIENCE: Duration = Duration::from_millis(700);

/// What a process does that is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Finishes its step and saves.
    Saves,
    /// Leaves nothing that goes on.
    HasNothingToSave,
}

/// Ends the process at once, without a temporary file of its own.
fn end() -> ! {
    whole_file::abandon();
    std::process::exit(INTERRUPTED.into());
}

/// What the process would do.
fn work() -> Work {
    match SAVES.load(Ordering::SeqCst) {
        true => Work::Saves,
        false => Work::HasNothingToSave,
    }
}

/// Takes the signals over. Work that has something to save may begin later, with a second call.
pub(crate) fn listen(work_now: Work) {
    SAVES.fetch_or(work_now == Work::Saves, Ordering::SeqCst);
    if LISTENS.swap(true, Ordering::SeqCst) {
        return;
    }
    let first = Mutex::new(None);
    let handler = move || {
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        match after(&mut first, Instant::now()) {
            Next::Ask => {
                ASKED.store(true, Ordering::SeqCst);
                match work() {
                    Work::Saves => {
                        tracing::warn!(
                            "finishing this step, then saving; Ctrl-C again stops at once"
                        );
                    }
                    Work::HasNothingToSave => drop(std::thread::spawn(|| {
                        std::thread::sleep(PATIENCE);
                        // What has begun to save meanwhile ends by itself.
                        if work() == Work::HasNothingToSave {
                            crate::say("stopped");
                            end();
                        }
                    })),
                }
            }
            Next::Same => {}
            Next::End => {
                crate::say(match work() {
                    Work::Saves => "stopped at once: what came after the last save is lost",
                    Work::HasNothingToSave => "stopped at once",
                });
                end();
            }
        }
    };
    if let Err(error) = at_signals(handler) {
        tracing::warn!("Ctrl-C will stop at once, and may leave temporary files: {error}");
    }
}

/// What a signal means.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Ask,
    Same,
    End,
}

/// What a signal at `now` means after the first.
fn after(first: &mut Option<Instant>, now: Instant) -> Next {
    match first {
        None => {
            *first = Some(now);
            Next::Ask
        }
        Some(first) if now.duration_since(*first) < TOGETHER => Next::Same,
        Some(_) => Next::End,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_within_half_a_second_are_one_and_a_later_one_ends_the_program() {
        let (start, mut first) = (Instant::now(), None);
        let mut at = |ms| after(&mut first, start + Duration::from_millis(ms));
        assert_eq!(at(0), Next::Ask);
        assert_eq!(at(1), Next::Same);
        assert_eq!(at(499), Next::Same);
        assert_eq!(at(500), Next::End);
    }
}

//! What the programs share: logs, progress bars, Ctrl-C, tables, models by hub id.
//!
//! A command works through libraries and writes what was asked for to an [`Output`], which the program connects to
//! standard output. Notes and warnings are logged, on standard error. All three escape what a terminal would obey in the ids, file
//! names and texts of others.

pub mod hub;
pub mod logging;

#[cfg(feature = "dashboard")]
mod dashboard;
mod end;
mod expectation;
mod output;
mod profile;
mod progress;
mod say;
mod signals;
mod watch;

#[cfg(feature = "dashboard")]
pub use dashboard::{Dashboard, has_terminal};
pub use end::stopped;
pub use expectation::Expectation;
pub use output::{Output, WhileRead, bytes, duration, grouped};
pub use profile::{Phase, Products, Profile, Share, Total, Totals, phases};
pub use progress::Bars;
pub use say::{fail, say};
pub use watch::{INTERRUPTED, Watch, end_at_signals};

/// The arguments of this process; bytes that are no text are replaced.
pub fn arguments() -> Vec<String> {
    let given = std::env::args_os().skip(1);
    given.map(|a| a.to_string_lossy().into_owned()).collect()
}

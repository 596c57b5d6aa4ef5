//! The subcommands of the program `prlhf`, one module each.
//!
//! A command reads its arguments, works through the library, and writes what was asked for to an [`Output`], which the
//! program connects to standard output. Notes and warnings are logged.

pub mod chat;
pub mod check;
pub mod data;
pub mod estimate;
pub mod eval;
mod eval_compare;
mod eval_data;
mod eval_tables;
pub mod generate;
pub mod inspect;
pub mod inspect_run;
pub mod output;
pub mod prepare;
pub mod profile;
pub mod sampling;
pub mod train;
pub mod trained;
pub mod users;

pub use output::Output;

/// The arguments of this process; bytes that are no text are replaced.
pub fn arguments() -> Vec<String> {
    let given = std::env::args_os().skip(1);
    given.map(|a| a.to_string_lossy().into_owned()).collect()
}

//! Runs the reproductions; `cargo xtask repro` builds and calls it.

mod args;
mod launch;

use std::process::ExitCode;

use args::{Cli, Command, Of};
use bench::{PrismConfig, PsoupsConfig, TldrConfig};
use clap::Parser;

fn main() -> ExitCode {
    trainer::memory::keep();
    terminal::logging::init();
    terminal::end_at_signals();
    let result = match Cli::parse().command {
        Command::Tldr(args) => launch::run::<TldrConfig>(&args),
        Command::Psoups(args) => launch::run::<PsoupsConfig>(&args),
        Command::Prism(args) => launch::run::<PrismConfig>(&args),
        Command::Onboarding(args) => match args.of {
            Of::Tldr => launch::run::<TldrConfig>(&args),
            Of::Psoups => launch::run::<PsoupsConfig>(&args),
            Of::Prism => launch::run::<PrismConfig>(&args),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(closed) if closed.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            // A refused setting may be the address of a judge.
            let failed = || terminal::fail(&judge::shown_urls(&error.to_string()));
            terminal::stopped("cargo xtask repro", &error).unwrap_or_else(failed)
        }
    }
}

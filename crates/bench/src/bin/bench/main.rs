//! Runs the reproductions; `cargo xtask repro` builds and calls it.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program speaks to its user.

mod args;
mod launch;
mod speed;

use std::process::ExitCode;

use args::{Cli, Command};
use bench::prism::PrismConfig;
use clap::Parser;

fn main() -> ExitCode {
    terminal::logging::init();
    let result = match Cli::parse().command {
        Command::Tldr(args) => {
            let overrides = args.common.overrides();
            launch::run(&args.common, &overrides, |data| args.apply(data))
        }
        Command::Psoups(args) => {
            let overrides = args.judge.add_to(args.common.overrides());
            launch::run(&args.common, &overrides, |data| args.apply(data))
        }
        Command::Prism(args) => {
            let overrides = args.judge.add_to(args.common.overrides());
            launch::run(&args.common, &overrides, |_: &mut PrismConfig| ())
        }
        Command::Speed(args) => speed::run(&args),
        Command::SpeedWorker(args) => speed::work(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(closed) if closed.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

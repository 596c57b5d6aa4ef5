//! `cargo xtask`: reproductions, the test command, and downloads. It parses arguments and calls cargo; what it runs is
//! elsewhere.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

mod assets;
mod bench;
mod cargo;
mod fetch;
mod fuzz;
mod repro;
mod suite;
mod torture;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the reproductions, the tests and the downloads of P-RLHF.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Trains and compares the systems of one of the paper's experiments, and writes a report.
    #[command(subcommand)]
    Repro(repro::Experiment),
    /// Measures our speed against that of another program, or on a GPU.
    #[command(subcommand)]
    Bench(bench::Against),
    /// Runs every test and every example, with the small real model where it can be fetched.
    Test,
    Torture(torture::TortureArgs),
    /// Reads mangled files of every format: none may crash a program, hang, or eat the memory.
    Fuzz(fuzz::FuzzArgs),
    /// Downloads a file of `datasets/assets.toml` into the cache and prints its path.
    Fetch(fetch::FetchArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, Box<dyn Error>> {
    match task {
        Task::Repro(experiment) => repro::run(experiment),
        Task::Bench(against) => bench::run(&against),
        Task::Test => suite::run(),
        Task::Torture(args) => torture::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Fetch(args) => fetch::run(&args),
    }
}

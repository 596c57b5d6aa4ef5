//! `cargo xtask fuzz`: mangled files of every format.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;

use crate::cargo::Cargo;

/// How many files, and which.
#[derive(Args)]
pub struct FuzzArgs {
    /// Files to read.
    #[arg(long, default_value_t = 10_000)]
    rounds: u64,
    /// The seed of all faults: the same seed gives the same files.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The first file, to begin where an earlier run found something.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// Runs the program `fuzz`. Without `-p`, so that it shares the build of all other programs.
pub fn run(args: &FuzzArgs) -> Result<ExitCode, Box<dyn Error>> {
    let numbers = [args.rounds, args.seed, args.first].map(|number| number.to_string());
    let [rounds, seed, first] = &numbers;
    let fuzz = Cargo::release("run")
        .args(["--quiet", "--bin", "fuzz", "--"])
        .args(["--rounds", rounds, "--seed", seed, "--first", first]);
    Ok(fuzz.take_over()?)
}

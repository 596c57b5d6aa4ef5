//! Gives files of every format that P-RLHF reads a few faults and lets the libraries read them: an error is right, a crash, a panic,
//! more than ten seconds, or more memory than 20 times the file and 1 GiB is not. `cargo xtask fuzz` builds and calls it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to its user"
)]

mod lane;
mod mangle;
mod seeds;
mod targets;
mod worker;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::{Parser, Subcommand};

use lane::{Lane, Outcome};

/// Reads mangled files of every format.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    /// Files to read.
    #[arg(long, default_value_t = 10_000)]
    rounds: u64,
    /// The seed of all faults: the same seed gives the same files.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The first file, to begin where an earlier run found something.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Where files that did harm are kept.
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
    #[command(subcommand)]
    side: Option<Side>,
}

#[derive(Subcommand)]
enum Side {
    /// The process that reads, which the program starts itself.
    #[command(hide = true)]
    Worker {
        seeds: PathBuf,
        scratch: PathBuf,
        keep: PathBuf,
        seed: u64,
        from: u64,
        step: u64,
        to: u64,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(Side::Worker {
        seeds,
        scratch,
        keep,
        seed,
        from,
        step,
        to,
    }) = cli.side
    {
        let inputs = (from..to).step_by(usize::try_from(step)?.max(1));
        worker::run([&seeds, &scratch, &keep], seed, inputs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::tempdir()?;
    let intact = folder.path().join("seeds");
    seeds::write(&intact)?;
    seeds::validate(&intact, &folder.path().join("intact"))?;
    let lanes = thread::available_parallelism()?.get() as u64;
    let lane = |n: u64| Lane {
        seeds: intact.clone(),
        scratch: folder.path().join(format!("lane-{n}")),
        keep: cli.keep.clone(),
        seed: cli.seed,
        inputs: (cli.first + n, lanes, cli.first + cli.rounds),
    };
    let running: Vec<_> = (0..lanes)
        .map(lane)
        .map(|lane| thread::spawn(move || lane::run(lane)))
        .collect();
    let mut outcome = Outcome::default();
    for lane in running {
        let of_lane = lane.join().map_err(|_| "a lane panicked")??;
        outcome.answers.extend(of_lane.answers);
        outcome.faults.extend(of_lane.faults);
    }
    Ok(tell(&outcome))
}

fn tell(outcome: &Outcome) -> ExitCode {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (name, accepted) in &outcome.answers {
        let (all, good) = counts.entry(name).or_default();
        *all += 1;
        *good += u64::from(*accepted);
    }
    println!("{:<18} {:>8} {:>9}", "format", "mangled", "accepted");
    for (name, (all, good)) in counts {
        println!("{name:<18} {all:>8} {good:>9}");
    }
    for fault in &outcome.faults {
        println!("{fault}");
    }
    match outcome.faults.len() {
        0 => ExitCode::SUCCESS,
        faults => {
            eprintln!("error: {faults} files did harm, see above");
            ExitCode::FAILURE
        }
    }
}

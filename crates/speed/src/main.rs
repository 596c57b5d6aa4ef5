//! Our speed against TRL's and llama.cpp's, and a first look at a GPU; `cargo xtask bench` builds it, makes ready what it needs,
//! and calls it.

mod fitted;
mod visit;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use serde_json::{Map, json};
use speed::contest::{self, Contest, Round};
use speed::worker::{self, Size};
use speed::{Workload, inputs, summary};
use terminal::{Output, Profile, fail, logging, say};
use trainer::machine::Machine;
use trainer::{TrainError, files, memory};

/// Our speed against that of TRL and llama.cpp, in turns on this machine.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(flatten)]
    contests: Option<ContestArgs>,
    #[command(subcommand)]
    side: Option<Side>,
}

#[derive(Subcommand)]
enum Side {
    /// Our side of one contest, which the program starts itself.
    #[command(hide = true)]
    Worker(WorkerArgs),
    /// A first quarter of an hour on a GPU: is it right, does it learn, how fast is it.
    Gpu(visit::GpuArgs),
    /// A part of it, which the program starts itself.
    #[command(hide = true)]
    GpuPart(visit::PartArgs),
    /// Time and memory of a request to a run with very many fitted users.
    Users(fitted::UsersArgs),
    /// One such request, which the program makes itself.
    #[command(hide = true)]
    Opening(fitted::OpeningArgs),
}

#[derive(Args)]
struct ContestArgs {
    /// The model: a Hugging Face directory, a GGUF file, or a hub id.
    #[arg(long)]
    model: String,
    /// Official TL;DR files or folders of them; default: the project's mini data, prompts filled up to 230 tokens.
    #[arg(long)]
    data: Vec<String>,
    /// A Python with the packages of `crates/speed/python/requirements.txt` and, where it builds, llama-cpp-python.
    #[arg(long)]
    python: PathBuf,
    /// Where model and token ids are written for both sides.
    #[arg(long)]
    work: PathBuf,
    /// What to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["vanilla", "pdpo", "decode", "llama-cpp", "matmul"])]
    only: Vec<Workload>,
    /// Rounds of each side.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Optimiser steps per round.
    #[arg(long, default_value_t = 3)]
    steps: usize,
    /// Comparisons per step.
    #[arg(long, default_value_t = 4)]
    batch: usize,
    /// TRL's floating-point type; ours is f32.
    #[arg(long, default_value = "float32", value_parser = ["float32", "bfloat16"])]
    dtype: String,
    /// Where all figures go, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct WorkerArgs {
    workload: Workload,
    folder: PathBuf,
    #[arg(long)]
    steps: usize,
    #[arg(long)]
    batch: usize,
}

fn main() -> ExitCode {
    memory::keep();
    let cli = Cli::parse();
    let profile = match &cli.side {
        Some(Side::Worker(_)) => Some(Profile::default()),
        _ => None,
    };
    logging::init_with(profile.clone());
    let result = match (cli.side, cli.contests) {
        (Some(Side::Worker(args)), _) => work(&args, &profile.unwrap_or_default()),
        (Some(Side::Gpu(args)), _) => visit::go(&args),
        (Some(Side::GpuPart(args)), _) => visit::part(&args),
        (Some(Side::Users(args)), _) => fitted::measure(&args, &mut io::stdout()),
        (Some(Side::Opening(args)), _) => fitted::opening(&args, &mut io::stdout()),
        (None, Some(args)) => compete(&args),
        (None, None) => Err(TrainError::Usage(
            "give --model, --python and --work".into(),
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(closed) if closed.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Our side of a contest.
fn work(args: &WorkerArgs, profile: &Profile) -> Result<(), TrainError> {
    let size = Size {
        steps: args.steps,
        batch: args.batch,
    };
    let (input, out) = (io::stdin().lock(), io::stdout().lock());
    worker::run(args.workload, (&args.folder, profile), size, input, out)
}

/// Measures, writes the figures, prints the table.
fn compete(args: &ContestArgs) -> Result<(), TrainError> {
    let data = match args.data.is_empty() {
        true => vec!["datasets/mini/tldr.jsonl".to_string()],
        false => args.data.clone(),
    };
    let count = args.steps * args.batch;
    let facts = inputs::write(&args.work, &args.model, &data, count)?;
    say(format_args!(
        "{count} comparisons: prompts of {:.0} tokens{}, responses of {:.0}; {} rounds of {} steps each",
        facts.prompt_tokens,
        if facts.lengthened { " (filled up)" } else { "" },
        facts.response_tokens,
        args.rounds,
        args.steps
    ));
    let mut contests: Vec<Contest> = Vec::new();
    for &workload in &args.only {
        if let (Workload::LlamaCpp, Some(problem)) = (workload, no_llama_cpp(args)) {
            say(format_args!("llama.cpp is left out: {problem}."));
            continue;
        }
        say(format_args!("{} ...", workload.name()));
        let heard = |round: &Round| {
            say(format_args!(
                "  ours {}  theirs {}",
                round.ours, round.theirs
            ))
        };
        let sides = (ours(args, workload)?, theirs(args, workload));
        let contest = contest::run(workload, sides.0, sides.1, args.rounds, heard);
        contests.push(contest.map_err(|e| TrainError::io(&args.python, e))?);
    }
    let machine = Machine::here();
    if let Some(path) = &args.json {
        let context = json!({
            "cpu": machine.processor,
            "threads": machine.cores,
            "caches": machine.caches,
            "instructions": machine.instructions,
            "model": args.model,
            "data": data,
            "comparisons": facts,
            "their_dtype": args.dtype,
        });
        let context: Map<_, _> = context.as_object().cloned().unwrap_or_default();
        let text = format!("{:#}\n", summary::json(&contests, context));
        files::replace_file(path, text)?;
    }
    let mut stdout = io::stdout();
    let out = &mut Output(&mut stdout);
    out.line(format_args!("On {machine}.\n"))?;
    out.line(summary::table(&contests))?;
    match summary::phases(&contests) {
        Some(phases) => out.line(phases),
        None => Ok(()),
    }
}

/// Why llama.cpp cannot take part.
fn no_llama_cpp(args: &ContestArgs) -> Option<&'static str> {
    if !args.work.join(inputs::STORED).exists() {
        return Some("the model is no GGUF file");
    }
    let mut import = Command::new(&args.python);
    let found = import.args(["-c", "import llama_cpp"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    (!found).then_some("this Python has no llama_cpp")
}

fn ours(args: &ContestArgs, workload: Workload) -> Result<Command, TrainError> {
    let this = std::env::current_exe().map_err(|e| TrainError::io(Path::new("speed"), e))?;
    let mut command = Command::new(this);
    command.arg("worker");
    tell(&mut command, args, workload);
    Ok(command)
}

fn theirs(args: &ContestArgs, workload: Workload) -> Command {
    let mut command = Command::new(&args.python);
    command.arg("crates/speed/python/trl_worker.py");
    tell(&mut command, args, workload);
    command.args(["--dtype", &args.dtype]);
    // Nothing is to be asked of a hub; progress bars and warnings would hide ours.
    for (name, value) in [
        ("HF_HUB_OFFLINE", "1"),
        ("TQDM_DISABLE", "1"),
        ("PYTHONWARNINGS", "ignore"),
    ] {
        command.env(name, value);
    }
    command
}

/// What both sides are told.
fn tell(command: &mut Command, args: &ContestArgs, workload: Workload) {
    command.arg(workload.name()).arg(&args.work);
    command.args(["--steps", &args.steps.to_string()]);
    command.args(["--batch", &args.batch.to_string()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_about_all_contests_or_is_one_side_of_one() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        let all =
            parse("speed --model m --python p --work w --only pdpo,llama-cpp --steps 2").unwrap();
        let contests = all.contests.unwrap();
        assert_eq!(contests.only, [Workload::Pdpo, Workload::LlamaCpp]);
        assert_eq!((contests.rounds, contests.steps, contests.batch), (3, 2, 4));
        assert!(all.side.is_none());
        let mut command = Command::new("speed");
        tell(command.arg("worker"), &contests, Workload::LlamaCpp);
        let words = command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned());
        let side = parse(&format!("speed {}", words.collect::<Vec<_>>().join(" "))).unwrap();
        let Some(Side::Worker(worker)) = side.side else {
            panic!("no side");
        };
        assert_eq!(worker.workload, Workload::LlamaCpp);
        assert_eq!(
            (worker.folder, worker.steps, worker.batch),
            ("w".into(), 2, 4)
        );
        assert!(parse("speed").is_err());
        assert!(parse("speed --model m").is_err());
    }
}

//! `bench speed`: our speed against TRL's.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::experiment::cpu;
use bench::speed::contest::{self, Contest, Round};
use bench::speed::worker::{self, Size};
use bench::speed::{Kind, summary, workload};
use clap::{Args, ValueEnum};
use serde_json::{Map, json};
use terminal::Output;
use trainer::{TrainError, files};

/// Arguments of `bench speed`.
#[derive(Args)]
pub struct SpeedArgs {
    /// The model: a Hugging Face directory, a GGUF file, or a hub id.
    #[arg(long)]
    model: String,
    /// Official TL;DR files or folders of them; default: the project's mini data, prompts filled up to 230 tokens.
    #[arg(long)]
    data: Vec<String>,
    /// A Python with the packages of `crates/bench/python/requirements.txt` and, where it builds, llama-cpp-python.
    #[arg(long)]
    python: PathBuf,
    /// Where model and token ids are written for both sides.
    #[arg(long)]
    work: PathBuf,
    /// What to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["vanilla", "pdpo", "decode", "llama-cpp", "matmul"])]
    only: Vec<KindArg>,
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

/// Arguments of `bench speed-worker`, which `bench speed` calls.
#[derive(Args)]
pub struct WorkerArgs {
    kind: KindArg,
    folder: PathBuf,
    #[arg(long)]
    steps: usize,
    #[arg(long)]
    batch: usize,
}

/// See [`Kind`].
#[derive(Clone, Copy, ValueEnum)]
pub enum KindArg {
    Vanilla,
    Pdpo,
    Decode,
    LlamaCpp,
    Matmul,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Vanilla => Self::Vanilla,
            KindArg::Pdpo => Self::Pdpo,
            KindArg::Decode => Self::Decode,
            KindArg::LlamaCpp => Self::LlamaCpp,
            KindArg::Matmul => Self::Matmul,
        }
    }
}

/// Our side of a contest.
pub fn work(args: &WorkerArgs) -> Result<(), TrainError> {
    let size = Size {
        steps: args.steps,
        batch: args.batch,
    };
    let (input, out) = (io::stdin().lock(), io::stdout().lock());
    worker::run(args.kind.into(), &args.folder, size, input, out)
}

/// Measures, writes the figures, prints the table.
pub fn run(args: &SpeedArgs) -> Result<(), TrainError> {
    let data = match args.data.is_empty() {
        true => vec!["datasets/mini/tldr.jsonl".to_string()],
        false => args.data.clone(),
    };
    let count = args.steps * args.batch;
    let facts = workload::write(&args.work, &args.model, &data, count)?;
    eprintln!(
        "{count} comparisons: prompts of {:.0} tokens{}, responses of {:.0}; {} rounds of {} steps each",
        facts.prompt_tokens,
        if facts.lengthened { " (filled up)" } else { "" },
        facts.response_tokens,
        args.rounds,
        args.steps
    );
    let mut contests: Vec<Contest> = Vec::new();
    for &kind in &args.only {
        let kind = Kind::from(kind);
        if let (Kind::LlamaCpp, Some(problem)) = (kind, no_llama_cpp(args)) {
            eprintln!("llama.cpp is left out: {problem}.");
            continue;
        }
        eprintln!("{} ...", kind.name());
        let heard = |round: &Round| eprintln!("  ours {}  theirs {}", round.ours, round.theirs);
        let contest = contest::run(
            kind,
            ours(args, kind)?,
            theirs(args, kind),
            args.rounds,
            heard,
        );
        contests.push(contest.map_err(|e| TrainError::io(&args.python, e))?);
    }
    if let Some(path) = &args.json {
        let context = json!({
            "cpu": cpu(),
            "threads": std::thread::available_parallelism().map_or(1, usize::from),
            "model": args.model,
            "data": data,
            "comparisons": facts,
            "their_dtype": args.dtype,
        });
        let context: Map<_, _> = context.as_object().cloned().unwrap_or_default();
        let text = format!("{:#}\n", summary::json(&contests, context));
        files::replace_file(path, text)?;
    }
    Output(&mut io::stdout()).line(summary::table(&contests))
}

/// Why llama.cpp cannot take part.
fn no_llama_cpp(args: &SpeedArgs) -> Option<&'static str> {
    if !args.work.join(workload::STORED).exists() {
        return Some("the model is no GGUF file");
    }
    let mut import = Command::new(&args.python);
    let found = import.args(["-c", "import llama_cpp"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    (!found).then_some("this Python has no llama_cpp")
}

fn ours(args: &SpeedArgs, kind: Kind) -> Result<Command, TrainError> {
    let this = std::env::current_exe().map_err(|e| TrainError::io(Path::new("bench"), e))?;
    let mut command = Command::new(this);
    command.arg("speed-worker");
    rest(&mut command, args, kind);
    Ok(command)
}

fn theirs(args: &SpeedArgs, kind: Kind) -> Command {
    let mut command = Command::new(&args.python);
    command.arg("crates/bench/python/trl_worker.py");
    rest(&mut command, args, kind);
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

fn rest(command: &mut Command, args: &SpeedArgs, kind: Kind) {
    command.arg(kind.name()).arg(&args.work);
    command.args(["--steps", &args.steps.to_string()]);
    command.args(["--batch", &args.batch.to_string()]);
}

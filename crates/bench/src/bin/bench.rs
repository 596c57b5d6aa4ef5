//! Runs the reproductions; `cargo xtask repro` builds and calls it.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A program speaks to its user.

use std::path::PathBuf;
use std::process::ExitCode;

use bench::config::{ExperimentConfig, Overrides, Policies};
use bench::report::terminal;
use bench::tldr::{self, Run, data::TldrSplit};
use clap::{Args, Parser, Subcommand, ValueEnum};
use trainer::TrainError;
use trainer::session::check_free;
use trainer::watch::Watch;

/// Reproductions of the P-RLHF paper.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    experiment: Experiment,
}

#[derive(Subcommand)]
enum Experiment {
    /// Long or short summaries: P-DPO against vanilla DPO on simulated workers.
    Tldr(Tldr),
}

#[derive(Args)]
struct Tldr {
    /// `tiny` (no download), `small` (SmolLM2-135M on the CPU) or `paper` (GPT-J 6B on a GPU).
    #[arg(long, default_value = "tiny")]
    preset: String,
    /// Official comparison files or folders of them; default: the project's mini data.
    #[arg(long)]
    data: Vec<String>,
    /// A Hugging Face directory, a GGUF file, or a hub id.
    #[arg(long)]
    model: Option<String>,
    /// `flex` (the CPU) or `cuda:N`.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Moves initialisation, order and sampling.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where adapters, metrics and report go; default `runs/tldr-<preset>`.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on with the run in `--out`.
    #[arg(long)]
    resume: bool,
    /// Replace what is in `--out`.
    #[arg(long)]
    force: bool,
    /// Which policies' summaries are compared.
    #[arg(long)]
    policies: Option<PolicyArg>,
    /// Only print the statistics of the data (Table 3); needs no model.
    #[arg(long)]
    stats: bool,
    /// The number of seen workers, such as 10 or 40.
    #[arg(long)]
    workers: Option<usize>,
    /// The seed of the simulated majority and minority.
    #[arg(long)]
    population_seed: Option<u32>,
    /// Soft tokens per user, `T_u`.
    #[arg(long)]
    user_tokens: Option<usize>,
    /// The weight of the user-specific term.
    #[arg(long)]
    alpha: Option<f64>,
    /// Individual user model without the shared `e_0`.
    #[arg(long)]
    no_generic: bool,
    /// The number of cluster tensors.
    #[arg(long)]
    clusters: Option<usize>,
    /// Only these systems of the preset, separated by commas.
    #[arg(long, value_delimiter = ',')]
    systems: Vec<String>,
    /// A configuration file instead of the preset's.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PolicyArg {
    Sft,
    All,
}

fn main() -> ExitCode {
    trainer::logging::init();
    let Experiment::Tldr(args) = Cli::parse().experiment;
    match tldr(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tldr(args: &Tldr) -> Result<(), TrainError> {
    let path = args.config.clone().unwrap_or_else(|| preset_file(args));
    let config: ExperimentConfig = trainer::config::read_toml(&path)?;
    let config = config
        .with(&overrides(args))
        .map_err(|problem| TrainError::format(&path, problem))?;
    if config.data.paths.is_empty() {
        let expected = "at least one file or folder: give --data";
        return Err(TrainError::config("data.paths", "empty", expected));
    }
    if args.stats {
        let seed = config.data.split_seeds.first().copied().unwrap_or(0);
        println!("{}", TldrSplit::load(&config.data, seed)?.full_stats());
        return Ok(());
    }
    if config.tiny.is_none() && config.model.source.is_empty() {
        let expected = "a Hugging Face directory, a GGUF file or a hub id: give --model";
        return Err(TrainError::config("model.source", "empty", expected));
    }
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("runs/tldr-{}", args.preset)));
    check_free(&out, args.resume, args.force)?;
    if args.force && !args.resume && out.exists() {
        // Only what is a run of ours is ever removed.
        if !out.join("config.toml").exists()
            && std::fs::read_dir(&out).is_ok_and(|mut d| d.next().is_some())
        {
            let problem = "holds no run (no config.toml); --force replaces runs only";
            return Err(TrainError::format(&out, problem));
        }
        std::fs::remove_dir_all(&out).map_err(|e| TrainError::io(&out, e))?;
    }
    std::fs::create_dir_all(&out).map_err(|e| TrainError::io(&out, e))?;
    let used = out.join("config.toml");
    let text = toml::to_string_pretty(&config).map_err(|e| TrainError::format(&used, e))?;
    std::fs::write(&used, text).map_err(|e| TrainError::io(&used, e))?;
    println!(
        "TL;DR, preset {}: {} systems, about {:.0} minutes on two cores. Results go to {}.",
        args.preset,
        config.systems.len(),
        config.expected_minutes,
        out.display()
    );
    let run = Run {
        preset: args.preset.clone(),
        config,
        seed: args.seed,
        out: out.clone(),
        resume: args.resume,
        device: (
            trainer::device::parse(&args.device)?.autodiff(),
            args.device.clone(),
        ),
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
    };
    let mut watch = Watch::new();
    let report = tldr::run(&run, &mut watch)?;
    println!("\n{}", terminal::render(&report));
    println!("Report: {}", out.join("report.html").display());
    if let Some(next) = next_command(&args.preset) {
        println!("Next: {next}");
    }
    Ok(())
}

/// The preset's file; some presets have another one for data given with `--data`.
fn preset_file(args: &Tldr) -> PathBuf {
    let given = PathBuf::from(format!("configs/tldr/{}-data.toml", args.preset));
    if !args.data.is_empty() && given.exists() {
        return given;
    }
    PathBuf::from(format!("configs/tldr/{}.toml", args.preset))
}

fn overrides(args: &Tldr) -> Overrides {
    Overrides {
        data: args.data.clone(),
        model: args.model.clone(),
        policies: args.policies.map(|p| match p {
            PolicyArg::Sft => Policies::Sft,
            PolicyArg::All => Policies::All,
        }),
        workers: args.workers,
        population_seed: args.population_seed,
        user_tokens: args.user_tokens,
        alpha: args.alpha,
        no_generic: args.no_generic,
        clusters: args.clusters,
        systems: args.systems.clone(),
    }
}

fn next_command(preset: &str) -> Option<&'static str> {
    match preset {
        "tiny" => Some(
            "cargo xtask repro tldr --preset small   (a real LLM, SmolLM2-135M, about 20 minutes)",
        ),
        "small" => Some(
            "cargo xtask repro tldr --preset small --data FOLDER --policies all   (official comparison files)",
        ),
        _ => None,
    }
}

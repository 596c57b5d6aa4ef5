//! The command line of a first look at a GPU.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use speed::gpu::part::Part;
use speed::gpu::rungs::Limits;
use speed::gpu::{Visit, checks, rungs};
use trainer::TrainError;

/// What a GPU is assumed to have where nobody says, in units of 10^9 bytes.
const MEMORY_GB: f64 = 80.0;

/// Runs in the root of the workspace, where fixtures, configurations and data are.
#[derive(Args)]
pub struct GpuArgs {
    /// `cuda:N`; any other device rehearses, with little to compute.
    #[arg(long, default_value = "cuda:0")]
    device: String,
    /// A new folder for everything; `summary.md` in it is the page to read.
    #[arg(long, default_value = "runs/gpu")]
    out: PathBuf,
    /// Minutes for all parts together.
    #[arg(long, default_value_t = 15.0)]
    minutes: f64,
    /// SmolLM2-135M-Instruct, for TL;DR as `small`; without it, `tiny`.
    #[arg(long)]
    small_model: Option<PathBuf>,
    /// The program `bench`; default: beside this one.
    #[arg(long)]
    bench: Option<PathBuf>,
    /// What the GPU has, in units of 10^9 bytes; default: what `nvidia-smi` says.
    #[arg(long)]
    memory_gb: Option<f64>,
}

#[derive(Args)]
pub struct PartArgs {
    part: Part,
    #[arg(long)]
    device: String,
    #[arg(long)]
    out: PathBuf,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    memory_gb: Option<f64>,
    #[arg(long)]
    rehearsal: bool,
}

/// All parts.
///
/// # Errors
/// No GPU, or a part that failed.
pub fn go(args: &GpuArgs) -> Result<(), TrainError> {
    if !(args.minutes > 0.0 && args.minutes <= 1e6) {
        let expected = "a number above 0";
        return Err(TrainError::config("--minutes", args.minutes, expected));
    }
    let visit = Visit {
        device: args.device.clone(),
        out: args.out.clone(),
        minutes: args.minutes,
        small_model: args.small_model.clone(),
        bench: match &args.bench {
            Some(path) => path.clone(),
            None => beside()?,
        },
        memory_gb: args.memory_gb,
    };
    let failed = visit.run()?;
    let page = visit.out.join("summary.md");
    terminal::say(format_args!("{}", page.display()));
    match failed.is_empty() {
        true => Ok(()),
        false => Err(TrainError::Usage(format!(
            "failed: {}; see the logs in {}",
            failed.join(", "),
            visit.out.display()
        ))),
    }
}

/// `bench`, built into the same folder.
fn beside() -> Result<PathBuf, TrainError> {
    let name = format!("bench{}", std::env::consts::EXE_SUFFIX);
    let this = std::env::current_exe().map_err(|e| TrainError::io(Path::new("speed"), e))?;
    let path = this.with_file_name(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(TrainError::Usage(format!(
            "{} is not there: build it (cargo build --release --bin bench), or name it with --bench",
            path.display()
        ))),
    }
}

/// One part; it writes each line as soon as it is known.
///
/// # Errors
/// A wrong result, or whatever stops the part.
pub fn part(args: &PartArgs) -> Result<(), TrainError> {
    let io = |e| TrainError::io(&args.out, e);
    let mut file = File::create(&args.out).map_err(io)?;
    let mut wrong = 0;
    match args.part {
        Part::Checks => checks::run(&args.device, Path::new("."), |check| {
            wrong += usize::from(!check.is_good());
            write(&mut file, &args.out, &check)
        })?,
        Part::Rungs => {
            let limits = Limits {
                device: args.device.clone(),
                seconds: args.seconds,
                memory_gb: args.memory_gb.unwrap_or(MEMORY_GB),
                is_rehearsal: args.rehearsal,
            };
            rungs::run(&limits, |rung| write(&mut file, &args.out, &rung))?;
        }
        Part::Tldr => {
            return Err(TrainError::Usage(
                "the program `bench` does this part".into(),
            ));
        }
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(TrainError::Usage(format!("{wrong} results are wrong"))),
    }
}

fn write(file: &mut File, path: &Path, line: &impl Serialize) -> Result<(), TrainError> {
    let text = serde_json::to_string(line).map_err(|e| TrainError::format(path, e))?;
    let written = writeln!(file, "{text}").and_then(|()| file.flush());
    written.map_err(|e| TrainError::io(path, e))
}

//! `cargo xtask bench`: our speed against that of other programs, which are installed for it into the cache, and a first
//! look at a GPU.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::assets::{self, SMALL_MODEL};
use crate::cargo::{self, Cargo};
use crate::fetch;

/// What to measure.
#[derive(clap::Subcommand)]
pub enum Against {
    Trl(Box<TrlArgs>),
    Gpu(Box<GpuArgs>),
}

/// A first quarter of an hour on an NVIDIA GPU: is it right, does it learn, how fast is it.
///
/// Compares logits and a training step with `transformers` and the CPU, runs TL;DR as `small`, and trains larger and larger
/// models of random weights, each part within its share of the time. Everything goes into one folder; `summary.md` in it is the
/// page to read. Needs a driver with `nvidia-smi`; without a GPU it stops at once. `--device flex` rehearses on the CPU, in
/// about a minute.
///
/// Next steps:
///   cargo xtask bench gpu
///   cargo xtask bench gpu --minutes 30 --out runs/h100
///   cargo xtask bench gpu --device flex --out runs/rehearsal
#[derive(clap::Args, Default)]
#[command(verbatim_doc_comment)]
pub struct GpuArgs {
    /// `cuda:N`, or `flex` to rehearse [default: cuda:0].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// A new folder for everything [default: runs/gpu].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Minutes for all parts together [default: 15].
    #[arg(long, value_name = "N")]
    minutes: Option<f64>,
    /// What the GPU has, in units of 10^9 bytes [default: what nvidia-smi says].
    #[arg(long, value_name = "GB")]
    memory_gb: Option<f64>,
}

impl GpuArgs {
    fn device(&self) -> &str {
        self.device.as_deref().unwrap_or("cuda:0")
    }

    fn is_rehearsal(&self) -> bool {
        !self.device().starts_with("cuda")
    }

    /// A command about the two programs; both are built alike, so that the second finds what the first built.
    fn cargo(&self, subcommand: &str) -> Cargo {
        let cargo = Cargo::release(subcommand);
        match self.is_rehearsal() {
            true => cargo,
            false => cargo.args(["--features", "bench/cuda"]),
        }
    }

    /// Builds both programs.
    fn build(&self) -> Cargo {
        self.cargo("build")
            .args(["--bin", "bench", "--bin", "speed"])
    }

    /// `speed` runs in the workspace's root.
    fn command(&self, here: &Path, model: Option<&Path>) -> Cargo {
        let mut cargo = self.cargo("run").args(["--bin", "speed", "--", "gpu"]);
        cargo = cargo.args(["--device", self.device()]);
        let number = |value: Option<f64>| value.map(|value| value.to_string());
        for (flag, value) in [
            ("--minutes", number(self.minutes)),
            ("--memory-gb", number(self.memory_gb)),
        ] {
            if let Some(value) = value {
                cargo = cargo.arg(flag).arg(value);
            }
        }
        if let Some(out) = &self.out {
            cargo = cargo.arg("--out").arg(here.join(out));
        }
        match model {
            Some(model) => cargo.arg("--small-model").arg(model),
            None => cargo,
        }
    }

    /// Builds, fetches the model, and runs; without a GPU nothing of that.
    fn run(&self, here: &Path) -> Result<ExitCode, Box<dyn Error>> {
        let mut model = None;
        if !self.is_rehearsal() {
            let found = Command::new("nvidia-smi").arg("-L").output();
            if !found.is_ok_and(|output| output.status.success()) {
                return Err("no NVIDIA GPU here: `nvidia-smi -L` finds none. Nothing was built or run. `--device flex` rehearses on the CPU.".into());
            }
            model = match fetch::by_name(SMALL_MODEL) {
                Ok(model) => Some(model),
                Err(error) => {
                    eprintln!("{error}\nGoing on without it: TL;DR runs as `tiny`.");
                    None
                }
            };
        }
        if !self.build().succeeds()? {
            return Err("the build failed, see above".into());
        }
        Ok(self.command(here, model.as_deref()).take_over()?)
    }
}

/// TRL's DPO trainer and transformers' decoding, on PyTorch; llama.cpp's decoding where it builds.
///
/// Both sides work on the same model (SmolLM2-135M-Instruct, LoRA of rank 8 on q, k and v) and the same token ids, in
/// turns on this machine: training steps of plain DPO and of P-DPO with cached reference log-probs, decoding at batch 1
/// and 8, decoding with the file's own weights against llama.cpp, and plain matrix products. TRL has no personalised
/// loss: it trains on two copies of every comparison instead.
///
/// The first call installs PyTorch, transformers, peft and TRL into the cache (about 5 GB) and compiles llama.cpp, without
/// which it goes on. Needs Python 3.10 or later with pip and venv. About ten minutes on two cores; leave the machine
/// alone meanwhile.
///
/// Next steps:
///   cargo xtask bench trl
///   cargo xtask bench trl --data DIR --json speed.json     real TL;DR comparisons
///   cargo xtask bench trl --only vanilla,decode --rounds 5
#[derive(clap::Args, Default)]
#[command(verbatim_doc_comment)]
pub struct TrlArgs {
    /// Official TL;DR files or folders of them [default: the mini data, its short prompts filled up to 230 tokens].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    data: Vec<PathBuf>,
    /// A Hugging Face directory or a GGUF file of a Llama instead of SmolLM2.
    #[arg(long, value_name = "PATH")]
    model: Option<PathBuf>,
    /// Only these, separated by commas: `vanilla`, `pdpo`, `decode`, `llama-cpp`, `matmul`.
    #[arg(long, value_name = "A,B")]
    only: Option<String>,
    /// Rounds of each side [default: 3].
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Optimiser steps per round [default: 3].
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Comparisons per step [default: 4].
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// TRL's type, `float32` or `bfloat16`; ours stays f32 [default: float32].
    #[arg(long, value_name = "TYPE")]
    dtype: Option<String>,
    /// Writes all figures and the ratios `vanilla_ratio`, `pdpo_ratio`, `peak_memory_ratio`, `decode_ratio` and
    /// `llama_cpp_ratio` (ours over theirs) to a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl TrlArgs {
    /// `speed` runs in the workspace's root.
    fn command(&self, here: &Path, python: &Path, model: &Path, work: &Path) -> Cargo {
        let mut cargo = Cargo::release("run").args(["--bin", "speed", "--"]);
        for path in &self.data {
            cargo = cargo.arg("--data").arg(here.join(path));
        }
        for (flag, path) in [("--python", python), ("--model", model), ("--work", work)] {
            cargo = cargo.arg(flag).arg(path);
        }
        let number = |value: Option<usize>| value.map(|value| value.to_string());
        for (flag, value) in [
            ("--only", self.only.clone()),
            ("--rounds", number(self.rounds)),
            ("--steps", number(self.steps)),
            ("--batch", number(self.batch)),
            ("--dtype", self.dtype.clone()),
        ] {
            if let Some(value) = value {
                cargo = cargo.arg(flag).arg(value);
            }
        }
        match &self.json {
            Some(path) => cargo.arg("--json").arg(here.join(path)),
            None => cargo,
        }
    }
}

/// Makes the other side's Python ready, builds ours, and runs both.
pub fn run(against: &Against) -> Result<ExitCode, Box<dyn Error>> {
    let here = std::env::current_dir()?;
    let args = match against {
        Against::Trl(args) => args,
        Against::Gpu(args) => return args.run(&here),
    };
    let model = match &args.model {
        Some(path) => here.join(path),
        None => fetch::by_name(SMALL_MODEL)?,
    };
    let cache = assets::cache().ok_or(fetch::FetchError::NoCache)?;
    let python = python(&cache.join("trl"))?;
    let work = cache.join("trl").join("work");
    Ok(args.command(&here, &python, &model, &work).take_over()?)
}

/// A Python with the packages of `requirements.txt` and, where it builds, of `llama_cpp.txt`, in `folder`; installed anew
/// where they have changed.
fn python(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let lists = cargo::root().join("crates/speed/python");
    let [requirements, llama_cpp] =
        ["requirements.txt", "llama_cpp.txt"].map(|name| lists.join(name));
    let wanted = fs::read_to_string(&requirements)? + &fs::read_to_string(&llama_cpp)?;
    let venv = folder.join("venv");
    let python = match cfg!(windows) {
        true => venv.join("Scripts").join("python.exe"),
        false => venv.join("bin").join("python"),
    };
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!(
        "Installing PyTorch and TRL into {} (about 5 GB)",
        folder.display()
    );
    fs::create_dir_all(folder)?;
    let base = fetch::python().ok_or("Python 3 is needed, as `python3` or `python`")?;
    must(
        Command::new(base)
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
        "Install your system's package for Python's venv (python3-venv).",
    )?;
    let install = |list: &Path| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        pip.arg("--requirement").arg(list);
        pip
    };
    must(
        &mut install(&requirements),
        "Free disk space or a reachable package index may be missing; call it again afterwards.",
    )?;
    eprintln!("Compiling llama.cpp");
    if let Err(error) = must(&mut install(&llama_cpp), "llama.cpp is left out.") {
        eprintln!("{error} To try again, delete {}.", installed.display());
    }
    fs::write(&installed, wanted)?;
    Ok(python)
}

/// Runs a command; its standard output goes to standard error.
fn must(command: &mut Command, way_out: &str) -> Result<(), Box<dyn Error>> {
    let status = command.stdout(io::stderr()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed ({status}). {way_out}").into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        against: Against,
    }

    fn command(line: &str) -> String {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        let Against::Trl(args) = Line::try_parse_from(words).expect("a command").against else {
            panic!("another command");
        };
        let [here, python, model, work] = ["/h", "p", "m", "w"].map(Path::new);
        let command = args.command(here, python, model, work).to_string();
        let common = format!("{} --bin speed -- ", Cargo::release("run"));
        command.strip_prefix(&common).expect("speed").to_owned()
    }

    #[test]
    fn without_flags_speed_decides() {
        let expected = "--python p --model m --work w";
        assert_eq!(command("trl"), expected);
    }

    #[cfg(unix)]
    #[test]
    fn every_flag_reaches_speed_and_paths_are_seen_from_the_root() {
        let line = "trl --data a /b --only vanilla,pdpo --rounds 5 --steps 2 --batch 8 --dtype bfloat16 --json x/s.json";
        let expected = "--data /h/a --data /b --python p --model m --work w --only vanilla,pdpo --rounds 5 \
                        --steps 2 --batch 8 --dtype bfloat16 --json /h/x/s.json";
        assert_eq!(command(line), expected);
    }

    fn gpu(line: &str, model: Option<&Path>) -> [String; 2] {
        let words = ["bench", "gpu"].into_iter().chain(line.split_whitespace());
        let Against::Gpu(args) = Line::try_parse_from(words).expect("a command").against else {
            panic!("another command");
        };
        [args.build(), args.command(Path::new("/h"), model)].map(|cargo| cargo.to_string())
    }

    #[test]
    fn both_programs_are_built_for_the_gpu_and_speed_is_run() {
        let [build, run] = gpu("", Some(Path::new("m")));
        let features = "--features bench/cuda";
        let expected = format!(
            "{} {features} --bin bench --bin speed",
            Cargo::release("build")
        );
        assert_eq!(build, expected);
        let expected = format!(
            "{} {features} --bin speed -- gpu --device cuda:0 --small-model m",
            Cargo::release("run")
        );
        assert_eq!(run, expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_rehearsal_needs_no_gpu_and_no_model() {
        let [build, run] = gpu("--device flex --out x --minutes 2 --memory-gb 24", None);
        assert!(!build.contains("cuda"), "{build}");
        let expected = "-- gpu --device flex --minutes 2 --memory-gb 24 --out /h/x";
        assert!(run.ends_with(expected), "{run}");
    }
}

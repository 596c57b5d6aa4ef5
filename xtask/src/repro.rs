//! `cargo xtask repro`: the `bench` program in release mode, with the same flags.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::assets::SMALL_MODEL;
use crate::cargo::{self, Cargo};
use crate::fetch;

/// The experiments of the paper.
#[derive(clap::Subcommand)]
pub enum Experiment {
    Tldr(Box<TldrArgs>),
}

/// Summaries (TL;DR): most users like long ones, a minority likes short ones.
///
/// Trains the SFT model, vanilla DPO, P-DPO individualised and P-DPO cluster-based, and compares them on
/// held-out comparisons.
///
/// Presets, with times on two CPU cores after the build (the first build takes about a quarter of an hour):
///   tiny   a tiny Llama made in the run, mini data, no download; about 3 minutes
///   small  SmolLM2-135M-Instruct (98 MB, fetched once), mini data; about 20 minutes,
///          on the real TL;DR files about 90 minutes
///   paper  the authors' settings for a GPT-J 6B SFT model; needs --model and a GPU
///
/// Next steps:
///   cargo xtask repro tldr                          see it work
///   cargo xtask repro tldr --preset small           the same with a real language model
///   cargo xtask repro tldr --data DIR --stats       what is in your comparison files
///   cargo xtask repro tldr --preset small --data DIR --policies all --out runs/real
#[derive(clap::Args, Default)]
#[command(verbatim_doc_comment)]
pub struct TldrArgs {
    /// Size of the run, see above [default: tiny].
    #[arg(long, value_parser = ["tiny", "small", "paper"])]
    preset: Option<String>,
    /// Comparison files in the official layout, or folders of them [default: datasets/mini/tldr.jsonl].
    #[arg(long, value_name = "PATH", num_args = 1.., value_parser = existing)]
    data: Vec<PathBuf>,
    /// A Hugging Face directory, a GGUF file or a hub id, instead of the preset's model.
    #[arg(long, value_name = "SOURCE")]
    model: Option<OsString>,
    /// Where it computes: `flex` (CPU) or `cuda:N` (NVIDIA GPU number N) [default: flex].
    #[arg(long, value_parser = device)]
    device: Option<String>,
    /// Moves initialisation, order and sampling [default: 0].
    #[arg(long)]
    seed: Option<u64>,
    /// Folder for the report and the adapters [default: runs/tldr-PRESET].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Goes on with the run in --out.
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Replaces the run in --out.
    #[arg(long)]
    force: bool,
    /// Keep comparisons of supervised policies only, as the paper does, or all [default: sft].
    #[arg(long, value_parser = ["sft", "all"])]
    policies: Option<String>,
    /// Shows the statistics of the data (Table 3) and stops; needs no model.
    #[arg(long)]
    stats: bool,
    /// Number of seen workers; the paper has 10 and 40.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Soft tokens per user, T_u.
    #[arg(long, value_name = "N")]
    user_tokens: Option<usize>,
    /// Weight of the user's own loss against the generic user's, 0 to 1.
    #[arg(long, value_name = "X")]
    alpha: Option<f64>,
    /// Leaves out the shared e_0: a user's soft tokens are its own row alone.
    #[arg(long)]
    no_generic: bool,
    /// Clusters of the cluster-based user model.
    #[arg(long, value_name = "K")]
    clusters: Option<usize>,
    /// Moves who belongs to the minority, apart from --seed.
    #[arg(long, value_name = "N")]
    population_seed: Option<u32>,
    /// Only these systems, for example `vanilla-dpo,pdpo-individual`.
    #[arg(long, value_name = "A,B,C")]
    systems: Option<String>,
    /// A configuration file instead of the preset's in configs/.
    #[arg(long, value_name = "FILE", value_parser = existing)]
    config: Option<PathBuf>,
}

/// Builds and runs the experiment in this program's place.
pub fn run(experiment: Experiment) -> Result<ExitCode, Box<dyn Error>> {
    let Experiment::Tldr(args) = experiment;
    let args = args.seen_from_root(&std::env::current_dir()?);
    let fetched = if args.needs_small_model() {
        Some(fetch::by_name(SMALL_MODEL).map_err(|error| {
            format!("{error}\nOr bring a model: --model with a Hugging Face directory, a GGUF file or a hub id.")
        })?)
    } else {
        None
    };
    eprintln!(
        "Building in release mode (about a quarter of an hour the first time, then seconds)."
    );
    Ok(args.command(fetched).take_over()?)
}

impl TldrArgs {
    /// `bench` runs in the workspace's root, where its configurations are. Started there, as is usual, paths stay as
    /// typed; started in another folder, they become absolute.
    fn seen_from_root(mut self, here: &Path) -> Self {
        if here == cargo::root() {
            return self;
        }
        for path in self
            .data
            .iter_mut()
            .chain(&mut self.out)
            .chain(&mut self.config)
        {
            *path = here.join(&path);
        }
        if let Some(model) = &mut self.model {
            let path = here.join(&model);
            if path.exists() {
                *model = path.into(); // else a hub id
            }
        }
        self
    }

    fn needs_small_model(&self) -> bool {
        self.preset.as_deref() == Some("small") && self.model.is_none() && !self.stats
    }

    fn command(&self, fetched: Option<PathBuf>) -> Cargo {
        let mut cargo = Cargo::release("run").args(["--bin", "bench"]);
        let on_gpu = |device: &String| device.starts_with("cuda");
        if self.device.as_ref().is_some_and(on_gpu) {
            cargo = cargo.args(["--features", "bench/cuda"]);
        }
        cargo.args(["--", "tldr"]).args(self.flags(fetched))
    }

    /// What `bench tldr` is given: the flags as they came, and the fetched model.
    fn flags(&self, fetched: Option<PathBuf>) -> Vec<OsString> {
        fn text<T: ToString>(value: &Option<T>) -> Option<OsString> {
            value.as_ref().map(|value| value.to_string().into())
        }
        let model = self.model.clone().or(fetched.map(Into::into));
        let mut flags = Vec::new();
        for path in &self.data {
            flags.extend(["--data".into(), path.into()]);
        }
        for (flag, value) in [
            ("--preset", text(&self.preset)),
            ("--model", model),
            ("--device", text(&self.device)),
            ("--seed", text(&self.seed)),
            ("--out", self.out.clone().map(Into::into)),
            ("--policies", text(&self.policies)),
            ("--workers", text(&self.workers)),
            ("--user-tokens", text(&self.user_tokens)),
            ("--alpha", text(&self.alpha)),
            ("--clusters", text(&self.clusters)),
            ("--population-seed", text(&self.population_seed)),
            ("--systems", text(&self.systems)),
            ("--config", self.config.clone().map(Into::into)),
        ] {
            flags.extend(value.into_iter().flat_map(|value| [flag.into(), value]));
        }
        for (flag, set) in [
            ("--resume", self.resume),
            ("--force", self.force),
            ("--stats", self.stats),
            ("--no-generic", self.no_generic),
        ] {
            flags.extend(set.then(|| flag.into()));
        }
        flags
    }
}

/// Checked here, since the build comes before `bench` can check it.
fn existing(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.exists() {
        Ok(path)
    } else {
        Err("there is no such file or folder".into())
    }
}

fn device(text: &str) -> Result<String, String> {
    let number = text.strip_prefix("cuda:").map(str::parse::<u32>);
    if text == "flex" || matches!(number, Some(Ok(_))) {
        Ok(text.into())
    } else {
        Err("expected `flex` or `cuda:N`".into())
    }
}

#[cfg(test)]
mod tests;

//! The command line.

use std::path::PathBuf;

use bench::config::Overrides;
use bench::psoups::PsoupsConfig;
use bench::tldr::{Policies, TldrConfig};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::speed::{SpeedArgs, WorkerArgs};

/// Reproductions of the P-RLHF paper.
#[derive(Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Long or short summaries: P-DPO against vanilla DPO on simulated workers.
    Tldr(TldrArgs),
    /// Six users who want opposite things of the same answers.
    Psoups(PsoupsArgs),
    /// Many users with a survey and a few conversations each.
    Prism(PrismArgs),
    /// Our speed against that of TRL; `cargo xtask bench trl` calls it.
    Speed(SpeedArgs),
    /// One side of `speed`.
    #[command(hide = true)]
    SpeedWorker(WorkerArgs),
}

/// What every experiment takes.
#[derive(Args)]
pub struct Common {
    /// `tiny` (no download), `small` (SmolLM2-135M on the CPU) or `paper` (the authors' model on a GPU).
    #[arg(long, default_value = "tiny")]
    pub preset: String,
    /// Official files or folders of them; default: the project's mini data.
    #[arg(long)]
    pub data: Vec<String>,
    /// A Hugging Face directory, a GGUF file, or a hub id.
    #[arg(long)]
    pub model: Option<String>,
    /// `flex` (the CPU), `cuda:N`, `wgpu` or `wgpu:N`; several with commas between them share the work of a step.
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Moves initialisation, order and sampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where adapters, metrics and report go; default `runs/EXPERIMENT-PRESET`.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Go on with the run in `--out`.
    #[arg(long)]
    pub resume: bool,
    /// Replace what is in `--out`.
    #[arg(long)]
    pub force: bool,
    /// Only print the statistics of the data; needs no model.
    #[arg(long)]
    pub stats: bool,
    /// Soft tokens per user, `T_u`.
    #[arg(long)]
    pub user_tokens: Option<usize>,
    /// The weight of the user-specific term.
    #[arg(long)]
    pub alpha: Option<f64>,
    /// Individual user model without the shared `e_0`.
    #[arg(long)]
    pub no_generic: bool,
    /// The number of cluster tensors.
    #[arg(long)]
    pub clusters: Option<usize>,
    /// Only these systems of the preset, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub systems: Vec<String>,
    /// A configuration file instead of the preset's.
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// Who judges, for win rates.
#[derive(Args)]
pub struct Judge {
    /// An OpenAI-compatible endpoint; its key, if it needs one, is in the environment variable `JUDGE_API_KEY`.
    #[arg(long, requires = "judge_model")]
    judge_url: Option<String>,
    /// The model that judges.
    #[arg(long, requires = "judge_url")]
    judge_model: Option<String>,
    /// At most so many calls of the judge.
    #[arg(long, requires = "judge_url")]
    judge_calls: Option<u64>,
}

impl Judge {
    /// Changes to `[judge]`.
    pub fn add_to(&self, overrides: Overrides) -> Overrides {
        Overrides {
            judge_url: self.judge_url.clone(),
            judge_model: self.judge_model.clone(),
            judge_calls: self.judge_calls,
            ..overrides
        }
    }
}

impl Common {
    /// What the run is called: its preset, or the file given instead.
    pub fn name(&self) -> String {
        let stem = self.config.as_ref().and_then(|path| path.file_stem());
        stem.map_or_else(|| self.preset.clone(), |stem| stem.to_string_lossy().into())
    }

    /// Changes to the preset.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            model: self.model.clone(),
            user_tokens: self.user_tokens,
            alpha: self.alpha,
            no_generic: self.no_generic,
            clusters: self.clusters,
            systems: self.systems.clone(),
            ..Overrides::default()
        }
    }
}

#[derive(Args)]
pub struct TldrArgs {
    #[command(flatten)]
    pub common: Common,
    /// Which policies' summaries are compared.
    #[arg(long)]
    policies: Option<PolicyArg>,
    /// The number of seen workers, such as 10 or 40.
    #[arg(long)]
    workers: Option<usize>,
    /// The seed of the simulated majority and minority.
    #[arg(long)]
    population_seed: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PolicyArg {
    Sft,
    All,
}

impl TldrArgs {
    /// Changes to `[data]`.
    pub fn apply(&self, data: &mut TldrConfig) {
        if let Some(policies) = self.policies {
            data.policies = match policies {
                PolicyArg::Sft => Policies::Sft,
                PolicyArg::All => Policies::All,
            };
        }
        data.workers = self.workers.unwrap_or(data.workers);
        if let Some(seed) = self.population_seed {
            data.population_seed = seed;
            data.minority_share = None;
        }
    }
}

#[derive(Args)]
pub struct PsoupsArgs {
    #[command(flatten)]
    pub common: Common,
    /// Instructions that responses are sampled for, such as the official `koala_eval_50.json`.
    #[arg(long)]
    prompts: Option<PathBuf>,
    #[command(flatten)]
    pub judge: Judge,
}

#[derive(Args)]
pub struct PrismArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub judge: Judge,
}

impl PsoupsArgs {
    /// Changes to `[data]`.
    pub fn apply(&self, data: &mut PsoupsConfig) {
        if let Some(prompts) = &self.prompts {
            data.prompts = Some(prompts.clone());
        }
    }
}

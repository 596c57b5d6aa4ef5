//! The command line.

use std::path::PathBuf;

use bench::config::{Preset, validate_seeds};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::de::DeserializeOwned;
use trainer::TrainError;
use trainer::config::Setting;

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
    /// New users from a few answers, who come when everybody else is trained.
    Onboarding(OnboardingArgs),
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
    model: Option<String>,
    /// `flex` (the CPU), `cuda:N`, `wgpu` or `wgpu:N`; several with commas between them share the work of a step.
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Moves initialisation, order and sampling.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Several seeds with commas between them: each has a run in a folder of its own below `--out`, and the report pools them.
    #[arg(long, value_delimiter = ',', conflicts_with = "seed")]
    seeds: Vec<u64>,
    /// Where adapters, metrics and report go; default `runs/EXPERIMENT-PRESET`.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Go on with the run in `--out`.
    #[arg(long)]
    pub resume: bool,
    /// Replace the run in `--out`: its own files, once data, model and settings are known to be good.
    #[arg(long)]
    pub force: bool,
    /// Only print the statistics of the data; needs no model, writes nothing and has no seed but the data's own.
    #[arg(long, conflicts_with_all = ["out", "seed", "seeds", "resume", "force"])]
    pub stats: bool,
    /// Soft tokens per user, `T_u`.
    #[arg(long)]
    user_tokens: Option<u32>,
    /// The weight of the user-specific term.
    #[arg(long)]
    alpha: Option<f64>,
    /// Another preference loss than the preset's, such as `ipo`, with that loss's default settings; docs/losses.md has the names.
    #[arg(long, value_name = "NAME")]
    loss: Option<String>,
    /// Individual user model without the shared `e_0`.
    #[arg(long)]
    no_generic: bool,
    /// The number of cluster tensors.
    #[arg(long)]
    clusters: Option<u32>,
    /// Only these systems of the preset, separated by commas.
    #[arg(long, value_delimiter = ',')]
    systems: Vec<String>,
    /// A configuration file instead of the preset's.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Sets any key of the configuration, such as `training.learning_rate=1e-4` for all systems or
    /// `systems.pdpo-cluster.training.epochs=2` for one; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
}

/// Who judges, for win rates.
#[derive(Args)]
pub struct Judge {
    /// An OpenAI-compatible endpoint; its key, if it needs one, is in the environment variable `JUDGE_API_KEY`. A key inside the
    /// address is written nowhere.
    #[arg(long, requires = "judge_model")]
    judge_url: Option<String>,
    /// The model that judges.
    #[arg(long, requires = "judge_url")]
    judge_model: Option<String>,
    /// At most so many calls of the judge.
    #[arg(long, requires = "judge_url")]
    judge_calls: Option<u32>,
}

impl Judge {
    fn change<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError> {
        if let Some(url) = &self.judge_url {
            preset.set(&Setting::new("judge.url", url.as_str()))?;
        }
        if let Some(model) = &self.judge_model {
            preset.set(&Setting::new("judge.model", model.as_str()))?;
        }
        if let Some(calls) = self.judge_calls {
            preset.set(&Setting::new("judge.budget", i64::from(calls)))?;
        }
        Ok(())
    }
}

impl Common {
    /// `--seed`, or each of `--seeds` once.
    ///
    /// # Errors
    /// A seed that is given twice.
    pub fn seeds(&self) -> Result<Vec<u64>, TrainError> {
        let seeds = match self.seeds.is_empty() {
            true => vec![self.seed],
            false => self.seeds.clone(),
        };
        validate_seeds("--seeds", &seeds).map(|()| seeds)
    }

    fn change<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError> {
        if !self.data.is_empty() {
            preset.set(&Setting::new("data.paths", self.data.clone()))?;
        }
        if let Some(model) = &self.model {
            preset.set(&Setting::new("model.source", model.as_str()))?;
        }
        if let Some(loss) = &self.loss {
            preset.set_loss(loss)?;
        }
        if let Some(alpha) = self.alpha {
            preset.set(&Setting::new("objective.alpha", alpha))?;
        }
        if let Some(tokens) = self.user_tokens {
            preset.set_users("user_tokens", i64::from(tokens));
        }
        if let Some(clusters) = self.clusters {
            preset.set_users("clusters", i64::from(clusters));
        }
        if self.no_generic {
            preset.without_generic();
        }
        preset.choose(&self.systems)
    }
}

/// What an experiment is called with.
pub trait Flags {
    /// Those that every experiment takes.
    fn common(&self) -> &Common;

    /// What is added to the name of a preset, `tiny-real` for `tiny`.
    fn variant(&self) -> Option<&'static str> {
        None
    }

    /// What the run is called: its preset, or the file given instead.
    fn name(&self) -> String {
        let common = self.common();
        let stem = common.config.as_ref().and_then(|path| path.file_stem());
        let preset = || match self.variant() {
            Some(variant) => format!("{}-{variant}", common.preset),
            None => common.preset.clone(),
        };
        stem.map_or_else(preset, |stem| stem.to_string_lossy().into())
    }

    /// Lays those that only this experiment takes over its preset.
    ///
    /// # Errors
    /// A value that the preset cannot have.
    fn change_own<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError>;

    /// Lays all of them over the preset; `--set` has the last word.
    ///
    /// # Errors
    /// A key or value that the preset cannot have, or a system that it lacks.
    fn change<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError> {
        self.common().change(preset)?;
        self.change_own(preset)?;
        let mut settings = self.common().set.iter();
        settings.try_for_each(|setting| preset.set(setting))
    }
}

#[derive(Args)]
pub struct TldrArgs {
    #[command(flatten)]
    common: Common,
    /// Whose choices are learnt: `simulated`, a majority that wants long summaries and a minority that wants short ones, or `real`, what the
    /// annotators of the files chose: the preset's name is then followed by `-real`; give --data [default: simulated]
    #[arg(long, value_parser = ["simulated", "real"])]
    annotators: Option<String>,
    /// Which policies' summaries are compared.
    #[arg(long, value_parser = ["sft", "all"])]
    policies: Option<String>,
    /// The number of seen workers, such as 10 or 40.
    #[arg(long)]
    workers: Option<u32>,
    /// The seed of the simulated majority and minority.
    #[arg(long)]
    population_seed: Option<u32>,
}

fn is_real(annotators: &Option<String>) -> bool {
    annotators.as_deref() == Some("real")
}

fn set_annotators<D: DeserializeOwned>(
    annotators: Option<&str>,
    preset: &mut Preset<D>,
) -> Result<(), TrainError> {
    match annotators {
        Some(annotators) => preset.set(&Setting::new("data.annotators", annotators)),
        None => Ok(()),
    }
}

impl Flags for TldrArgs {
    fn common(&self) -> &Common {
        &self.common
    }

    fn variant(&self) -> Option<&'static str> {
        is_real(&self.annotators).then_some("real")
    }

    fn change_own<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError> {
        set_annotators(self.annotators.as_deref(), preset)?;
        if let Some(policies) = &self.policies {
            preset.set(&Setting::new("data.policies", policies.as_str()))?;
        }
        if let Some(workers) = self.workers {
            preset.set(&Setting::new("data.workers", i64::from(workers)))?;
        }
        if let Some(seed) = self.population_seed {
            preset.set(&Setting::new("data.population_seed", i64::from(seed)))?;
            preset.remove("data", "minority_share"); // This very seed.
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct PsoupsArgs {
    #[command(flatten)]
    common: Common,
    /// Instructions that responses are sampled for, such as the official `koala_eval_50.json`.
    #[arg(long)]
    prompts: Option<PathBuf>,
    #[command(flatten)]
    judge: Judge,
}

#[derive(Args)]
pub struct PrismArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    judge: Judge,
}

#[derive(Args)]
pub struct OnboardingArgs {
    #[command(flatten)]
    common: Common,
    /// Of which experiment: `tldr`, workers of the two groups; `psoups`, users who want what three of the trained ones want together; `prism`,
    /// unseen users.
    #[arg(long, value_enum, default_value_t = Of::Tldr)]
    pub of: Of,
    /// Whose answers: `simulated` workers', or what `real` annotators of the files chose: the preset's name then begins `tiny-real`; of
    /// `tldr` alone; give --data [default: simulated]
    #[arg(long, value_parser = ["simulated", "real"])]
    annotators: Option<String>,
}

/// The experiments that have newcomers.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Of {
    Tldr,
    Psoups,
    Prism,
}

impl Flags for OnboardingArgs {
    fn common(&self) -> &Common {
        &self.common
    }

    fn variant(&self) -> Option<&'static str> {
        Some(match is_real(&self.annotators) {
            true => "real-onboarding",
            false => "onboarding",
        })
    }

    fn change_own<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError> {
        match &self.annotators {
            Some(annotators) if self.of != Of::Tldr => {
                let expected = "no such flag: only workers of `tldr` are simulated";
                Err(TrainError::config("--annotators", annotators, expected))
            }
            annotators => set_annotators(annotators.as_deref(), preset),
        }
    }
}

impl Flags for PsoupsArgs {
    fn common(&self) -> &Common {
        &self.common
    }

    fn change_own<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError> {
        if let Some(prompts) = &self.prompts {
            preset.set(&Setting::new("data.prompts", prompts.display().to_string()))?;
        }
        self.judge.change(preset)
    }
}

impl Flags for PrismArgs {
    fn common(&self) -> &Common {
        &self.common
    }

    fn change_own<D: DeserializeOwned>(&self, preset: &mut Preset<D>) -> Result<(), TrainError> {
        self.judge.change(preset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(flags: &[&str]) -> Result<Vec<u64>, String> {
        let line = ["bench", "tldr"].iter().chain(flags);
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        match cli.command {
            Command::Tldr(args) => args.common().seeds().map_err(|error| error.to_string()),
            _ => Err("another experiment".into()),
        }
    }

    #[test]
    fn a_run_has_one_seed_or_several() {
        assert_eq!(seeds(&[]), Ok(vec![0]));
        assert_eq!(seeds(&["--seed", "7"]), Ok(vec![7]));
        assert_eq!(seeds(&["--seeds", "2,0,1"]), Ok(vec![2, 0, 1]));
        let twice = seeds(&["--seeds", "1,2,1"]).unwrap_err();
        assert!(
            twice.contains("--seeds") && twice.contains("1 twice"),
            "{twice}"
        );
        assert!(seeds(&["--seeds", "1", "--seed", "2"]).is_err());
    }

    #[test]
    fn statistics_have_no_folder_and_no_seed_of_a_run() {
        assert!(seeds(&["--stats"]).is_ok());
        for flags in [
            &["--out", "x"][..],
            &["--seeds", "1,2"],
            &["--seed", "1"],
            &["--force"],
        ] {
            let error = seeds(&[flags, &["--stats"]].concat()).unwrap_err();
            assert!(
                error.contains("--stats") && error.contains(flags[0]),
                "{error}"
            );
        }
    }
}

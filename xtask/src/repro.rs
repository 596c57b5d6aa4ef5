//! `cargo xtask repro`: the `bench` program in release mode, with the same flags.

mod common;

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::assets::SMALL_MODEL;
use crate::cargo::{self, Cargo};
use crate::fetch;
use common::{Common, existing, text};

/// How long a first build takes; README.md says the same.
const FIRST_BUILD: &str = "about eight minutes on two cores";

/// The experiments of the paper.
#[derive(clap::Subcommand)]
pub enum Experiment {
    Tldr(Box<TldrArgs>),
    Psoups(Box<PsoupsArgs>),
    Prism(Box<PrismArgs>),
    Onboarding(Box<OnboardingArgs>),
}

/// Summaries (TL;DR): most users like long ones, a minority likes short ones.
///
/// Trains the SFT model, vanilla DPO, P-DPO individualised and P-DPO cluster-based, and compares them on
/// held-out comparisons.
///
/// Presets, with times on two CPU cores after the build:
///   tiny   a tiny Llama made in the run, mini data, no download; about 3 minutes
///   small  SmolLM2-135M-Instruct (98 MB, fetched once), mini data; about 15 minutes,
///          on the real TL;DR files about an hour
///   paper  the authors' settings for a GPT-J 6B SFT model; needs --model and a GPU
///
/// Next steps:
///   cargo xtask repro tldr                          see it work
///   cargo xtask repro tldr --preset small           the same with a real language model
///   cargo xtask repro tldr --data DIR --stats       what is in your comparison files
///   cargo xtask repro tldr --preset small --data DIR --policies all --out runs/real
///   cargo xtask repro tldr --annotators real --data DIR
///   cargo xtask repro tldr --set training.learning_rate=1e-4 --out runs/slower
#[derive(clap::Args, Default)]
#[command(verbatim_doc_comment)]
pub struct TldrArgs {
    #[command(flatten)]
    common: Common,
    /// Whose choices are learnt: simulated workers', or what the annotators of the files chose (--data; preset tiny) [default: simulated].
    #[arg(long, value_parser = ["simulated", "real"])]
    annotators: Option<String>,
    /// Keep comparisons of supervised policies only, as the paper does, or all [default: sft].
    #[arg(long, value_parser = ["sft", "all"])]
    policies: Option<String>,
    /// Number of seen workers; the paper has 10 and 40.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Moves who belongs to the minority, apart from --seed.
    #[arg(long, value_name = "N")]
    population_seed: Option<u32>,
}

/// Instructions (P-SOUPS): six users who want opposite things of the same answers.
///
/// Simple or expert wording, short or full, friendly or cold. Trains vanilla DPO and P-DPO individualised, and
/// compares them with the SFT model, with and without the user's preference in the prompt, on held-out
/// instructions: accuracy per user, measures of the sampled texts, and win rates where a judge is given.
///
/// Presets, with times on two CPU cores after the build:
///   tiny   a tiny Llama made in the run, mini data, no download; about 3 minutes
///   small  SmolLM2-135M-Instruct (98 MB, fetched once), mini data; about 30 minutes
///   paper  the authors' settings for Tulu 7B; needs --model, --data and a GPU
///
/// Next steps:
///   cargo xtask repro psoups                        see it work
///   cargo xtask repro psoups --data DIR --stats     what is in the official files (rm_training/P1A.json ..)
///   cargo xtask repro psoups --prompts koala_eval_50.json --judge-url URL --judge-model NAME
#[derive(clap::Args, Default)]
#[command(verbatim_doc_comment)]
pub struct PsoupsArgs {
    #[command(flatten)]
    common: Common,
    /// Evaluation instructions, for example the official koala_eval_50.json [default: held-out instructions].
    #[arg(long, value_name = "FILE", value_parser = existing)]
    prompts: Option<PathBuf>,
    #[command(flatten)]
    judge: Judge,
}

/// Conversations (PRISM): many users, each with a survey and a few conversations.
///
/// Trains vanilla DPO with the users' texts, P-DPO individualised, P-DPO cluster-based, and the same without
/// texts, and compares them on held-out conversations of seen users and on unseen users.
///
/// Presets, with times on two CPU cores after the build:
///   tiny   a tiny Llama made in the run, mini data, no download; about 3 minutes
///   small  SmolLM2-135M-Instruct (98 MB, fetched once), mini data; about 30 minutes
///   paper  the authors' settings for Llama 3 8B; needs --model, --data and a GPU
///
/// Next steps:
///   cargo xtask repro prism                         see it work
///   cargo xtask repro prism --data DIR --stats      what is in survey.jsonl and conversations.jsonl
#[derive(clap::Args, Default)]
#[command(verbatim_doc_comment)]
pub struct PrismArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    judge: Judge,
}

/// New users from a few answers, who come once everybody else is trained.
///
/// Trains P-DPO on the data of `repro tldr`, `psoups` or `prism`, then fits users whom nobody was trained on to 1 to 50 of
/// their answers, and compares them with the generic user, with the nearest trained user, and with users who were trained
/// on from the start; and with what models without users make of the same answers: in the prompt as they are or in words,
/// or by adapters that are trained on them.
///
/// Presets, with times on two CPU cores after the build:
///   tiny   a tiny Llama made in the run, mini data, no download; about 7 minutes
///   small  SmolLM2-135M-Instruct (98 MB, fetched once), mini data of `tldr`; about 25 minutes
///
/// Next steps:
///   cargo xtask repro onboarding                    see it work
///   cargo xtask repro onboarding --of psoups        users who are like no trained one
///   cargo xtask repro onboarding --annotators real --data DIR
///                                                   workers who answer with what they really chose
///   cargo xtask repro onboarding --seeds 0,1,2      the same with three seeds, pooled
///   cargo xtask repro onboarding --set data.newcomers.tests=200 --out runs/others
#[derive(clap::Args, Default)]
#[command(verbatim_doc_comment)]
pub struct OnboardingArgs {
    #[command(flatten)]
    common: Common,
    /// Of which experiment: workers of `tldr`, users who want what three of `psoups` want together, or unseen users of `prism` [default: tldr].
    #[arg(long, value_parser = ["tldr", "psoups", "prism"])]
    of: Option<String>,
    /// Whose answers: simulated workers', or what the annotators of the files chose (--data; `tldr`, preset tiny) [default: simulated].
    #[arg(long, value_parser = ["simulated", "real"])]
    annotators: Option<String>,
}

/// A judge for win rates; its key, if it needs one, comes from the environment variable JUDGE_API_KEY.
#[derive(clap::Args, Default)]
struct Judge {
    /// An OpenAI-compatible endpoint that judges pairs of responses.
    #[arg(
        long,
        help_heading = "Judge",
        value_name = "URL",
        requires = "judge_model"
    )]
    judge_url: Option<String>,
    /// The model that judges.
    #[arg(
        long,
        help_heading = "Judge",
        value_name = "NAME",
        requires = "judge_url"
    )]
    judge_model: Option<String>,
    /// At most so many calls of the judge.
    #[arg(long, help_heading = "Judge", value_name = "N", requires = "judge_url")]
    judge_calls: Option<usize>,
}

impl Judge {
    fn flags(&self) -> Vec<Flag> {
        vec![
            ("--judge-url", text(&self.judge_url)),
            ("--judge-model", text(&self.judge_model)),
            ("--judge-calls", text(&self.judge_calls)),
        ]
    }
}

/// A flag with its value; `None`: not given.
type Flag = (&'static str, Option<OsString>);

impl Experiment {
    /// As `bench` calls it, with the flags that all have.
    fn parts(&mut self) -> (&'static str, &mut Common) {
        match self {
            Self::Tldr(args) => ("tldr", &mut args.common),
            Self::Psoups(args) => ("psoups", &mut args.common),
            Self::Prism(args) => ("prism", &mut args.common),
            Self::Onboarding(args) => ("onboarding", &mut args.common),
        }
    }

    /// The flags of this experiment alone.
    fn own_flags(&self) -> Vec<Flag> {
        match self {
            Self::Tldr(args) => vec![
                ("--annotators", text(&args.annotators)),
                ("--policies", text(&args.policies)),
                ("--workers", text(&args.workers)),
                ("--population-seed", text(&args.population_seed)),
            ],
            Self::Psoups(args) => {
                let mut flags = vec![("--prompts", args.prompts.clone().map(Into::into))];
                flags.extend(args.judge.flags());
                flags
            }
            Self::Prism(args) => args.judge.flags(),
            Self::Onboarding(args) => vec![
                ("--of", text(&args.of)),
                ("--annotators", text(&args.annotators)),
            ],
        }
    }

    /// `bench` runs in the workspace's root, where its configurations are. Started there, as is usual, paths stay as
    /// typed; started in another folder, they become absolute.
    fn seen_from_root(mut self, here: &Path) -> Self {
        if here == cargo::root() {
            return self;
        }
        self.parts().1.move_paths(here);
        if let Self::Psoups(args) = &mut self
            && let Some(prompts) = &mut args.prompts
        {
            *prompts = here.join(&prompts);
        }
        self
    }

    fn command(&mut self, fetched: Option<PathBuf>) -> Cargo {
        let own = self.own_flags();
        let (name, common) = self.parts();
        let mut cargo = Cargo::release("run").args(["-p", "bench", "--bin", "bench"]);
        let https = own.iter().any(|(flag, value)| {
            let url = value.as_ref().and_then(|url| url.to_str());
            *flag == "--judge-url" && url.is_some_and(|url| url.starts_with("https"))
        });
        let online = common.is_online() || https;
        let online = online.then_some("bench/online");
        for feature in common.device_features().chain(online) {
            cargo = cargo.args(["--features", feature]);
        }
        let own = own.into_iter();
        let own =
            own.flat_map(|(flag, value)| value.into_iter().flat_map(move |v| [flag.into(), v]));
        cargo
            .args(["--", name])
            .args(common.flags(fetched))
            .args(own.collect::<Vec<OsString>>())
    }
}

/// Builds and runs the experiment in this program's place.
pub fn run(experiment: Experiment) -> Result<ExitCode, Box<dyn Error>> {
    let mut experiment = experiment.seen_from_root(&std::env::current_dir()?);
    let fetched = if experiment.parts().1.needs_small_model() {
        Some(fetch::by_name(SMALL_MODEL).map_err(|error| {
            format!("{error}\nOr bring a model: --model with a Hugging Face directory, a GGUF file or a hub id.")
        })?)
    } else {
        None
    };
    eprintln!("Building in release mode ({FIRST_BUILD} the first time, then seconds).");
    Ok(experiment.command(fetched).with_huge_pages().take_over()?)
}

#[cfg(test)]
mod tests;

//! `prlhf users fit`: a user from a few answers.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use terminal::{Bars, Output};
use trainer::TrainError;
use trainer::config::{RewardSection, Setting};
use trainer::fit::FittedUser;
use trainer::folder::RunFolder;
use trainer::inference::Opened;
use trainer::pref_data::Comparison;
use trainer::user_model::{self, UserRef};

use super::{UsersArgs, change, warn_of_resume};
use crate::eval::{Cache, Loaded};
use crate::prepare::{cuts, fit_responses};
use crate::trained::TrainedArgs;

/// Arguments of `prlhf users fit`.
#[derive(Args, Debug)]
pub struct FitArgs {
    /// Whose answers these are: a new id, or a known one, whose row is made anew.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// The answers: comparisons or thumbs, in files or folders as for training. Records of other users are left out.
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Leave broken records out and count them.
    #[arg(long)]
    pub lenient: bool,
    /// The base model. Default: the one that the run or the adapters name.
    #[arg(long, value_name = "SOURCE")]
    pub model: Option<String>,
    /// Sets one key of the configuration, as in `--set prompt.max_prompt_length=256`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// `flex` (the CPU), `cuda:N`, `wgpu` or `wgpu:N`.
    #[arg(long, default_value = "flex", value_name = "NAME")]
    pub device: String,
}

/// Fits the user's row and writes it.
///
/// # Errors
/// Broken data, adapters that cannot be opened, or fewer trained users than one can learn from.
pub fn run(users: &UsersArgs, args: &FitArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    user_model::UserTable::validate_id(&args.user)?;
    let of = TrainedArgs {
        run: users.run.clone(),
        adapters: users.adapters.clone(),
        model: args.model.clone(),
        config: None,
        set: args.set.clone(),
        device: args.device.clone(),
    };
    let trained = of.trained()?;
    // Better now than after the work.
    drop(RunFolder::hold(trained.dir())?);
    let mut loaded = Loaded::read(&args.data, args.lenient, &trained.config.data)?;
    let others = keep_own(&mut loaded.comparisons, &args.user);
    if loaded.comparisons.is_empty() {
        let (id, others) = (printable::quoted(&args.user), others.join(", "));
        let problem = format!("no answer of user {id}, only of others: {others}");
        return Err(TrainError::Usage(problem));
    }
    let opened = of.open()?;
    let started = Instant::now();
    let fitted = fit(&opened, &of, &loaded, args, out)?;
    let (row, better) = fitted.row();
    let user = UserRef::id(&args.user);
    change(trained.dir(), |table| Ok(table.set_row(&user, row)?))?;
    warn_of_resume(trained.dir());
    if !others.is_empty() {
        let others = others.join(", ");
        out.fact("left out", format_args!("answers of {others}"))?;
    }
    describe(&fitted, better, out)?;
    let seconds = started.elapsed().as_secs_f64();
    let id = printable::quoted(&args.user);
    out.line(format_args!("user {id} is fitted, in {seconds:.1} s"))
}

/// Keeps answers of that user or of nobody in particular; returns the other users.
fn keep_own(comparisons: &mut Vec<Comparison>, user: &str) -> Vec<String> {
    let mut others = std::collections::BTreeSet::new();
    comparisons.retain(|comparison| match &comparison.user {
        Some(id) if id.as_str() != user => {
            others.insert(printable::quoted(id.as_str()).to_string());
            false
        }
        _ => true,
    });
    others.into_iter().collect()
}

fn fit(
    opened: &Opened,
    of: &TrainedArgs,
    loaded: &Loaded,
    FitArgs {
        user: id, lenient, ..
    }: &FitArgs,
    out: &mut Output<'_>,
) -> Result<FittedUser, TrainError> {
    let engine = &opened.engine;
    // What an earlier fit made of the same answers must not count again.
    let mut others = engine.table().cloned();
    if let Some(others) = others.as_mut().filter(|others| others.contains(id)) {
        others.remove(id)?;
    }
    let Some(belief) = others.and_then(|others| others.belief()) else {
        let problem =
            "a new user is fitted to what trained users are like: there are none, or all are alike";
        return Err(TrainError::Usage(problem.into()));
    };
    let limits = fit_responses(engine)?;
    let (loaded, dataset) = loaded.tokenised(*lenient, engine)?;
    out.fact("answers", loaded.comparisons.len())?;
    out.fact("skipped", &loaded.skipped)?;
    out.fact("cut", cuts(std::iter::once(&dataset), limits.config()))?;
    let (answers, bars) = (dataset.examples(None), Bars::default());
    if let Some(task) = opened.reward()? {
        RewardSection::validate_thumbs(dataset.thumbs)?;
        return engine.fit(&task, &answers, &belief, &bars);
    }
    let cache = Cache::new()?;
    let task = opened.preference(&cache.folder(of))?;
    engine.fit(&task, &answers, &belief, &bars)
}

fn describe(fitted: &FittedUser, better: bool, out: &mut Output<'_>) -> Result<(), TrainError> {
    let fit = &fitted.fit;
    let count = fit.margins.len();
    let right = fit.margins.iter().filter(|&&margin| margin > 0.0).count();
    // The geometric mean of the probabilities of the answers.
    let mean = |log_likelihood: f64| (log_likelihood / count.max(1) as f64).exp();
    out.fact(
        "fit",
        format_args!(
            "{right} of {count} answers as given; a mean probability of {:.2}, {:.2} for the generic user; {} rounds",
            mean(fit.log_likelihood()),
            mean(fitted.generic_log_likelihood),
            fit.rounds
        ),
    )?;
    out.fact(
        "evidence",
        format_args!(
            "a user of their own explains the answers {:.1} nats better than the generic user",
            fit.log_evidence - fitted.generic_log_likelihood
        ),
    )?;
    if !better {
        out.fact(
            "row",
            "the generic user's, which explains the answers better",
        )?;
    }
    Ok(())
}

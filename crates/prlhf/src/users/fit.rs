//! `prlhf users fit`: a user from a few answers.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use terminal::{Bars, Output};
use trainer::TrainError;
use trainer::config::RewardSection;
use trainer::fit::FittedUser;
use trainer::folder::RunFolder;
use trainer::forget::HeldUsers;
use trainer::inference::{Engine, Opened};
use trainer::pref_data::Comparison;
use trainer::user_model::{
    Belief, DatedBelief, Fitted, FittedRow, KeptBelief, UserBelief, UserTable,
};

use super::show::spread;
use super::{OnArgs, UsersArgs, warn_of_lost, warn_of_resume};
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
    /// Go on from what an earlier fit left, and not from what trained users are like. The answers must be new ones: old ones would
    /// count twice. Their texts are not needed any more.
    #[arg(long)]
    pub more: bool,
    /// Leave broken records out and count them.
    #[arg(long)]
    pub lenient: bool,
    /// What the adapters are opened on.
    #[command(flatten)]
    pub on: OnArgs,
}

/// How long others may write; a run that trains takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fits the user's row and writes it.
///
/// # Errors
/// Broken data, adapters that cannot be opened, or fewer trained users than one can learn from.
pub fn run(users: &UsersArgs, args: &FitArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let of = users.trained(&args.on);
    let trained = of.trained()?;
    // Better now than after the work.
    drop(hold(trained.dir())?);
    let mut loaded = Loaded::read(&args.data, args.lenient, &trained.config.data)?;
    let others = keep_own(&mut loaded.comparisons, &args.user);
    if loaded.comparisons.is_empty() {
        let (id, others) = (printable::quoted(&args.user), others.join(", "));
        let problem = format!("no answer of user {id}, only of others: {others}");
        return Err(TrainError::Usage(problem));
    }
    let opened = of.open()?;
    let before = Before::read(&opened.engine, args)?;
    let started = Instant::now();
    let fitted = fit(&opened, &of, &before, &loaded, args, out)?;
    if !others.is_empty() {
        let others = others.join(", ");
        out.fact("left out", format_args!("answers of {others}"))?;
    }
    let better = before.belief.is_some() || fitted.row().1;
    describe(&fitted, &before, better, out)?;
    keep(trained.dir(), &args.user, &before, &fitted, better)?;
    warn_of_resume(trained.dir());
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

/// What is believed of the user before these answers.
struct Before {
    /// Of any user.
    prior: Belief,
    /// Of this one, after answers before these.
    belief: Option<UserBelief>,
    fitted: Fitted,
}

impl Before {
    fn read(engine: &Engine, args: &FitArgs) -> Result<Self, TrainError> {
        let Some(table) = engine.table() else {
            let id = args.user.clone();
            return Err(TrainError::NoUsers { id });
        };
        let mut others = table.clone();
        if others.owns(&args.user) {
            // A trained row is not to be what its user is fitted under.
            others.remove(&args.user)?;
        } else if !others.contains(&args.user) {
            UserTable::validate_new_id(&args.user)?;
        }
        let Some(prior) = others.belief() else {
            let problem = "a new user is fitted to what trained users are like: there are none, or all are alike";
            return Err(TrainError::Usage(problem.into()));
        };
        let mut before = Self {
            prior,
            belief: None,
            fitted: Fitted {
                answers: 0,
                evidence: 0.0,
            },
        };
        if args.more {
            before.go_on(table, &args.user)?;
        }
        Ok(before)
    }

    /// From what is kept of the user.
    fn go_on(&mut self, table: &UserTable, id: &str) -> Result<(), TrainError> {
        table.user(id)?;
        let kept = match table.owns(id) {
            true => None,
            false => table.fitted().get(id)?,
        };
        let belief = kept
            .as_ref()
            .and_then(|kept| kept.belief_beside(&self.prior));
        let (Some(kept), Some(belief)) = (kept, belief) else {
            let id = printable::quoted(id);
            return Err(TrainError::Usage(format!(
                "nothing is kept of what user {id} answered before: fit all answers together, without --more"
            )));
        };
        (self.belief, self.fitted) = (Some(belief), kept.fitted);
        Ok(())
    }

    /// What the row is fitted to with these answers.
    fn and(&self, fitted: &FittedUser) -> Fitted {
        Fitted {
            answers: self.fitted.answers + fitted.fit.margins.len() as u64,
            evidence: self.fitted.evidence + fitted.evidence(),
        }
    }
}

fn fit(
    opened: &Opened,
    of: &TrainedArgs,
    before: &Before,
    loaded: &Loaded,
    args: &FitArgs,
    out: &mut Output<'_>,
) -> Result<FittedUser, TrainError> {
    let engine = &opened.engine;
    let limits = fit_responses(engine)?;
    let (loaded, dataset) = loaded.tokenised(args.lenient, engine)?;
    out.fact("answers", loaded.comparisons.len())?;
    out.fact("skipped", &loaded.skipped)?;
    out.fact("cut", cuts(std::iter::once(&dataset), limits.config()))?;
    let (answers, bars) = (dataset.examples(None), Bars::default());
    let before_these = before.belief.as_ref();
    if let Some(task) = opened.reward()? {
        RewardSection::validate_thumbs(dataset.thumbs)?;
        return engine.fit(&task, &answers, &before.prior, before_these, &bars);
    }
    let cache = Cache::new()?;
    let task = opened.preference(&cache.folder(of))?;
    engine.fit(&task, &answers, &before.prior, before_these, &bars)
}

/// Writes the row, and what is believed of the user where that is the row's.
fn keep(
    dir: &Path,
    id: &str,
    before: &Before,
    fitted: &FittedUser,
    better: bool,
) -> Result<(), TrainError> {
    let values = match better {
        true => fitted.fit.belief.mean().to_vec(),
        false => fitted.row().0,
    };
    let belief = better.then(|| DatedBelief {
        prior_sha256: before.prior.prior_sha256(),
        kept: KeptBelief::of(&fitted.belief()),
    });
    let row = FittedRow {
        values,
        fitted: before.and(fitted),
        belief,
    };
    warn_of_lost(HeldUsers::of(hold(dir)?, dir)?.keep_fitted(id, &row)?);
    Ok(())
}

/// The folder of the adapters, once another fit has written its row there.
fn hold(dir: &Path) -> Result<RunFolder, TrainError> {
    RunFolder::hold_after_others(dir, PATIENCE, &mut |process| {
        let (path, seconds) = (dir.display(), PATIENCE.as_secs());
        tracing::info!("{process} works at {path}: waiting for it, for up to {seconds} s");
    })
}

fn describe(
    fitted: &FittedUser,
    before: &Before,
    better: bool,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
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
    let all = before.and(fitted);
    let those = match before.belief {
        Some(_) => format!("all {} answers", all.answers),
        None => "the answers".into(),
    };
    out.fact(
        "evidence",
        format_args!(
            "a user of their own explains {those} {:.1} nats better than the generic user",
            all.evidence
        ),
    )?;
    match better {
        true => out.fact("spread", spread(&fit.belief)),
        false => out.fact(
            "row",
            "the generic user's, which explains the answers better; nothing is kept for further answers",
        ),
    }
}

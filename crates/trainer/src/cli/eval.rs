//! `prlhf eval`: how often the policy ranks held-out comparisons as their users did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::data;
use super::output::Output;
use super::prepare::cuts;
use super::trained::{Trained, TrainedArgs};
use crate::dataset::Dataset;
use crate::error::TrainError;
use crate::eval::{self, Scored};
use crate::reference::ReferenceCache;
use crate::step::Example;

/// Users with a line of their own on the terminal.
const SHOWN: usize = 40;

/// Arguments of `prlhf eval`.
#[derive(Args, Debug)]
pub struct EvalArgs {
    /// What to evaluate.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Comparisons that were not trained on: files or folders, as for training.
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Leave broken records out and count them.
    #[arg(long)]
    pub lenient: bool,
    /// Comparisons for KL and held-out loss; 0: all.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub quality: usize,
    /// Also write everything as JSON, every user included.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The base model.
    pub model: String,
    /// All comparisons.
    pub all: Tally,
    /// Those of users that the user model knows.
    pub seen: Tally,
    /// Those of others, ranked with the generic user's soft prompt.
    pub unseen: Tally,
    /// Those without a user, likewise.
    pub without_user: Tally,
    /// Users that the user model knows.
    pub users_seen: usize,
    /// Others.
    pub users_unseen: usize,
    /// By user.
    pub users: BTreeMap<String, UserTally>,
    /// Mean preference loss.
    pub loss: f64,
    /// Mean KL to the reference per response token, in nats.
    pub kl: f64,
    /// Mean negative log-likelihood per response token, in nats.
    pub nll: f64,
    /// The same of the reference.
    pub nll_reference: f64,
}

/// Some comparisons.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tally {
    /// How many.
    pub comparisons: usize,
    /// Ranked as the user did.
    pub correct: usize,
    /// `correct / comparisons`; none for no comparisons.
    pub accuracy: Option<f64>,
    /// Mean implicit reward of the preferred response minus that of the other.
    pub margin: Option<f64>,
    #[serde(skip)]
    margins: f64,
}

/// One user.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct UserTally {
    /// Whether the user model knows the user.
    pub seen: bool,
    /// Their comparisons.
    #[serde(flatten)]
    pub tally: Tally,
}

impl Tally {
    fn add(&mut self, scored: &Scored) {
        self.comparisons += 1;
        self.correct += usize::from(scored.correct());
        self.margins += f64::from(scored.reward_chosen - scored.reward_rejected);
        self.accuracy = Some(self.correct as f64 / self.comparisons as f64);
        self.margin = Some(self.margins / self.comparisons as f64);
    }

    fn row(&self, name: &str, seen: &str) -> Vec<String> {
        let show = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.3}"));
        vec![
            name.into(),
            seen.into(),
            self.comparisons.to_string(),
            show(self.accuracy),
            show(self.margin),
        ]
    }
}

/// Evaluates and prints a table.
///
/// # Errors
/// Broken data, or adapters that cannot be opened.
pub fn run(args: &EvalArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let loaded = data::load(&args.data, args.lenient)?;
    let trained = args.trained.open(|config| {
        let room = config.prompt.max_response_length;
        (room, "prompt.max_response_length")
    })?;
    let dataset = Dataset::new(&loaded.comparisons, &trained.formatter)?;
    let positions = trained.base.config().max_positions();
    dataset.check_context(trained.policy.user_tokens(), positions)?;
    let examples = examples(&trained, &dataset, args.trained.run.as_deref())?;
    let report = report(&trained, &examples, args.quality)?;
    if let Some(path) = &args.json {
        write_json(path, &report)?;
    }
    out.fact("skipped", &loaded.skipped)?;
    let cut = cuts(std::iter::once(&dataset), trained.formatter.config());
    out.fact("cut", cut)?;
    print(&report, out)
}

/// Reference log-probs come from the run's cache where there is a run.
fn examples(
    trained: &Trained,
    dataset: &Dataset,
    run: Option<&Path>,
) -> Result<Vec<Example>, TrainError> {
    let temporary = tempfile::tempdir().map_err(|e| TrainError::io(&std::env::temp_dir(), e))?;
    let dir = run.map_or_else(|| temporary.path().into(), |run| run.join("reference"));
    let mut cache = ReferenceCache::open(&dir, &trained.key)?;
    let rows = trained.config.training.micro_rows.max(1);
    dataset.examples(trained.table.as_ref(), &trained.base, &mut cache, rows)
}

fn report(trained: &Trained, examples: &[Example], quality: usize) -> Result<Report, TrainError> {
    let Trained {
        base,
        policy,
        table,
        ..
    } = trained;
    let table = table.as_ref();
    let rows = trained.config.training.micro_rows.max(1);
    let objective = trained.config.objective.preference_loss()?;
    let scored = eval::score(policy, table, &objective, examples, rows)?;
    let some = match quality {
        0 => examples,
        limit => &examples[..limit.min(examples.len())],
    };
    let quality = eval::text_quality(policy, table, base, some, rows)?;
    let plain = crate::policy::Policy::plain(base.clone());
    let reference = eval::text_quality(&plain, None, base, some, rows)?;
    let losses: f64 = scored.iter().map(|s| f64::from(s.loss)).sum();
    let mut report = Report {
        model: trained.source.clone(),
        all: Tally::default(),
        seen: Tally::default(),
        unseen: Tally::default(),
        without_user: Tally::default(),
        users_seen: 0,
        users_unseen: 0,
        users: BTreeMap::new(),
        loss: losses / scored.len().max(1) as f64,
        kl: quality.kl,
        nll: quality.nll,
        nll_reference: reference.nll,
    };
    for (example, row) in examples.iter().zip(&scored) {
        report.add(example, row, |id| table.is_some_and(|t| t.contains(id)));
    }
    report.users_seen = report.users.values().filter(|user| user.seen).count();
    report.users_unseen = report.users.len() - report.users_seen;
    Ok(report)
}

impl Report {
    fn add(&mut self, example: &Example, scored: &Scored, knows: impl Fn(&str) -> bool) {
        self.all.add(scored);
        let Some(owner) = &example.owner else {
            self.without_user.add(scored);
            return;
        };
        let seen = knows(owner);
        match seen {
            true => self.seen.add(scored),
            false => self.unseen.add(scored),
        }
        let user = self.users.entry(owner.clone()).or_default();
        user.seen = seen;
        user.tally.add(scored);
    }
}

fn print(report: &Report, out: &mut Output<'_>) -> Result<(), TrainError> {
    let mut rows = vec![report.all.row("all", "")];
    let seen = format!("{} seen users", report.users_seen);
    let unseen = format!("{} unseen users (as generic)", report.users_unseen);
    for (tally, name) in [
        (&report.seen, seen.as_str()),
        (&report.unseen, &unseen),
        (&report.without_user, "without user (as generic)"),
    ] {
        if tally.comparisons > 0 {
            rows.push(tally.row(name, ""));
        }
    }
    for (id, user) in report.users.iter().take(SHOWN) {
        let seen = if user.seen { "yes" } else { "no" };
        rows.push(user.tally.row(&format!("  {id}"), seen));
    }
    out.table(
        &["users", "seen", "comparisons", "accuracy", "margin"],
        &rows,
    )?;
    if report.users.len() > SHOWN {
        let more = report.users.len() - SHOWN;
        out.line(format_args!("  and {more} more users; --json lists all"))?;
    }
    out.fact("loss", format_args!("{:.4}", report.loss))?;
    out.fact(
        "kl",
        format_args!("{:.4} nats per response token to the reference", report.kl),
    )?;
    out.fact(
        "held out",
        format_args!(
            "{:.3} nats per response token, {:.3} under the reference",
            report.nll, report.nll_reference
        ),
    )
}

fn write_json(path: &Path, report: &Report) -> Result<(), TrainError> {
    let text = serde_json::to_vec_pretty(report).map_err(|e| TrainError::format(path, e))?;
    llm_backbone::weights::replace_file(path, |temporary| {
        std::fs::write(temporary, text).map_err(|source| llm_backbone::weights::WeightError::Io {
            file: path.to_owned(),
            source,
        })
    })?;
    Ok(())
}

//! `prlhf users ask`: which comparisons to show a user next.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use terminal::{Bars, Output};
use trainer::TrainError;
use trainer::ask::Candidates;
use trainer::burn::tensor::Device;
use trainer::files::replace_file;
use trainer::inference::Trained;
use trainer::pref_data::Comparison;
use trainer::user_model::{self, By, Chosen, Mix, UserTable};

use super::written::validate_out;
use super::{OnArgs, UsersArgs, origin, put_prompt};
use crate::eval::{Cache, Loaded};
use crate::trained::TrainedArgs;

/// Arguments of `prlhf users ask`.
#[derive(Args, Debug)]
pub struct AskArgs {
    /// Who is asked: a fitted user, or a new one.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// Comparisons to choose from, in files or folders as for training. Whose they are, and which response is called chosen, does not
    /// matter.
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub candidates: Vec<PathBuf>,
    /// How many to choose, to be asked together.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub count: usize,
    /// By what.
    #[arg(long, value_enum, default_value_t = Measure::Information)]
    pub by: Measure,
    /// The seed of `--by random`.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// A JSON Lines file to write. Default: the standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file of --out even if this command did not write it.
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Leave broken records out and count them.
    #[arg(long)]
    pub lenient: bool,
    /// What the adapters are opened on.
    #[command(flatten)]
    pub on: OnArgs,
}

/// By what questions are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// What each answer tells of the user beside those before it.
    Information,
    /// How near to even the odds of each answer are.
    Uncertain,
    /// How much the answers together narrow what is believed, were they numbers.
    Fisher,
    /// A draw.
    Random,
}

/// Chooses and writes comparisons.
///
/// # Errors
/// Broken data, adapters that cannot be opened, or fewer trained users than one can learn from.
pub fn run(users: &UsersArgs, args: &AskArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    if let Some(out) = &args.out {
        let ours = ["chosen", "rejected", "probability", "bits"];
        let is_ours =
            |fields: &Map<String, Value>| ours.iter().all(|&key| fields.contains_key(key));
        validate_out(out, args.force, is_ours)?;
    }
    let of = users.trained(&args.on);
    let trained = of.trained()?;
    let loaded = Loaded::read(&args.candidates, args.lenient, &trained.config.data)?;
    let mut comparisons = loaded.comparisons;
    comparisons.retain(|comparison| comparison.thumb.is_none());
    if comparisons.is_empty() {
        let problem = "nothing to choose from: expected comparisons of two responses";
        return Err(TrainError::Usage(problem.into()));
    }
    let chosen = choose(&of, &trained, &comparisons, args)?;
    let line = |chosen: &Chosen| record(&comparisons[chosen.index], &args.user, chosen);
    match &args.out {
        None => chosen.iter().try_for_each(|chosen| out.json(line(chosen))),
        Some(path) => {
            let lines = chosen.iter().map(|chosen| format!("{}\n", line(chosen)));
            replace_file(path, lines.collect::<String>())
        }
    }
}

fn choose(
    of: &TrainedArgs,
    trained: &Trained,
    comparisons: &[Comparison],
    args: &AskArgs,
) -> Result<Vec<Chosen>, TrainError> {
    let (model, mut table) = user_model::load(trained.dir(), &Device::flex())?;
    UserTable::validate_id(&args.user)?;
    let as_new = as_new(&table, &args.user);
    if table.owns(&args.user) {
        // Whoever is trained is asked as if they were not.
        table.remove(&args.user)?;
    }
    let Some(prior) = table.belief() else {
        let problem = "whom to ask what follows from what trained users are like: there are none, or all are alike";
        return Err(TrainError::Usage(problem.into()));
    };
    let cache = Cache::new()?;
    let folder = cache.folder(of);
    let mut candidates = Candidates::open(&folder, trained, &model, &prior)?;
    let unknown = candidates.unknown(comparisons);
    if !unknown.is_empty() {
        let opened = of.open()?;
        let (engine, bars) = (&opened.engine, Bars::default());
        match opened.reward()? {
            Some(task) => candidates.compute(&unknown, engine, &task, &prior, &bars)?,
            None => {
                let task = opened.preference(&folder)?;
                candidates.compute(&unknown, engine, &task, &prior, &bars)?;
            }
        }
    }
    let questions = candidates.questions(comparisons).unwrap_or_default();
    let fitted = table.fitted().get(&args.user)?;
    let belief = fitted.and_then(|fitted| fitted.belief_beside(&prior));
    let mix = belief.map_or_else(
        || {
            tracing::warn!("asked as one who has not answered yet: {as_new}, and nothing is kept of their answers");
            Mix::new(candidates.trained())
        },
        |belief| belief.mix,
    );
    let by = match args.by {
        Measure::Information => By::Information,
        Measure::Uncertain => By::Uncertain,
        Measure::Fisher => By::Fisher,
        Measure::Random => By::Random(args.seed),
    };
    Ok(mix.choose(&questions, args.count, by))
}

/// What a user is, in words, of whom no answer is known.
fn as_new(table: &UserTable, id: &str) -> String {
    match table.user(id) {
        Ok(_) => format!("the user's row is {}", origin(table, id)),
        Err(error) => error.to_string(),
    }
}

/// A candidate in the layout of comparisons, with what its answer is expected to tell.
fn record(comparison: &Comparison, user: &str, chosen: &Chosen) -> Value {
    let mut fields = Map::new();
    fields.insert("user".into(), user.into());
    if let Some(text) = &comparison.user_text {
        fields.insert("user_text".into(), text.as_str().into());
    }
    put_prompt(&mut fields, &comparison.prompt, &comparison.template);
    fields.insert("chosen".into(), comparison.chosen.as_str().into());
    fields.insert("rejected".into(), comparison.rejected.as_str().into());
    fields.insert("probability".into(), json!(chosen.probability));
    fields.insert("bits".into(), json!(chosen.value));
    Value::Object(fields)
}

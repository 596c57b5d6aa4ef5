//! `prlhf eval`: how often the policy ranks comparisons as their users did, and how far its probabilities can be trusted.

mod accuracy;
mod compare;
mod report;
mod rows;
mod side_by_side;
mod spread;
mod tables;
mod training_data;
mod ways;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::Args;
use terminal::{Bars, Output, hub};
use trainer::TrainError;
use trainer::config::{DataSection, RewardSection, validate_thumbs};
use trainer::dataset::Dataset;
use trainer::eval::TextQuality;
use trainer::example::Example;
use trainer::files::replace_file;
use trainer::inference::{Engine, Opened};
use trainer::pdpo_loss::{PairLoss, ScoredRow};
use trainer::policy::Policy;
use trainer::pref_data::{Comparison, Skipped, read_comparisons};
use trainer::task::{Ranking, Reward, Task};
use whole_file::Temporary;

use crate::prepare::{cuts, fit_responses};
use crate::trained::TrainedArgs;

use accuracy::Accuracy;
use report::{EvalReport, VERSION};
use rows::{EvalRow, comparisons_hash};
use spread::Spreads;
use training_data::TrainedOn;
use ways::{AnsweredReport, Plan, Served, Serving, WaysArgs};

/// Arguments of `prlhf eval`.
#[derive(Args, Debug)]
#[command(mut_arg("run", |arg| arg.required_unless_present_any(["adapters", "compare"])))]
pub struct EvalArgs {
    /// What to evaluate.
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Two runs, folders of adapters, or earlier --json files, side by side; B is measured against A. Of a file that was written with
    /// --answers, FILE#WAY is one of its ways (`generic`, `own`, or one of --ways).
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["run", "adapters"])]
    pub compare: Vec<PathBuf>,
    /// Comparisons to evaluate: files or folders, as for training. Not needed where --compare names two files.
    #[arg(long, value_name = "PATH", required_unless_present = "compare", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// What was trained on, to tell seen prompts from others. Default: what the configuration names, less its validation
    /// share.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub training_data: Vec<PathBuf>,
    /// Leave broken records out and count them.
    #[arg(long)]
    pub lenient: bool,
    /// Comparisons for KL and held-out loss; 0: all.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub quality: usize,
    /// Also take into account how sure the rows of fitted users are (`users fit`): calibration with that and without. Takes a gradient
    /// for each of their comparisons.
    #[arg(long)]
    pub spread: bool,
    /// The seed of the bootstrap of --compare and --answers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Also write everything as JSON: every user and every comparison.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Other ways to serve users.
    #[command(flatten)]
    pub ways: WaysArgs,
}

/// Evaluates and prints tables.
///
/// # Errors
/// Broken data, adapters that cannot be opened, or a comparison of what cannot be compared.
pub fn run(args: &EvalArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    if let Some(path) = &args.json {
        validate_output(path)?;
    }
    if let [a, b] = args.compare.as_slice() {
        return side_by_side::run(args, [a, b], out);
    }
    let section = args.trained.trained()?.config.data;
    let loaded = Loaded::read(&args.data, args.lenient, &section)?;
    let cache = Cache::new()?;
    let report = evaluate(args, &args.trained, &loaded, &cache, out)?;
    if let Some(path) = &args.json {
        write_json(path, &report)?;
    }
    tables::print(&report, out)
}

/// Comparisons to evaluate on, and what was left out.
#[derive(Clone)]
pub struct Loaded {
    /// In the order of the files.
    pub comparisons: Vec<Comparison>,
    /// Records left out, by reason.
    pub skipped: Skipped,
}

impl Loaded {
    /// Reads files and folders of any layout, with the columns that a `[data]` section names.
    ///
    /// # Errors
    /// A broken record unless `lenient`, naming file, line and field, or no comparison at all.
    pub fn read(
        paths: &[PathBuf],
        lenient: bool,
        section: &DataSection,
    ) -> Result<Self, TrainError> {
        let mut options = section.options();
        options.read.lenient = lenient;
        // Other files may be of another layout than the training data.
        options.layout = None;
        let (comparisons, skipped) = read_comparisons(&hub::locate_data(paths)?, options)?;
        Ok(Self {
            comparisons,
            skipped,
        })
    }
}

impl Loaded {
    /// The comparisons in tokens; if `lenient`, both without what the chat template refuses.
    ///
    /// # Errors
    /// A comparison that cannot be made ready for another reason.
    pub fn tokenised(
        &self,
        lenient: bool,
        engine: &Engine,
    ) -> Result<(Cow<'_, Self>, Dataset), TrainError> {
        if !lenient {
            return Ok((Cow::Borrowed(self), engine.dataset(&self.comparisons)?));
        }
        let mut loaded = self.clone();
        let dataset = engine.dataset_of_accepted(&mut loaded.comparisons, &mut loaded.skipped)?;
        Ok((Cow::Owned(loaded), dataset))
    }
}

/// Where reference log-probs go that belong to no run, for as long as the program runs.
pub struct Cache(
    tempfile::TempDir,
    #[expect(dead_code, reason = "held")] Temporary,
);

impl Cache {
    /// An empty folder.
    pub fn new() -> Result<Self, TrainError> {
        let folder = tempfile::tempdir();
        let folder = folder.map_err(|e| TrainError::io(&std::env::temp_dir(), e))?;
        let known = Temporary::new(folder.path());
        Ok(Self(folder, known))
    }

    /// Where the reference's log-probs of a run are, or this folder for adapters alone.
    pub fn folder(&self, of: &TrainedArgs) -> PathBuf {
        match &of.run {
            Some(run) => run.join("reference"),
            None => self.0.path().into(),
        }
    }
}

/// Evaluates one run or one folder of adapters.
pub fn evaluate(
    args: &EvalArgs,
    of: &TrainedArgs,
    loaded: &Loaded,
    cache: &Cache,
    out: &mut Output<'_>,
) -> Result<EvalReport, TrainError> {
    let trained = of.trained()?;
    let dir = trained.dir().to_owned();
    let answers = args.ways.read(args.lenient, &trained.config.data)?;
    let opened = of.open()?;
    let (engine, config) = (&opened.engine, opened.config());
    let training = TrainedOn::read(&args.training_data, args.lenient, &config.data)?;
    let limits = fit_responses(engine)?;
    let (loaded, dataset) = loaded.tokenised(args.lenient, engine)?;
    let loaded = &*loaded;
    out.fact("skipped", &loaded.skipped)?;
    out.fact("cut", cuts(std::iter::once(&dataset), limits.config()))?;
    let answers = answers.as_ref().map(|answers| (answers, args.lenient));
    let plan = answers.map(|answers| args.ways.plan(answers, loaded, engine, out));
    let plan = plan.transpose()?;
    let asked = Asked {
        comparisons: &loaded.comparisons,
        spread: args.spread,
        plan: plan.as_ref(),
    };
    let measured = match opened.reward()? {
        Some(task) => Measured::of_rewards(&task, engine, &dataset, &asked)?,
        None => {
            let (folder, limit) = (cache.folder(of), args.quality);
            Measured::of_preferences(&opened, dataset, (&folder, limit, &asked), out)?
        }
    };
    let mut rows = rows(engine, loaded, &measured.scored, &training)?;
    let answered = plan.as_ref().zip(measured.served);
    let answered =
        answered.map(|(plan, served)| AnsweredReport::new(plan, served, &rows, args.seed));
    let spread = measured.spreads.map(|spreads| spreads.give(&mut rows));
    let [kl, nll, nll_reference] = measured.text.map_or([None; 3], |text| text.map(Some));
    Ok(EvalReport {
        version: VERSION,
        model: opened.source.clone(),
        adapters: dir.display().to_string(),
        user_model: engine.table().is_some(),
        comparisons_hash: comparisons_hash(&rows),
        training_data: training.summary(),
        accuracy: Accuracy::of(&rows),
        calibration: rows::calibration(&rows),
        spread,
        answered: answered.transpose()?,
        loss: measured.loss,
        kl,
        nll,
        nll_reference,
        rows,
    })
}

/// What is asked of an evaluation beside how often the policy is right.
struct Asked<'a> {
    comparisons: &'a [Comparison],
    /// How sure fitted rows are.
    spread: bool,
    /// What else can be done with users' answers.
    plan: Option<&'a Plan>,
}

impl Asked<'_> {
    /// What an engine makes of the comparisons, which it has scored.
    fn of<T: Ranking>(
        &self,
        engine: &Engine,
        task: &T,
        examples: &[Example],
        scored: &[ScoredRow],
    ) -> Result<(Option<Spreads>, Option<Vec<Served>>), TrainError> {
        let spreads = self.spread.then(|| Spreads::of(engine, task, examples));
        let served = self.plan.map(|plan| {
            let serving = Serving {
                engine,
                task,
                comparisons: self.comparisons,
                examples,
                scored,
                plan,
            };
            serving.served()
        });
        Ok((spreads.transpose()?, served.transpose()?))
    }
}

/// What a model says of the comparisons.
struct Measured {
    scored: Vec<ScoredRow>,
    loss: f64,
    /// KL to the reference, held-out loss, and that of the reference; none of a reward model, which writes nothing.
    text: Option<[f64; 3]>,
    /// Where it was asked for.
    spreads: Option<Spreads>,
    /// Likewise.
    served: Option<Vec<Served>>,
}

impl Measured {
    fn of_rewards(
        task: &Reward,
        engine: &Engine,
        dataset: &Dataset,
        asked: &Asked<'_>,
    ) -> Result<Self, TrainError> {
        RewardSection::validate_thumbs(dataset.thumbs)?;
        let examples = dataset.examples(engine.table());
        let scored = engine.score(task, &examples, &Bars::default())?;
        let (spreads, served) = asked.of(engine, task, &examples, &scored)?;
        Ok(Self {
            loss: task.mean_loss(&scored),
            scored,
            text: None,
            spreads,
            served,
        })
    }

    fn of_preferences(
        opened: &Opened,
        mut dataset: Dataset,
        (cache, limit, asked): (&Path, usize, &Asked<'_>),
        out: &mut Output<'_>,
    ) -> Result<Self, TrainError> {
        let objective = &opened.config().objective;
        validate_thumbs(objective, dataset.thumbs)?;
        if objective.loss.needs_kl() {
            dataset = dataset.with_mismatched(None);
        }
        let mut task = opened.preference(cache)?;
        if task.objective().needs_kl() && !dataset.has_mismatched() {
            out.fact(
                "loss",
                "with a KL term of 0, which is estimated on responses to other prompts: there are none",
            )?;
            task = task.without_kl();
        }
        let examples = dataset.examples(opened.engine.table());
        let scored = opened.engine.score(&task, &examples, &Bars::default())?;
        let [quality, reference] = quality(opened, &examples, limit)?;
        let loss = task.mean_loss(&scored);
        // Of a loss with a KL term rewards alone are of interest from here on.
        let task = task.without_kl();
        let (spreads, served) = asked.of(&opened.engine, &task, &examples, &scored)?;
        Ok(Self {
            loss,
            scored,
            text: Some([quality.kl, quality.nll, reference.nll]),
            spreads,
            served,
        })
    }
}

/// A user is seen if the user model knows the id or, where there is no user model, if the training data names it.
fn rows(
    engine: &Engine,
    loaded: &Loaded,
    scored: &[ScoredRow],
    training: &TrainedOn,
) -> Result<Vec<EvalRow>, TrainError> {
    let knows = |id: &str| match engine.table() {
        Some(table) => table.contains(id),
        None => training.names(id),
    };
    let rows = loaded.comparisons.iter().zip(scored).enumerate();
    rows.map(|(index, (comparison, scored))| {
        let user = comparison.user.as_ref().map(|user| knows(user.as_str()));
        let prompt = training.contains(&comparison.prompt);
        EvalRow::new(index, comparison, scored, (user, prompt))
    })
    .collect()
}

/// Of the policy and of the reference, on the first `limit` examples.
fn quality(
    opened: &Opened,
    examples: &[Example],
    limit: usize,
) -> Result<[TextQuality; 2], TrainError> {
    let rows = opened.config().training.micro_rows;
    let some = match limit {
        0 => examples,
        limit => &examples[..limit.min(examples.len())],
    };
    let plain = Policy::plain(opened.base.clone());
    let quality = |policy: &Policy, table| {
        let progress = &Bars::default();
        trainer::eval::text_quality(policy, table, &opened.base, some, rows, progress)
    };
    Ok([
        quality(opened.engine.policy(), opened.engine.table())?,
        quality(&plain, None)?,
    ])
}

/// Refuses to write over a file that is no evaluation.
fn validate_output(path: &Path) -> Result<(), TrainError> {
    let Ok(bytes) = std::fs::read(path) else {
        return Ok(()); // What is wrong with it is said by who writes it.
    };
    let value = serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_default();
    match value.get("version").is_some() || bytes.is_empty() {
        true => Ok(()),
        false => {
            let problem =
                "there is such a file, and it is no evaluation: choose another name for --json";
            Err(TrainError::format(path, problem))
        }
    }
}

/// Writes a file that is whole or not there.
pub fn write_json(path: &Path, report: &impl serde::Serialize) -> Result<(), TrainError> {
    let text = serde_json::to_vec_pretty(report).map_err(|e| TrainError::format(path, e))?;
    replace_file(path, text)
}

//! `prlhf train`: comparisons to adapters and a user model.

mod idle;
mod online;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use terminal::{Bars, Dashboard, Output, Watch, duration, grouped, has_terminal};
use tracing::trace_span;
use trainer::TrainError;
use trainer::burn::module::Module;
use trainer::checkpoint::{self, Best};
use trainer::config::{Config, Setting, read_toml_with};
use trainer::folder::{RunFolder, Start};
use trainer::lineage::Lineage;
use trainer::policy::Policy;
use trainer::pref_data::Audit;
use trainer::profile::TARGET;
use trainer::session::{Outcome, Session};
use trainer::sides::Sides;
use trainer::task::Task;
use trainer::training::{Place, Training};
use trainer::user_model::FittedUsers;
use trainer::{device, eval};

use crate::estimate::Plan;
use crate::judge::{Judge, JudgeArgs};
use crate::prepare::{cuts, prepare};
pub use idle::idle;
pub use online::untold;

/// Arguments of `prlhf train`.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// The TOML file that says it all; configs/example.toml documents every key.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Sets one key, as in `--set training.learning_rate=1e-4`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Where the run goes; default: runs/ and the name of the configuration.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with the run in --out, where its last checkpoint stands.
    #[arg(long)]
    pub resume: bool,
    /// Replace the run in --out: its own files, once settings, model and data are known to be good.
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
    /// `flex` (the CPU), `cuda:N`, `wgpu` or `wgpu:N`; several with commas between them share the work of a step.
    #[arg(long, default_value = "flex", value_name = "NAME")]
    pub device: String,
    /// Overrides the configuration's seed of initialisation and order.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Log lines instead of the dashboard, which shows only on a terminal.
    #[arg(long)]
    pub plain: bool,
    /// Show at the end where the time went, and the arithmetic beside the rate of plain matrix products: GFLOP/s as
    /// given, or else measured on the spot.
    #[arg(long, value_name = "GFLOPS", num_args = 0..=1, require_equals = true)]
    pub profile: Option<Option<f64>>,
    /// What to train.
    #[arg(long, value_enum, default_value_t = Mode::Pdpo)]
    pub mode: Mode,
    /// With --mode online: the folder of a reward run, as of `prlhf train --mode reward`, which says what responses are worth. Or give
    /// --judge-url.
    #[arg(long, value_name = "DIR")]
    pub reward: Option<PathBuf>,
    /// With --mode online, in the place of --reward: who compares responses.
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// What to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Adapters and user model on preferences (without a section `users`: plain DPO).
    Pdpo,
    /// Adapters on the preferred responses; then set model.adapters to the result.
    Sft,
    /// A reward model: adapters, user model and the head of section `reward`, which rank texts and write none (without a section
    /// `users`: the same for everybody).
    Reward,
    /// Adapters and user model on responses that the policy writes itself and --reward scores, or a judge compares (--judge-url), as
    /// section `online` says: the policy moves towards what is preferred for each user (without a section `users`: the same for everybody).
    Online,
}

impl Mode {
    /// What a batch is of.
    fn examples(self) -> &'static str {
        match self {
            Self::Pdpo | Self::Sft | Self::Reward => "comparisons",
            Self::Online => "prompts",
        }
    }
}

/// Trains. Whatever stood in the folder stays until settings, model and data are known to be good.
///
/// # Errors
/// From any stage; [`TrainError::Interrupted`] where the user said stop.
pub fn run(args: &TrainArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let mut config: Config = read_toml_with(&args.config, &args.set)?;
    config.seed = args.seed.unwrap_or(config.seed);
    let dir = args.out.clone().unwrap_or_else(|| default_out(args));
    let judge = online::judge_of(args, &mut config, &dir)?;
    let plan = Plan::of(args.mode, &config)?;
    let start = Start::of(args.resume, args.force);
    let inputs: Vec<PathBuf> = [&args.config]
        .into_iter()
        .chain(&args.reward)
        .chain(judge.as_ref().and_then(Judge::words_file))
        .cloned()
        .collect();
    RunFolder::validate(&dir, start, &[inputs.clone(), config.inputs()].concat())?;
    let devices = device::for_training(&args.device, &config.training)?;
    let clock = clock(&dir, args.resume)?;
    let (training, sides, audit) = trace_span!(target: TARGET, "loading")
        .in_scope(|| prepare(&config, &devices.main, Some(clock)))?;
    for warning in &training.warnings {
        tracing::warn!("{warning}");
    }
    warn_of_fitted(&dir)?;
    for key in idle(args.mode, config.online.method, &args.set) {
        tracing::warn!("{key}");
    }
    for key in plan.unread() {
        tracing::warn!("{key}");
    }
    describe((args.mode, &config), (&training, &sides), &audit, out)?;
    let place = Place {
        dir,
        start,
        inputs,
        further_devices: devices.further,
    };
    match args.mode {
        Mode::Pdpo => preferences(args, &config, &training, place, out),
        Mode::Sft => supervised(args, &config, &training, place, out),
        Mode::Reward => rewards(args, &config, &training, place, out),
        Mode::Online => online::run(args, (&config, judge), (&training, &sides), place, out),
    }
}

/// Tells of users who were fitted beside adapters that training will replace.
fn warn_of_fitted(dir: &Path) -> Result<(), TrainError> {
    let adapters = dir.join("adapters");
    match FittedUsers::beside(&adapters).count()? {
        0 => {}
        count => tracing::warn!(
            "{count} users were fitted beside {}: they go when training writes these anew, and want their answers again then",
            adapters.display()
        ),
    }
    Ok(())
}

/// The time that the run's chat template tells, in seconds since 1970: now, or when the run that goes on began.
fn clock(dir: &Path, resume: bool) -> Result<u64, TrainError> {
    let state = match resume {
        true => checkpoint::state(&dir.join("checkpoint"))?,
        false => None,
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    let clock = state.and_then(|state| state.clock);
    Ok(clock.unwrap_or_else(|| now().map_or(0, |since| since.as_secs())))
}

fn default_out(args: &TrainArgs) -> PathBuf {
    Path::new("runs").join(args.config.file_stem().unwrap_or_default())
}

fn describe(
    (mode, config): (Mode, &Config),
    (training, sides): (&Training, &Sides),
    audit: &Audit,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let [train, held] = match mode {
        Mode::Online => training.prompts(sides),
        Mode::Pdpo | Mode::Sft | Mode::Reward => {
            let held = training.validation.as_ref();
            [
                training.train.items.len(),
                held.map_or(0, |side| side.items.len()),
            ]
        }
    };
    out.fact(
        "data",
        format_args!(
            "{train} {} to train on, {held} for validation, {} users",
            mode.examples(),
            audit.per_user.len(),
        ),
    )?;
    for line in audit.skipped.to_string().lines() {
        out.fact("", line)?;
    }
    for remark in audit.remarks() {
        tracing::warn!("{remark}");
    }
    let limits = training.formatter.config();
    out.fact("cut", cuts(training.datasets(), limits))?;
    out.fact(
        "model",
        format_args!(
            "{}, {} parameters, {:?}",
            training.source,
            grouped(training.model.num_base_params()),
            config.model.dtype
        ),
    )
}

/// Adapters and user model on preferences.
fn preferences(
    args: &TrainArgs,
    config: &Config,
    training: &Training,
    place: Place,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let dir = place.dir.clone();
    let session = training.preferences(place)?;
    ranking(session, (config, training, &dir), args, out)?;
    let dir = dir.display();
    out.fact(
        "next",
        format_args!("prlhf eval --run {dir} --data FILE, or prlhf chat --run {dir} --user ID"),
    )
}

/// Trains what ranks two responses, or writes, and tells its best validation and where it is.
fn ranking<T: Task>(
    session: Session<T>,
    (config, training, dir): (&Config, &Training, &Path),
    args: &TrainArgs,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    trainable(&session, out)?;
    let outcome = watched(session, config.training.batch, args, out)?;
    let none = "unknown: no validation data; the last step is kept";
    out.fact("best", best(outcome.state.best.as_ref(), none))?;
    out.fact("adapters", dir.join("adapters").display())?;
    base(&training.lineage, out)
}

/// How many weights are trained.
fn trainable<T: Task>(session: &Session<T>, out: &mut Output<'_>) -> Result<(), TrainError> {
    let policy = session.policy();
    let user_weights = match (&policy.users, session.table()) {
        (Some(users), Some(table)) => users.config().parameter_counts(table.len()).total(),
        _ => 0,
    };
    let head = policy.head.as_ref().map_or(0, Module::num_params);
    let head = match head {
        0 => String::new(),
        weights => format!(", {} of the head", grouped(weights)),
    };
    out.fact(
        "trainable",
        format_args!(
            "{} adapter weights, {} of the user model{head}",
            grouped(policy.model.num_adapter_params()),
            grouped(user_weights)
        ),
    )
}

/// A reward model on preferences.
fn rewards(
    args: &TrainArgs,
    config: &Config,
    training: &Training,
    place: Place,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let dir = place.dir.clone();
    let session = training.rewards(place)?;
    ranking(session, (config, training, &dir), args, out)?;
    let dir = dir.display();
    out.fact(
        "next",
        format_args!(
            "prlhf eval --run {dir} --data FILE, prlhf score --run {dir} --data FILE, or prlhf generate --best-of N --reward {dir}"
        ),
    )
}

/// Where the base of the adapters is, if it was merged in memory only.
fn base(lineage: &Lineage, out: &mut Output<'_>) -> Result<(), TrainError> {
    let Some(last) = lineage.adapters.last() else {
        return Ok(());
    };
    let name = &lineage.name;
    match Path::new(name).exists() {
        true => out.fact("base", name),
        false => out.fact(
            "base",
            format_args!(
                "{name}; for other programs, prlhf merge --adapters {} writes it",
                last.path
            ),
        ),
    }
}

/// Adapters on the preferred responses.
fn supervised(
    args: &TrainArgs,
    config: &Config,
    training: &Training,
    place: Place,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let dir = place.dir.clone();
    let target = dir.join("adapters");
    let session = training.language(place)?;
    let weights = grouped(session.policy().model.num_adapter_params());
    out.fact("trainable", format_args!("{weights} adapter weights"))?;
    let outcome = watched(session, config.sft.batch, args, out)?;
    if let Some(validation) = &training.validation {
        let (held, rows) = (validation.examples(None), config.training.micro_rows);
        let bars = Bars::default();
        let quality =
            |policy: &Policy| eval::text_quality(policy, None, &training.model, &held, rows, &bars);
        let before = quality(&Policy::plain(training.model.clone()))?;
        let after = quality(&outcome.policy)?;
        out.fact(
            "held out",
            format_args!(
                "{:.3} nats per response token, {:.3} before",
                after.nll, before.nll
            ),
        )?;
    }
    out.fact("adapters", target.display())?;
    out.fact(
        "next",
        format_args!(
            "set model.adapters = \"{}\" and train on preferences; prlhf merge --run {} writes both as one model",
            target.display(),
            dir.display()
        ),
    )
}

/// Trains to the end, on the dashboard where there is a terminal.
fn watched<T: Task>(
    session: Session<T>,
    batch: usize,
    args: &TrainArgs,
    out: &mut Output<'_>,
) -> Result<Outcome, TrainError> {
    out.fact(
        "steps",
        format_args!(
            "{} of {batch} {}, {} done",
            session.total_steps(),
            args.mode.examples(),
            session.state().step
        ),
    )?;
    let watch = Watch::new();
    let outcome = match !args.plain && has_terminal() {
        true => session.run(&mut Dashboard::new(watch)),
        false => session.run(&mut { watch }),
    }?;
    done(&outcome, args.mode, out)?;
    Ok(outcome)
}

fn done(outcome: &Outcome, mode: Mode, out: &mut Output<'_>) -> Result<(), TrainError> {
    let state = &outcome.state;
    let rate = outcome.comparisons as f64 / state.train_seconds.max(1e-9);
    let time = duration(state.train_seconds);
    out.fact(
        "done",
        format_args!(
            "{} steps in {time}, {rate:.1} {} per second",
            state.step,
            mode.examples()
        ),
    )
}

/// The best validation, or why there is none.
pub fn best(best: Option<&Best>, none: &str) -> String {
    best.map_or_else(
        || none.into(),
        |best| {
            let accuracy = match best.accuracy {
                Some(accuracy) => format!(", accuracy {accuracy:.3}"),
                None => String::new(),
            };
            format!(
                "step {}: validation loss {:.4}{accuracy}",
                best.step, best.loss
            )
        },
    )
}

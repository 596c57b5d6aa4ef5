//! `prlhf train`: comparisons to adapters and a user model.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use terminal::{Output, duration, grouped, logging};
use tracing::trace_span;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::checkpoint::Best;
use trainer::config::{Config, Setting, read_toml_with};
use trainer::dataset::Dataset;
use trainer::files::replace_file;
use trainer::policy::Policy;
use trainer::profile::TARGET;
use trainer::progress::Progress;
use trainer::reference::{ReferenceCache, ReferenceLogProbs};
use trainer::session::{Monitor, Outcome, Session, SessionConfig, check_free};
use trainer::step::Example;
use trainer::user_model::UserRef;
use trainer::{adapters, device, eval, sft};

use crate::prepare::Prepared;

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
    /// Replace the run in --out.
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
}

/// What to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Adapters and user model on preferences (without a section `users`: plain DPO).
    Pdpo,
    /// Adapters on the preferred responses; then set model.adapters to the result. Not resumable.
    Sft,
}

/// What a run leaves in its folder; all that --force removes. Reference log-probs stay: they are keyed by their content.
const FILES: [&str; 6] = [
    "config.toml",
    "metrics.jsonl",
    "adapters",
    "checkpoint",
    "checkpoint.new",
    "checkpoint.old",
];

/// Trains. Whatever stood in the folder stays until model and data are known to be good.
///
/// # Errors
/// From any stage; [`TrainError::Interrupted`] where `monitor` says stop.
pub fn run(
    args: &TrainArgs,
    monitor: &mut dyn Monitor,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let mut config: Config = read_toml_with(&args.config, &args.set)?;
    config.seed = args.seed.unwrap_or(config.seed);
    let dir = args.out.clone().unwrap_or_else(|| default_out(args));
    if args.resume && args.mode == Mode::Sft {
        let problem = "--mode sft cannot be resumed; start it again with --force";
        return Err(TrainError::Usage(problem.into()));
    }
    check_free(&dir, args.resume, args.force)?;
    let devices = device::for_training(&args.device, &config.training)?;
    let prepared = trace_span!(target: TARGET, "loading")
        .in_scope(|| Prepared::new(&config, &devices.main))?;
    if args.force {
        clear(&dir)?;
    }
    fs::create_dir_all(&dir).map_err(|e| TrainError::io(&dir, e))?;
    describe(&config, &prepared, out)?;
    match args.mode {
        Mode::Pdpo => {
            let to = (dir.as_path(), devices.further);
            preferences(args, &config, &prepared, to, monitor, out)
        }
        Mode::Sft => supervised(&config, &prepared, &dir, monitor.progress(), out),
    }
}

fn default_out(args: &TrainArgs) -> PathBuf {
    Path::new("runs").join(args.config.file_stem().unwrap_or_default())
}

fn clear(dir: &Path) -> Result<(), TrainError> {
    for path in FILES.map(|name| dir.join(name)) {
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrainError::io(&path, e));
            }
            _ => {}
        }
    }
    Ok(())
}

fn describe(config: &Config, prepared: &Prepared, out: &mut Output<'_>) -> Result<(), TrainError> {
    let held = prepared.validation.as_ref().map_or(0, |v| v.items.len());
    let audit = &prepared.audit;
    out.fact(
        "data",
        format_args!(
            "{} comparisons to train on, {} for validation, {} users; {}",
            prepared.train.items.len(),
            held,
            audit.per_user.len(),
            audit.skipped
        ),
    )?;
    out.fact("cut", prepared.cuts())?;
    out.fact(
        "model",
        format_args!(
            "{}, {} parameters, {:?}",
            prepared.source,
            grouped(prepared.model.num_base_params()),
            config.model.dtype
        ),
    )
}

fn preferences(
    args: &TrainArgs,
    config: &Config,
    prepared: &Prepared,
    (dir, further_devices): (&Path, Vec<Device>),
    monitor: &mut dyn Monitor,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let base = prepared.model.clone();
    let users = config.users.as_ref();
    let (policy, table) = Policy::start(base, &config.lora, users, &prepared.train, config.seed)?;
    let user_weights = match (&policy.users, &table) {
        (Some(users), Some(table)) => users.config().parameter_counts(table.len()).total(),
        _ => 0,
    };
    out.fact(
        "trainable",
        format_args!(
            "{} adapter weights, {} of the user model",
            grouped(policy.model.num_adapter_params()),
            grouped(user_weights)
        ),
    )?;
    let progress = monitor.progress();
    let mut cache = ReferenceCache::open(&dir.join("reference"), &prepared.key)?;
    let mut examples = |side: &Dataset| {
        let _span = trace_span!(target: TARGET, "reference").entered();
        let rows = config.training.micro_rows;
        side.examples(table.as_ref(), &prepared.model, &mut cache, rows, progress)
    };
    let train = examples(&prepared.train)?;
    let validation = prepared.validation.as_ref().map(&mut examples);
    let validation = validation.transpose()?.unwrap_or_default();
    let session = SessionConfig {
        dir: dir.into(),
        base: prepared.source.clone(),
        seed: config.seed,
        lora: config.lora.clone(),
        objective: config.objective.clone(),
        training: config.training.clone(),
        further_devices,
    };
    let session = Session::new(session, policy, table, (&train, &validation), args.resume)?
        .with_dashboard(!args.plain);
    if args.resume && session.state().step == 0 {
        let dir = dir.display();
        tracing::warn!("there is no checkpoint in {dir}: --resume starts at step 0");
    }
    write_config(config, dir)?;
    out.fact(
        "steps",
        format_args!(
            "{} of {} comparisons, {} done",
            session.total_steps(),
            config.training.batch,
            session.state().step
        ),
    )?;
    // The dashboard draws where log lines would go.
    let held = (!args.plain && io::stdout().is_terminal()).then(logging::hold);
    let outcome = session.run(monitor);
    drop(held);
    let outcome = outcome?;
    summary(config, dir, &outcome, out)
}

fn summary(
    config: &Config,
    dir: &Path,
    outcome: &Outcome,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let state = &outcome.state;
    let rate = (state.step * config.training.batch) as f64 / state.train_seconds.max(1e-9);
    let time = duration(state.train_seconds);
    out.fact(
        "done",
        format_args!(
            "{} steps in {time}, {rate:.1} comparisons per second",
            state.step
        ),
    )?;
    let none = "unknown: no validation data; the last step is kept";
    out.fact("best", best(state.best.as_ref(), none))?;
    let dir = dir.display();
    out.fact("adapters", format_args!("{dir}/adapters"))?;
    out.fact(
        "next",
        format_args!("prlhf eval --run {dir} --data FILE, or prlhf chat --run {dir} --user ID"),
    )
}

/// The best validation, or why there is none.
pub fn best(best: Option<&Best>, none: &str) -> String {
    best.map_or_else(
        || none.into(),
        |best| {
            format!(
                "step {}: validation loss {:.4}, accuracy {:.3}",
                best.step, best.loss, best.accuracy
            )
        },
    )
}

/// Fine-tunes adapters on the preferred responses.
fn supervised(
    config: &Config,
    prepared: &Prepared,
    dir: &Path,
    progress: &dyn Progress,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let model = prepared
        .model
        .clone()
        .with_lora(&config.lora, config.seed)?;
    let weights = grouped(model.num_adapter_params());
    out.fact("trainable", format_args!("{weights} adapter weights"))?;
    let (train, seed) = (&prepared.train, config.seed);
    let (model, loss) = sft::fine_tune_chosen(model, train, &config.sft, seed, progress)?;
    let policy = Policy::plain(model);
    let target = dir.join("adapters");
    adapters::save(&target, &policy, None, &config.lora, &prepared.source)?;
    write_config(config, dir)?;
    out.fact(
        "done",
        format_args!(
            "{} steps; {loss:.3} nats per token at the end",
            config.sft.steps
        ),
    )?;
    if let Some(validation) = &prepared.validation {
        let (rows, held) = (config.training.micro_rows, unreferenced(validation));
        let before = Policy::plain(prepared.model.clone());
        let quality = |policy: &Policy| {
            eval::text_quality(policy, None, &prepared.model, &held, rows, progress)
        };
        let (before, after) = (quality(&before)?, quality(&policy)?);
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
            "set model.adapters = \"{}\" and train on preferences",
            target.display()
        ),
    )
}

/// Examples for measures that need no reference log-probs.
pub fn unreferenced(side: &Dataset) -> Vec<Example> {
    side.items
        .iter()
        .map(|item| Example {
            pair: item.pair.clone(),
            user: UserRef::Generic,
            owner: item.user.clone(),
            reference: ReferenceLogProbs::default(),
        })
        .collect()
}

/// The configuration as used, beside what it led to.
fn write_config(config: &Config, dir: &Path) -> Result<(), TrainError> {
    let path = dir.join("config.toml");
    let text = toml::to_string_pretty(config).map_err(|e| TrainError::format(&path, e))?;
    replace_file(&path, text)
}

//! What a request takes of a run with few fitted users and with very many, and how long very many users of clusters take to open.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};
use terminal::{Output, hub, say};
use trainer::burn::tensor::Device;
use trainer::inference::{Job, Trained};
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pref_data::Prompt;
use trainer::user_model::{
    self, DatedBelief, Fitted, FittedRow, KeptBelief, Mix, Moments, UserBelief, UserModelConfig,
    UserModelKind, UserRef, UserTable,
};
use trainer::{TrainError, machine, memory};

/// Fitted users of the run that others are compared with.
const FEW: usize = 10;
const TOKENS: usize = 32;
/// Files that wait for the disk at a time.
const THREADS: usize = 16;
const CLUSTERS: usize = 10;

#[derive(Args)]
pub struct UsersArgs {
    /// A run with trained users of their own, such as one of `cargo xtask repro tldr`. Made-up users are put beside them, and taken away
    /// at the end.
    #[arg(long)]
    run: PathBuf,
    /// How many fitted users.
    #[arg(long, default_value_t = 100_000)]
    fitted: usize,
    /// How many users of clusters.
    #[arg(long, default_value_t = 1_000_000)]
    clusters: usize,
    /// How often each is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Args)]
pub struct OpeningArgs {
    /// A run, or a folder with a user model alone.
    folder: PathBuf,
    /// Who is answered; without one, the user model is opened and nothing else.
    #[arg(long)]
    user: Option<String>,
}

/// What one process took.
#[derive(Serialize, Deserialize)]
struct Taken {
    open: f64,
    answer: f64,
    peak_bytes: Option<u64>,
}

/// Measures and prints a table.
///
/// # Errors
/// A run without trained users, or whose folder cannot be written.
pub fn measure(args: &UsersArgs, out: &mut dyn Write) -> Result<(), TrainError> {
    let mut lines = Vec::new();
    let mut made = 0;
    for count in [FEW, args.fitted] {
        say(format_args!("{count} fitted users ..."));
        made = made_up(&args.run, made..count)?;
        let user = Some(id(count / 2));
        for _ in 0..args.rounds {
            let taken = opened(&args.run, user.clone())?;
            lines.push(line(format!("{count} fitted users"), &taken));
        }
    }
    let (_, table) = user_model::load(&args.run.join("adapters"), &Device::flex())?;
    for number in 0..made {
        table.fitted().remove(&id(number))?;
    }
    say(format_args!("{} users of clusters ...", args.clusters));
    let folder = args.run.join("made-up-clusters");
    of_clusters(&folder, args.clusters)?;
    for _ in 0..args.rounds {
        let taken = opened(&folder, None)?;
        lines.push(line(format!("{} users of clusters", args.clusters), &taken));
    }
    std::fs::remove_dir_all(&folder).map_err(|e| TrainError::io(&folder, e))?;
    let mut out = Output(out);
    out.line(machine::processor().unwrap_or("an unknown processor".into()))?;
    let answer = format!("seconds for {TOKENS} tokens");
    let header = [
        "",
        "seconds to open",
        &answer,
        "largest resident memory, MB",
    ];
    out.table(&header, &lines)
}

fn line(what: String, taken: &Taken) -> Vec<String> {
    let megabytes = taken.peak_bytes.map(|bytes| bytes as f64 / 1e6);
    vec![
        what,
        format!("{:.2}", taken.open),
        format!("{:.2}", taken.answer),
        megabytes.map_or("-".into(), |megabytes| format!("{megabytes:.0}")),
    ]
}

fn id(number: usize) -> String {
    format!("made-up-{number:07}")
}

/// Puts users beside the trained ones, with as much known of each as after a fit; returns how many there are then.
fn made_up(run: &Path, numbers: std::ops::Range<usize>) -> Result<usize, TrainError> {
    let (_, table) = user_model::load(&run.join("adapters"), &Device::flex())?;
    let Some(prior) = table.belief() else {
        let problem = format!("{}: a run with trained users is needed", run.display());
        return Err(TrainError::Usage(problem));
    };
    let belief = UserBelief {
        mix: Mix::new(prior.starts(trainer::fit::TRAINED).len()),
        row: prior.clone(),
    };
    let row = FittedRow {
        values: prior.mean().to_vec(),
        fitted: Fitted {
            answers: 10,
            evidence: 1.0,
        },
        belief: Some(DatedBelief {
            prior_sha256: prior.prior_sha256(),
            kept: KeptBelief::of(&belief),
        }),
    };
    let (end, each) = (numbers.end, numbers.len().div_ceil(THREADS).max(1));
    let write = |start: usize| {
        let mut numbers = start..end.min(start + each);
        numbers.try_for_each(|number| table.fitted().set(&id(number), &row))
    };
    std::thread::scope(|scope| {
        let starts: Vec<usize> = numbers.step_by(each).collect();
        let writers = starts
            .into_iter()
            .map(|start| scope.spawn(move || write(start)));
        let writers: Vec<_> = writers.collect();
        writers
            .into_iter()
            .try_for_each(|writer| match writer.join() {
                Ok(written) => written,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })?;
    Ok(end)
}

/// A user model with very many users of clusters, all of whose rows have been moved.
fn of_clusters(folder: &Path, count: usize) -> Result<(), TrainError> {
    let kind = UserModelKind::Cluster { clusters: CLUSTERS };
    let config = UserModelConfig::new(kind, 10, 576)
        .with_shared_init(user_model::Init::Uniform { range: 0.5 });
    let refused = |e: user_model::ConfigError| TrainError::Usage(e.to_string());
    let model = config.init(None, &Device::flex()).map_err(refused)?;
    let mut table = UserTable::new(config).map_err(refused)?;
    for number in 0..count {
        let weights = (0..CLUSTERS).map(|k| ((number + k) % 7) as f32 / 7.0);
        table.set_row(&UserRef::id(id(number)), weights.collect())?;
    }
    std::fs::create_dir_all(folder).map_err(|e| TrainError::io(folder, e))?;
    user_model::save(folder, &model, &table, Moments::Drop)?;
    Ok(())
}

/// A process of its own that opens it, so that its memory is its own.
fn opened(folder: &Path, user: Option<String>) -> Result<Taken, TrainError> {
    let this = std::env::current_exe().map_err(|e| TrainError::io(Path::new("speed"), e))?;
    let mut command = Command::new(&this);
    command.arg("opening").arg(folder);
    command.args(user.iter().flat_map(|user| ["--user", user]));
    let output = command.output().map_err(|e| TrainError::io(&this, e))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let heard = String::from_utf8_lossy(&output.stderr);
        TrainError::Usage(format!("{}: {heard}", folder.display()))
    })
}

/// Opens it, answers one prompt, and says what that took.
///
/// # Errors
/// Files that cannot be read.
pub fn opening(args: &OpeningArgs, out: &mut dyn Write) -> Result<(), TrainError> {
    let start = Instant::now();
    let mut taken = Taken {
        open: 0.0,
        answer: 0.0,
        peak_bytes: None,
    };
    let seconds = |start: Instant| start.elapsed().as_secs_f64();
    match &args.user {
        None => {
            user_model::load(&args.folder, &Device::flex())?;
            taken.open = seconds(start);
        }
        Some(user) => {
            let trained = Trained::run(&args.folder)?;
            let base = hub::locate(&trained.base()?)?;
            let opened = trained.open(&base, &Device::flex())?;
            taken.open = seconds(start);
            let start = Instant::now();
            let sampling = SamplingConfig {
                min_new_tokens: TOKENS,
                max_new_tokens: TOKENS,
                ..SamplingConfig::default()
            };
            let prompt = Prompt::Text("Say something of yourself.".into());
            let job = Job::new(prompt, opened.engine.user(user)?, sampling);
            opened.engine.stream(&job, |_| ())?;
            taken.answer = seconds(start);
        }
    }
    taken.peak_bytes = memory::peak_bytes();
    let text = serde_json::to_string(&taken);
    let text = text.map_err(|e| TrainError::format(Path::new("speed"), e))?;
    Output(out).line(text)
}

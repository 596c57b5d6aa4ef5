//! `prlhf eval --compare A B`: two runs, or two earlier evaluations, on the same comparisons.

use std::path::{Path, PathBuf};

use statistics::{Interval, signed};
use terminal::Output;
use trainer::TrainError;
use trainer::config::{Config, DataSection, read_toml};
use trainer::inference::Trained;

use super::compare::{Group, Side, Versus};
use super::report::SavedEval;
use super::tables::{SHOWN, more};
use super::{Cache, EvalArgs, Loaded, evaluate, write_json};
use crate::trained::TrainedArgs;

/// Evaluates what is not evaluated yet, compares, and prints tables.
///
/// # Errors
/// As an evaluation of each, or different comparisons.
pub fn run(args: &EvalArgs, sides: [&Path; 2], out: &mut Output<'_>) -> Result<(), TrainError> {
    let folders = sides.iter().any(|path| saved(path).is_none());
    if !folders && !args.data.is_empty() {
        tracing::warn!("--data is not read: both sides are evaluated already");
    }
    let loaded = match args.data.as_slice() {
        paths if folders && !paths.is_empty() => {
            Some(Loaded::read(paths, args.lenient, &section(args, sides))?)
        }
        _ => None,
    };
    let cache = Cache::new()?;
    let [a, b] = sides;
    let first = side(args, a, loaded.as_ref(), &cache, out)?;
    let second = side(args, b, loaded.as_ref(), &cache, out)?;
    let names = sides.map(|path| path.display().to_string());
    let versus = Versus::new((&names[0], &first), (&names[1], &second), args.seed)?;
    if let Some(path) = &args.json {
        write_json(path, &versus)?;
    }
    print(&versus, out)
}

/// How the first run on either side reads its data.
fn section(args: &EvalArgs, sides: [&Path; 2]) -> DataSection {
    let mut runs = sides
        .iter()
        .filter(|path| path.join("config.toml").is_file());
    let run = runs.next().and_then(|run| Trained::run(run).ok());
    let named = || {
        let path = args.trained.config.as_ref()?;
        read_toml::<Config>(path).ok()
    };
    let config = run.map(|run| run.config).or_else(named);
    config.unwrap_or_default().data
}

/// An earlier evaluation: its file and, behind `#`, the way of `--answers` in which users are served.
fn saved(path: &Path) -> Option<(PathBuf, Option<String>)> {
    if path.is_file() {
        return Some((path.into(), None));
    }
    let (file, way) = path.to_str()?.rsplit_once('#')?;
    let file = Path::new(file);
    file.is_file().then(|| (file.into(), Some(way.into())))
}

/// A file as it is, a folder evaluated.
fn side(
    args: &EvalArgs,
    path: &Path,
    loaded: Option<&Loaded>,
    cache: &Cache,
    out: &mut Output<'_>,
) -> Result<SavedEval, TrainError> {
    if let Some((file, way)) = saved(path) {
        return match way {
            Some(way) => SavedEval::read_way(&file, &way),
            None => SavedEval::read(&file),
        };
    }
    let Some(loaded) = loaded else {
        let problem = match path.is_dir() {
            true => "is a folder: name the comparisons to evaluate it on with --data",
            false => "is neither a file nor a folder",
        };
        let path = path.display();
        return Err(TrainError::Usage(format!("{path} {problem}")));
    };
    let is_adapters = Trained::is_adapters(path);
    let of = TrainedArgs {
        run: (!is_adapters).then(|| path.into()),
        adapters: is_adapters.then(|| path.into()),
        ..args.trained.clone()
    };
    out.fact("evaluating", path.display())?;
    Ok(evaluate(args, &of, loaded, cache, out)?.into())
}

fn print(versus: &Versus, out: &mut Output<'_>) -> Result<(), TrainError> {
    describe("A", &versus.a, out)?;
    describe("B", &versus.b, out)?;
    out.line("")?;
    let mut rows = Vec::new();
    group("all comparisons", &versus.all, &mut rows);
    for (name, some) in [
        ("seen users", &versus.seen),
        ("unseen users", &versus.unseen),
    ] {
        if let Some(some) = some {
            group(name, some, &mut rows);
        }
    }
    let head = ["accuracy", "n", "A", "B", "B - A", "95 % interval"];
    out.table(&head, &rows)?;
    out.line("")?;
    let all = &versus.all.outcomes;
    out.fact(
        "comparisons",
        format_args!(
            "{} both right, {} A alone, {} B alone, {} both wrong",
            all.both, all.only_a, all.only_b, all.neither
        ),
    )?;
    let better = &versus.users_better;
    out.fact(
        "users",
        format_args!(
            "{} better with A, {} better with B, {} the same",
            better.a, better.b, better.same
        ),
    )?;
    out.fact(
        "interval",
        format_args!(
            "paired bootstrap over users and their comparisons, {} draws, seed {}",
            versus.draws, versus.seed
        ),
    )?;
    users(versus, out)
}

fn describe(name: &str, side: &Side, out: &mut Output<'_>) -> Result<(), TrainError> {
    let number = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.3}"));
    out.fact(
        name,
        format_args!(
            "{}: accuracy {}, calibration error {}, Brier score {}",
            side.name,
            number(side.tally.accuracy),
            number(side.expected_calibration_error),
            number(side.brier)
        ),
    )
}

/// A line over comparisons and one over users.
fn group(name: &str, group: &Group, rows: &mut Vec<Vec<String>>) {
    let (Some([a, b]), Some(difference)) = (group.outcomes.accuracies(), &group.difference) else {
        return;
    };
    let n = group.outcomes.comparisons;
    let interval = &difference.pooled_interval;
    rows.push(line(name, n, [a, b, difference.pooled], interval));
    if let (Some(a), Some(b)) = (group.a_over_users, group.b_over_users) {
        let values = [a, b, difference.over_users];
        let interval = &difference.over_users_interval;
        rows.push(line("  mean over users", group.users, values, interval));
    }
}

fn line(name: &str, n: usize, [a, b, difference]: [f64; 3], interval: &Interval) -> Vec<String> {
    vec![
        name.into(),
        n.to_string(),
        format!("{a:.3}"),
        format!("{b:.3}"),
        signed(difference, 3),
        format!(
            "[{}, {}]",
            signed(interval.low, 3),
            signed(interval.high, 3)
        ),
    ]
}

/// B's greatest losses come first.
fn users(versus: &Versus, out: &mut Output<'_>) -> Result<(), TrainError> {
    let users = versus.worst_first();
    if users.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let rows: Vec<Vec<String>> = users
        .iter()
        .take(SHOWN)
        .filter_map(|(id, outcomes)| {
            let [a, b] = outcomes.accuracies()?;
            Some(vec![
                printable::id(id).into_owned(),
                outcomes.comparisons.to_string(),
                format!("{a:.3}"),
                format!("{b:.3}"),
                signed(b - a, 3),
                outcomes.only_b.to_string(),
                outcomes.only_a.to_string(),
            ])
        })
        .collect();
    let head = [
        "user, B's losses first",
        "n",
        "A",
        "B",
        "B - A",
        "wins",
        "losses",
    ];
    out.table(&head, &rows)?;
    more(users.len(), out)
}

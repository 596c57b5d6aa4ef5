//! An evaluation as tables on a terminal.

use statistics::Calibration;
use terminal::Output;
use trainer::TrainError;

use super::accuracy::{Accuracy, Tally, UserMean};
use super::report::{EvalReport, TrainingData};
use super::spread::SpreadReport;
use super::ways;

/// Users with a line of their own.
pub const SHOWN: usize = 40;

/// Prints everything but the single comparisons.
pub fn print(report: &EvalReport, out: &mut Output<'_>) -> Result<(), TrainError> {
    let accuracy = &report.accuracy;
    out.fact("trained on", trained_on(&report.training_data))?;
    out.line("")?;
    grid(report, out)?;
    out.line("")?;
    means(accuracy, out)?;
    if accuracy.all.ties > 0 {
        let ties = accuracy.all.ties;
        out.fact(
            "ties",
            format_args!("{ties} of equal reward, counted wrong"),
        )?;
    }
    out.line("")?;
    calibration(&report.calibration, out)?;
    if let Some(report) = &report.spread {
        spread(report, out)?;
    }
    out.line("")?;
    users(accuracy, out)?;
    if let Some(answered) = &report.answered {
        ways::print(answered, out)?;
        out.line("")?;
    }
    quality(report, out)
}

fn trained_on(data: &TrainingData) -> String {
    match data {
        TrainingData::Known {
            comparisons,
            prompts,
        } => format!("{comparisons} comparisons of {prompts} prompts"),
        TrainingData::Unknown(reason) => {
            format!("unknown, so seen and unseen prompts are not told apart: {reason}")
        }
    }
}

/// Users by prompts; without the training data, users only.
fn grid(report: &EvalReport, out: &mut Output<'_>) -> Result<(), TrainError> {
    let accuracy = &report.accuracy;
    let generic = if report.user_model {
        ", as generic"
    } else {
        ""
    };
    let over = &accuracy.over_users;
    let seen = format!("seen users ({})", over.seen.users);
    let unseen = format!("unseen users ({}{generic})", over.unseen.users);
    let without = format!("without user{generic}");
    let cells = accuracy
        .grid
        .map(|g| [g.seen_users, g.unseen_users, g.without_user]);
    let groups = [
        (seen, &accuracy.seen),
        (unseen, &accuracy.unseen),
        (without, &accuracy.without_user),
    ];
    let mut rows = Vec::new();
    for (at, (name, all)) in groups.into_iter().enumerate() {
        if all.comparisons > 0 {
            let mut row = vec![name, cell(all)];
            if let Some(cells) = &cells {
                row.extend([&cells[at].seen_prompts, &cells[at].unseen_prompts].map(cell));
            }
            rows.push(row);
        }
    }
    rows.push(vec!["all".into(), cell(&accuracy.all)]);
    let head = [
        "accuracy [95 %]",
        "all prompts",
        "seen prompts",
        "unseen prompts",
    ];
    out.table(&head[..if cells.is_some() { 4 } else { 2 }], &rows)
}

/// `0.750 [0.409, 0.929] of 8`.
pub fn cell(tally: &Tally) -> String {
    match (tally.accuracy, tally.interval) {
        (Some(accuracy), Some(interval)) => format!(
            "{accuracy:.3} [{:.3}, {:.3}] of {}",
            interval.low, interval.high, tally.comparisons
        ),
        _ => "-".into(),
    }
}

fn means(accuracy: &Accuracy, out: &mut Output<'_>) -> Result<(), TrainError> {
    let over = &accuracy.over_users;
    let parts = [
        ("all", over.all),
        ("seen", over.seen),
        ("unseen", over.unseen),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter_map(|(name, mean)| Some(format!("{name} {}", user_mean(mean)?)))
        .collect();
    if !shown.is_empty() {
        let text = format!("mean accuracy +- standard error: {}", shown.join(", "));
        out.fact("over users", text)?;
    }
    match accuracy.all.margin {
        Some(margin) => out.fact("margin", format_args!("{margin:.3} in reward on average")),
        None => Ok(()),
    }
}

fn user_mean(mean: &UserMean) -> Option<String> {
    let value = mean.mean?;
    Some(match mean.standard_error {
        Some(error) => format!("{value:.3} +- {error:.3} ({})", mean.users),
        None => format!("{value:.3} ({})", mean.users),
    })
}

fn calibration(calibration: &Calibration, out: &mut Output<'_>) -> Result<(), TrainError> {
    let (Some(error), Some(brier)) = (calibration.expected_calibration_error, calibration.brier)
    else {
        return Ok(());
    };
    out.fact(
        "calibration",
        format_args!(
            "expected error {error:.3}; Brier score {brier:.3}, 0.250 being that of no knowledge"
        ),
    )?;
    let rows: Vec<Vec<String>> = calibration
        .bins
        .iter()
        .filter(|bin| bin.comparisons > 0)
        .map(|bin| {
            vec![
                format!("{:.2} to {:.2}", bin.low, bin.high),
                bin.comparisons.to_string(),
                number(bin.confidence),
                number(bin.accuracy),
            ]
        })
        .collect();
    out.table(&["confidence", "comparisons", "mean", "accuracy"], &rows)
}

/// With and without how sure rows are.
fn spread(report: &SpreadReport, out: &mut Output<'_>) -> Result<(), TrainError> {
    let figures = |calibration: &Calibration| {
        let error = number(calibration.expected_calibration_error);
        format!(
            "expected error {error}, Brier score {}",
            number(calibration.brier)
        )
    };
    let SpreadReport {
        users,
        comparisons,
        without,
        with,
    } = report;
    match comparisons {
        0 => out.fact(
            "spread",
            "of no comparison: no fitted user of whom it is kept",
        ),
        _ => out.fact(
            "spread",
            format_args!(
                "{comparisons} comparisons of {users} fitted users: with it {}; without {}",
                figures(with),
                figures(without)
            ),
        ),
    }
}

/// The worst come first.
fn users(accuracy: &Accuracy, out: &mut Output<'_>) -> Result<(), TrainError> {
    let users = accuracy.worst_first();
    if users.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = users
        .iter()
        .take(SHOWN)
        .map(|(id, user)| {
            let tally = &user.tally;
            vec![
                printable::id(id).into_owned(),
                if user.seen { "yes" } else { "no" }.into(),
                tally.comparisons.to_string(),
                number(tally.accuracy),
                tally
                    .interval
                    .map_or("-".into(), |i| format!("[{:.3}, {:.3}]", i.low, i.high)),
                number(tally.margin),
            ]
        })
        .collect();
    let head = [
        "user, worst first",
        "seen",
        "comparisons",
        "accuracy",
        "95 %",
        "margin",
    ];
    out.table(&head, &rows)?;
    more(users.len(), out)?;
    out.line("")
}

/// Says how many users are left out.
pub fn more(users: usize, out: &mut Output<'_>) -> Result<(), TrainError> {
    match users.checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => out.line(format_args!("and {more} more users; --json lists all")),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".into(), |v| format!("{v:.3}"))
}

fn quality(report: &EvalReport, out: &mut Output<'_>) -> Result<(), TrainError> {
    out.fact("loss", format_args!("{:.4}", report.loss))?;
    if let Some(kl) = report.kl {
        let what = format_args!("{kl:.4} nats per response token to the reference");
        out.fact("kl", what)?;
    }
    if let Some((nll, reference)) = report.nll.zip(report.nll_reference) {
        out.fact(
            "text",
            format_args!("{nll:.3} nats per response token, {reference:.3} under the reference"),
        )?;
    }
    Ok(())
}

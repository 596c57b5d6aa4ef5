//! How newcomers were served, in a table.

use statistics::Estimated;

use super::figures::{self, Strata, Way};
use super::{How, claims::reference};
use crate::claims::Unit;
use crate::experiment::Results;
use crate::measure::{MAJORITY, MINORITY};
use crate::report::format::{MISSING, count, one_decimal, percent};
use crate::report::{Estimate, ServedUsers, System, Table};

const NOTE: &str = "Accuracy on comparisons of users whom nobody was trained on, with 95 % intervals over seeds, users and their comparisons. \
     Fitted: their row alone, from so many answers, drawn or, one after the other, chosen by what they tell; nearest: the trained user whose row makes those answers most probable. Of full training: as a share of \
     the accuracy on the same comparisons where their answers were trained on from the start. Calibration error: of the probabilities of what a user prefers, without and \
     with how sure a fitted row is. Without users in the model, their answers may be in the prompt, in words or as they are (the first ones, or those most alike, as many as fit: shown), or a copy of \
     the adapters is trained on them. Tokens: what is in a request for the user, soft tokens or tokens of the prompt. Seconds: what a user takes once the answers are there.";

/// Accuracies per system and way, for a plot, and a table with all that is known of them; `None` where there are no newcomers.
pub(crate) fn told(results: &Results<'_>, systems: &[System]) -> (Vec<ServedUsers>, Option<Table>) {
    let columns = [
        "system",
        "served as",
        "answers",
        "accuracy",
        MAJORITY,
        MINORITY,
        "of full training",
        "calibration error",
        "with spread",
        "shown",
        "tokens",
        "seconds",
    ];
    let (mut all, mut table) = (Vec::new(), Table::new("New users", NOTE, &columns));
    let full = reference(results, systems);
    for system in systems {
        for way in figures::ways(results, &system.name) {
            let Some(margins) = figures::margins(results, &system.name, way) else {
                continue;
            };
            let accuracy = figures::accuracy(&margins);
            let costs = Costs::of(results, system, way);
            all.extend(accuracy.map(|accuracy| ServedUsers {
                tokens: costs.tokens,
                seconds: costs.seconds,
                shown: costs.shown,
                ..served(system, way, &margins, accuracy)
            }));
            let mut row = row(system, way, (&margins, accuracy), full.as_ref());
            let spread = figures::spread(results, &system.name, way);
            let spread = spread.and_then(|spread| figures::calibration_of(&spread));
            row.push(shown(spread));
            row.extend([costs.shown, costs.tokens, costs.seconds].map(one_decimal));
            table.rows.push(row);
        }
    }
    let table = (!table.rows.is_empty()).then(|| table.without_missing_columns());
    (all, table)
}

/// What a newcomer takes, in the mean.
struct Costs {
    shown: Option<f64>,
    tokens: Option<f64>,
    seconds: Option<f64>,
}

impl Costs {
    fn of(results: &Results<'_>, system: &System, way: Way) -> Self {
        let mean = |of| figures::mean_of(results, &system.name, way, of);
        let takes_time = !matches!(way.0, How::Generic | How::Trained);
        Self {
            shown: mean(|one| one.shown),
            tokens: mean(|one| Some(one.tokens)),
            seconds: mean(|one| Some(one.seconds)).filter(|_| takes_time),
        }
    }
}

fn served(
    system: &System,
    (how, answers): Way,
    margins: &Strata<f32>,
    accuracy: Estimated,
) -> ServedUsers {
    ServedUsers {
        system: system.name.clone(),
        served_as: how.title().into(),
        answers: answers as u64,
        accuracy: Estimate {
            value: Some(accuracy.value),
            low: Some(accuracy.interval.low),
            high: Some(accuracy.interval.high),
            n: margins.values().flatten().map(Vec::len).sum::<usize>() as u64,
        },
        ..ServedUsers::default()
    }
}

fn row(
    system: &System,
    (how, answers): Way,
    (margins, accuracy): (&Strata<f32>, Option<Estimated>),
    full: Option<&Strata<f32>>,
) -> Vec<String> {
    let group = |group| percent(figures::of_group(margins, group));
    let share = full.filter(|_| how != How::Trained);
    let share = share.and_then(|full| figures::share(margins, full));
    vec![
        system.title().to_owned(),
        how.title().to_owned(),
        count(answers as u64),
        shown(accuracy),
        group(MAJORITY),
        group(MINORITY),
        shown(share),
        shown(figures::calibration(margins).filter(|_| how != How::Length)),
    ]
}

fn shown(figure: Option<Estimated>) -> String {
    figure.map_or(MISSING.into(), |figure| Unit::Percent.write(&figure))
}

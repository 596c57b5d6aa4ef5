//! What is claimed of users whom nobody was trained on.

use statistics::Interval;

use super::How;
use super::figures::{self, Strata};
use crate::claims::{Building, Unit};
use crate::experiment::Results;
use crate::report::{Claim, System};

/// After so many answers, at least this share of the accuracy of full training.
const SHARES: [(&str, usize, f64); 2] = [("n10", 10, 0.93), ("n50", 50, 0.97)];
/// So many questions that were chosen ...
const CHOSEN: usize = 10;
/// ... are worth so many that were drawn ...
const DRAWN: usize = 20;
/// ... but for this much accuracy.
const WORTH: f64 = 0.02;
/// After so many answers ...
const CALIBRATED_AFTER: usize = 10;
/// ... the expected calibration error is at most this.
const CALIBRATED: f64 = 0.08;

/// All claims by key; none where there are no newcomers, or where nobody knows what they want.
pub(crate) fn claims(results: &Results<'_>, systems: &[System]) -> Vec<(&'static str, Claim)> {
    let has_newcomers = |system: &System| !figures::ways(results, &system.name).is_empty();
    if !systems.iter().any(has_newcomers) || !figures::know_groups(results) {
        return Vec::new();
    }
    let full = reference(results, systems);
    let shares = SHARES.map(|(key, answers, least)| {
        (
            key,
            share(results, systems, full.as_ref(), (answers, least)),
        )
    });
    let mut claims = shares.to_vec();
    claims.push(("n_asked", asked(results, systems)));
    claims.push(("n_calibration", calibration(results, systems)));
    claims
}

/// Of the first system that was trained on newcomers' answers from the start, the margins of their tests.
pub(super) fn reference(results: &Results<'_>, systems: &[System]) -> Option<Strata<f32>> {
    systems.iter().find_map(|system| {
        let ways = figures::ways(results, &system.name);
        let way = ways.into_iter().find(|(how, _)| *how == How::Trained)?;
        figures::margins(results, &system.name, way)
    })
}

fn share(
    results: &Results<'_>,
    systems: &[System],
    full: Option<&Strata<f32>>,
    (answers, least): (usize, f64),
) -> Claim {
    let mut claim = Building::new(format!(
        "Fitted to {answers} answers, a new user is served with at least {least} of the accuracy of full training"
    ));
    let unit = Unit::Number("of full training");
    let what = format!("accuracy after {answers} answers over full training's");
    let holds = |interval: &Interval| interval.lies_in(least, f64::INFINITY);
    for system in systems {
        let margins = figures::margins(results, &system.name, (How::Fitted, answers));
        let figure = margins.zip(full);
        let figure = figure.and_then(|(margins, full)| figures::share(&margins, full));
        if let Some(figure) = figure {
            claim.add(system, (&what, unit), figure, holds(&figure.interval), "");
        }
    }
    claim
        .finish("no system fitted new users to so many answers beside one that was trained on them")
}

fn asked(results: &Results<'_>, systems: &[System]) -> Claim {
    let mut claim = Building::new(format!(
        "{CHOSEN} answers to questions that were chosen are worth {DRAWN} to drawn ones, within {:.0} points of accuracy",
        100.0 * WORTH
    ));
    let what = format!("accuracy after {CHOSEN} chosen minus after {DRAWN} drawn");
    let holds = |interval: &Interval| interval.lies_in(-WORTH, f64::INFINITY);
    for system in systems {
        let of = |way| figures::margins(results, &system.name, way);
        let both = of((How::Asked, CHOSEN)).zip(of((How::Fitted, DRAWN)));
        let figure = both.and_then(|(chosen, drawn)| figures::difference(&chosen, &drawn));
        if let Some(figure) = figure {
            let what = (what.as_str(), Unit::Points);
            claim.add(system, what, figure, holds(&figure.interval), "");
        }
    }
    claim.finish("no system fitted new users to so many answers of both kinds")
}

fn calibration(results: &Results<'_>, systems: &[System]) -> Claim {
    let mut claim = Building::new(format!(
        "Fitted to {CALIBRATED_AFTER} answers, the probabilities of what a new user prefers have an expected calibration error of at most {CALIBRATED}, where it is known how sure the row is"
    ));
    let what = ("expected calibration error", Unit::Number(""));
    let holds = |interval: &Interval| interval.lies_in(0.0, CALIBRATED);
    let way = (How::Fitted, CALIBRATED_AFTER);
    for system in systems {
        let spread = figures::spread(results, &system.name, way);
        if let Some(figure) = spread.and_then(|spread| figures::calibration_of(&spread)) {
            claim.add(system, what, figure, holds(&figure.interval), "");
        }
    }
    claim.finish("no system fitted new users to so many answers")
}

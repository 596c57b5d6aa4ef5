//! The two behaviours that the paper claims of generated text and of the generic user.

mod lengths;

use statistics::{Estimated, Interval};

use crate::claims::{Building, Part, Unit, VANILLA, personalised, pooled, prm, word};
use crate::experiment::Results;
use crate::measure::{MAJORITY, MINORITY};
use crate::report::{Claim, Finding, System, all};
use crate::texts::{self, Texts};
use lengths::{Groups, Lengths};

/// In the direction: the minority's median response has at most so many words ...
const FEW: f64 = 2.0;
/// ... and at most this share of the majority's.
const SHORT: f64 = 0.2;
/// As in the paper: at least this share of the minority's responses is empty ...
const EMPTY: f64 = 0.5;
/// ... and at most this share of the majority's.
const HARDLY_EMPTY: f64 = 0.05;
/// How far the generic user's accuracy may be from vanilla DPO's.
const NEAR: f64 = 0.05;
/// The generic user's length as a share of vanilla DPO's: the margins that bioequivalence is tested with.
const AS_LONG: [f64; 2] = [0.8, 1.25];

const IN_THE_DIRECTION: &str = "in the direction";
const AS_IN_THE_PAPER: &str = "as in the paper";

/// All claims by key.
pub fn claims(results: &Results<'_>, systems: &[System]) -> Vec<(&'static str, Claim)> {
    let texts = texts::gather(results);
    let mut claims = vec![
        ("e1", e1(results, &texts, systems)),
        ("e2", e2(results, systems)),
        ("e2_words", e2_words(&texts, systems)),
    ];
    claims.extend(prm::claim(results, systems, pooled));
    claims
}

/// What reward models are compared with P-DPO on.
pub const PARTS: [Part; 4] = [
    ("seen users", |case| case.seen),
    ("majority", |case| case.seen && case.group == MAJORITY),
    ("minority", |case| case.seen && case.group == MINORITY),
    ("unseen users", |case| !case.seen),
];

/// What was found of a system: each grade's figures, and what they decide.
struct Graded {
    findings: Vec<Finding>,
    direction: Option<bool>,
    paper: Option<bool>,
    text: String,
}

/// E1: the minority gets ever shorter, in the end empty responses, the majority long ones.
fn e1(results: &Results<'_>, texts: &Texts, systems: &[System]) -> Claim {
    let groups = Groups::of(results);
    let found: Vec<Graded> = personalised(systems)
        .filter_map(|system| Some(graded(system, &groups.lengths(texts, &system.name)?)))
        .collect();
    if found.is_empty() {
        return Claim::not_measured("no personalised system was sampled from for both groups");
    }
    let paper = all(found.iter().map(|one| one.paper));
    // Who writes nothing writes shortly, too.
    let direction = all(found.iter().map(|one| match one.paper {
        Some(true) => one.paper,
        _ => one.direction,
    }));
    let grade = match (paper, direction) {
        (Some(true), _) => Some(AS_IN_THE_PAPER),
        (_, Some(true)) => Some(IN_THE_DIRECTION),
        _ => None,
    };
    let parts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
    Claim {
        holds: direction,
        grade: grade.map(String::from),
        text: format!(
            "Minority users get shorter and shorter responses. In the direction: a median of at most {FEW:.0} words, and at most {SHORT} of \
             the majority's. As in the paper: at least {:.0} % of the minority's responses are empty, and at most {:.0} % of the \
             majority's. {}.",
            100.0 * EMPTY,
            100.0 * HARDLY_EMPTY,
            parts.join("; ")
        ),
        findings: found.into_iter().flat_map(|one| one.findings).collect(),
    }
}

fn graded(system: &System, lengths: &Lengths) -> Graded {
    let up_to = |figure: &Estimated, most| figure.interval.lies_in(f64::NEG_INFINITY, most);
    let figures = [
        (
            "minority's median words",
            &lengths.words,
            up_to(&lengths.words, FEW),
        ),
        (
            "its share of the majority's",
            &lengths.ratio,
            up_to(&lengths.ratio, SHORT),
        ),
        (
            "minority's share of empty responses",
            &lengths.empty_minority,
            lengths
                .empty_minority
                .interval
                .lies_in(EMPTY, f64::INFINITY),
        ),
        (
            "majority's share of empty responses",
            &lengths.empty_majority,
            up_to(&lengths.empty_majority, HARDLY_EMPTY),
        ),
    ];
    let finding = |(what, figure, holds): &(&str, &Estimated, Option<bool>)| {
        Finding::new(&system.name, what, **figure, *holds)
    };
    let decide = |part: &[(&str, &Estimated, Option<bool>)]| all(part.iter().map(|one| one.2));
    let (direction, paper) = (decide(&figures[..2]), decide(&figures[2..]));
    Graded {
        text: format!(
            "{}: median {}, {}; empty {} of the minority's, {} of the majority's ({IN_THE_DIRECTION}: {}; {AS_IN_THE_PAPER}: {})",
            system.title(),
            Unit::Number("words").write(&lengths.words),
            Unit::Number("of the majority's").write(&lengths.ratio),
            Unit::Percent.write(&lengths.empty_minority),
            Unit::Percent.write(&lengths.empty_majority),
            word(direction),
            word(paper),
        ),
        findings: figures.iter().map(finding).collect(),
        direction,
        paper,
    }
}

/// E2: the generic user ranks unseen workers' comparisons as rightly as vanilla DPO. A test of equivalence: all of the 95 % interval lies
/// within the margins, which is stricter than two one-sided tests at 5 %, whose interval is that of 90 %.
fn e2(results: &Results<'_>, systems: &[System]) -> Claim {
    let mut claim = Building::new(format!(
        "On unseen workers the generic user is as accurate as vanilla DPO, within {:.0} points (95 % interval of the difference)",
        100.0 * NEAR
    ));
    for system in personalised(systems) {
        let differences = results.differences(&system.name, VANILLA, |case| !case.seen);
        let more = system.accuracy.generic.map_or(String::new(), |accuracy| {
            format!(" to {:.1} %", 100.0 * accuracy)
        });
        let holds = |interval: &Interval| interval.lies_in(-NEAR, NEAR);
        claim.against_vanilla(system, differences.and_then(pooled), holds, &more);
    }
    claim.finish("vanilla DPO and a personalised system were not both evaluated on unseen workers")
}

/// The same of how long the generic user's responses are.
fn e2_words(texts: &Texts, systems: &[System]) -> Claim {
    let [low, high] = AS_LONG;
    let mut claim = Building::new(format!(
        "The generic user's responses are as long as vanilla DPO's, {low} to {high} times (95 % interval of the ratio of mean words)"
    ));
    for system in personalised(systems) {
        let Some(figure) = lengths::ratio(texts, &system.name, VANILLA) else {
            continue;
        };
        let holds = figure.interval.lies_in(low, high);
        claim.add(
            system,
            ("mean words over vanilla DPO's", Unit::Number("times")),
            figure,
            holds,
            "",
        );
    }
    claim.finish("vanilla DPO and a personalised system were not both sampled from")
}

#[cfg(test)]
mod tests;

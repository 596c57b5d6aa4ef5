//! Users of PRISM who come once everybody else is trained: unseen ones, who answer turns of some of their dialogues and are tested on the
//! others.

use std::collections::HashSet;

use trainer::TrainError;
use trainer::pref_data::prism::PrismData;
use trainer::pref_data::{Comparison, UserId};

use super::data::key;
use crate::newcomers::{Newcomer, Newcomers, NewcomersSection};

/// The first unseen users who have enough dialogues. A turn counts as one answer, its first comparison, however many responses were
/// rejected; every second dialogue is for tests.
///
/// # Errors
/// Fewer such users than `data.newcomers.users`.
pub fn of(section: &NewcomersSection, data: &PrismData) -> Result<Newcomers, TrainError> {
    let newcomers = data
        .unseen
        .iter()
        .filter_map(|user| newcomer(section, data, user));
    section.of_those(newcomers.collect())
}

/// `None` for one who has too few.
fn newcomer(section: &NewcomersSection, data: &PrismData, user: &UserId) -> Option<Newcomer> {
    let own = data.split.test.iter();
    let own: Vec<&Comparison> = own.filter(|c| c.user.as_ref() == Some(user)).collect();
    let dialogues = distinct(own.iter().map(|c| c.source.as_str()));
    let tested: HashSet<&str> = dialogues.iter().skip(1).step_by(2).copied().collect();
    let mut turns = HashSet::new();
    let (tests, others): (Vec<&Comparison>, Vec<&Comparison>) = own
        .into_iter()
        .partition(|c| tested.contains(c.source.as_str()));
    let answers = others.into_iter().filter(|c| turns.insert(key(c)));
    let id = user.as_str();
    let answers = section.drawn(id, answers, ("answers", section.asked()));
    let tests = section.drawn(id, tests.into_iter(), ("tests", section.tests));
    let owned = |drawn: Vec<&Comparison>| drawn.into_iter().cloned().collect();
    Some(Newcomer {
        answers: owned(answers.ok()?),
        tests: owned(tests.ok()?),
        group: String::new(), // What they want is not known.
        id: id.to_owned(),
    })
}

/// Each once, in the order in which they come first.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

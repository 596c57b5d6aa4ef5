//! Workers who come once everybody else is trained: simulated ones, who judge pairs that nobody was trained on, or real ones, with what they
//! really chose.

use std::collections::HashSet;

use trainer::TrainError;
use trainer::pref_data::Comparison;
use trainer::pref_data::tldr::{Group, TldrData, Worker};

use crate::measure::pair;
use crate::newcomers::{Newcomer, Newcomers, NewcomersSection};

/// The newcomers of a split.
///
/// # Errors
/// Fewer comparisons or workers than there are to be.
pub fn of(section: &NewcomersSection, data: &TldrData) -> Result<Newcomers, TrainError> {
    match data.population.is_simulated() {
        true => simulated(section, data),
        false => real(section, data),
    }
}

/// The most active workers of those who are unseen and have enough comparisons. They answer what they judged on the training side, of posts
/// that others were trained on, and are tested on what they judged on the test side.
fn real(section: &NewcomersSection, data: &TldrData) -> Result<Newcomers, TrainError> {
    let newcomer = |worker: &Worker| {
        let is_own = |comparison: &&Comparison| comparison.user.as_ref() == Some(&worker.id);
        let of = |side: &[Comparison], key, wanted| {
            let own = side.iter().filter(is_own);
            let drawn = section.drawn(worker.id.as_str(), own, (key, wanted)).ok()?;
            Some(drawn.into_iter().cloned().collect())
        };
        Some(Newcomer {
            answers: of(&data.unseen, "answers", section.asked())?,
            tests: of(&data.split.test, "tests", section.tests)?,
            group: String::new(), // What they want is not known.
            id: worker.id.to_string(),
        })
    };
    let workers = data.workers.unseen().iter();
    section.of_those(workers.filter_map(newcomer).collect())
}

/// Simulated ones, by turns of the majority and of the minority. What each answers is drawn from the pairs of the training side
/// that nobody is trained on; they are tested on pairs of the test side, whose posts are others.
///
/// # Errors
/// Fewer pairs than they are to answer or to be tested on.
fn simulated(section: &NewcomersSection, data: &TldrData) -> Result<Newcomers, TrainError> {
    let trained: HashSet<u64> = data.split.train.iter().map(pair).collect();
    let is_new = |comparison: &&Comparison| !trained.contains(&pair(comparison));
    let pool = data.unseen.iter().filter(is_new).filter(|c| has_longer(c));
    let pool: Vec<&Comparison> = pool.collect();
    let tests = data.split.test.iter().filter(|c| has_longer(c));
    // The same for all.
    let tests = section.drawn("", tests, ("tests", section.tests))?;
    let users = (0..section.users).map(|number| {
        let group = [Group::Majority, Group::Minority][number % 2];
        let id = format!("newcomer-{}", number + 1);
        let pool = pool.iter().copied();
        let answers = section.drawn(&id, pool, ("answers", section.asked()))?;
        let judged = |comparison: &&Comparison| judged_by(comparison, &id, group);
        Ok(Newcomer {
            answers: answers.iter().map(judged).collect(),
            tests: tests.iter().map(judged).collect(),
            group: group.as_str().into(),
            id,
        })
    });
    Ok(section.of(users.collect::<Result<_, TrainError>>()?))
}

fn has_longer(comparison: &Comparison) -> bool {
    let (chosen, rejected) = comparison.lengths();
    chosen != rejected
}

/// The pair as a worker of that group judges it.
fn judged_by(comparison: &Comparison, id: &str, group: Group) -> Comparison {
    let (chosen, rejected) = comparison.lengths();
    let mut judged = comparison.clone();
    if (chosen > rejected) != (group == Group::Majority) {
        std::mem::swap(&mut judged.chosen, &mut judged.rejected);
    }
    judged.user = Some(id.into());
    judged.group = Some(group.as_str().into());
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_judges_by_length_whatever_was_chosen() {
        let comparison = crate::tests::comparison("w", "p", ["a longer text", "short"]);
        let long = judged_by(&comparison, "n", Group::Majority);
        let short = judged_by(&comparison, "n", Group::Minority);
        assert_eq!((&*long.chosen, &*short.chosen), ("a longer text", "short"));
        assert_eq!(judged_by(&short, "n", Group::Majority), long);
        assert_eq!(short.user, Some("n".into()));
        assert_eq!(short.group.as_deref(), Some("minority"));
    }
}

//! Workers who come once everybody else is trained: simulated ones, who judge pairs that nobody was trained on.

use std::collections::HashSet;

use trainer::TrainError;
use trainer::pref_data::Comparison;
use trainer::pref_data::tldr::{Group, TldrData};

use crate::measure::pair;
use crate::newcomers::{Newcomer, Newcomers, NewcomersSection};

/// The newcomers of a split, by turns of the majority and of the minority. What each answers is drawn from the pairs of the training side
/// that nobody is trained on; they are tested on pairs of the test side, whose posts are others.
///
/// # Errors
/// Fewer pairs than they are to answer or to be tested on.
pub fn of(section: &NewcomersSection, data: &TldrData) -> Result<Newcomers, TrainError> {
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

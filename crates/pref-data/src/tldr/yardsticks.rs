//! What rules of thumb score on the evaluation comparisons: the measure of every trained model.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Group, Population, Workers};
use crate::comparison::{Comparison, UserId};

/// The four accuracies of the TL;DR experiment (reference section 5); `None` where there is no comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Accuracies {
    /// Accuracy-top: pooled over all comparisons of seen workers.
    pub top: Option<f64>,
    /// Accuracy-generic: pooled over all comparisons of unseen workers.
    pub generic: Option<f64>,
    /// Mean over the seen workers of the majority.
    pub majority: Option<f64>,
    /// Mean over the seen workers of the minority.
    pub minority: Option<f64>,
}

/// Scores of two rules, computed from the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Yardsticks {
    /// A model that always prefers the longer text, and of two equally long ones the first, as both simulated groups do; with real
    /// annotators it is not right about these. It is what a non-personalised model can learn at best where the majority rules.
    pub always_longer: Accuracies,
    /// A perfect personalised model of simulated workers: right on every seen worker; on unseen workers, whom it does not know, the better
    /// of the two rules "longer" and "shorter".
    pub perfect: Option<Accuracies>,
}

/// Right and all.
#[derive(Clone, Copy, Default)]
struct Tally {
    right: usize,
    all: usize,
}

impl Tally {
    fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.all += 1;
    }

    fn share(self) -> Option<f64> {
        (self.all > 0).then(|| self.right as f64 / self.all as f64)
    }
}

impl Yardsticks {
    /// Scores over evaluation comparisons. Those of workers outside the population count as unseen.
    pub(super) fn of<'a>(
        evaluation: impl IntoIterator<Item = &'a Comparison>,
        workers: &Workers,
        population: &Population,
    ) -> Self {
        let (mut top, mut generic, mut shorter) =
            (Tally::default(), Tally::default(), Tally::default());
        // Simulated workers of both groups choose the first of two equally long texts; real ones choose as they like.
        let ties_are_right = population.is_simulated();
        let mut per_worker: BTreeMap<&UserId, Tally> = BTreeMap::new();
        for comparison in evaluation {
            let (chosen, rejected) = comparison.lengths();
            let is_tie = chosen == rejected && ties_are_right;
            let (longer, shorter_wins) = (is_tie || chosen > rejected, is_tie || chosen < rejected);
            match comparison
                .user
                .as_ref()
                .filter(|user| workers.is_seen(user))
            {
                Some(user) => {
                    top.add(longer);
                    per_worker.entry(user).or_default().add(longer);
                }
                None => {
                    generic.add(longer);
                    shorter.add(shorter_wins);
                }
            }
        }
        let mean = |group| mean_of(&per_worker, population, group);
        let always_longer = Accuracies {
            top: top.share(),
            generic: generic.share(),
            majority: mean(Group::Majority),
            minority: mean(Group::Minority),
        };
        let perfect = || Accuracies {
            top: always_longer.top.map(|_| 1.0),
            generic: generic
                .share()
                .zip(shorter.share())
                .map(|(longer, shorter)| longer.max(shorter)),
            majority: always_longer.majority.map(|_| 1.0),
            minority: always_longer.minority.map(|_| 1.0),
        };
        Self {
            always_longer,
            perfect: population.is_simulated().then(perfect),
        }
    }
}

fn mean_of(
    per_worker: &BTreeMap<&UserId, Tally>,
    population: &Population,
    group: Group,
) -> Option<f64> {
    let of_group = per_worker
        .iter()
        .filter(|(user, _)| population.group(user) == Some(group));
    let shares: Vec<f64> = of_group.filter_map(|(_, tally)| tally.share()).collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

#[cfg(test)]
mod tests;

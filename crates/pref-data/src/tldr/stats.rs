//! The statistics of the paper's Table 3, for any TL;DR data.

use std::collections::HashMap;

use serde::Serialize;
use statistics::Quantiles;

use super::{Group, Population, Workers, Yardsticks};
use crate::comparison::{Comparison, UserId};

/// A number for each group, and for those who are in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupCounts {
    /// Workers who prefer the longer text, or their comparisons.
    pub majority: usize,
    /// Workers who prefer the shorter text, or their comparisons.
    pub minority: usize,
    /// Workers who are in no group, since nobody is simulated, or their comparisons.
    pub ungrouped: usize,
}

impl GroupCounts {
    /// All together.
    pub fn total(&self) -> usize {
        self.majority + self.minority + self.ungrouped
    }

    /// One group's number.
    pub(super) fn get(&self, group: Group) -> usize {
        match group {
            Group::Majority => self.majority,
            Group::Minority => self.minority,
        }
    }

    /// One group's share of `whole` in percent, 0 if the whole is empty.
    pub(super) fn percent(&self, group: Group, whole: usize) -> f64 {
        100.0 * self.get(group) as f64 / whole.max(1) as f64
    }

    fn add(&mut self, group: Option<Group>) {
        match group {
            Some(Group::Majority) => self.majority += 1,
            Some(Group::Minority) => self.minority += 1,
            None => self.ungrouped += 1,
        }
    }
}

/// One worker's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerStats {
    /// From 1.
    pub rank: usize,
    /// The worker.
    pub worker: UserId,
    /// Simulated group, if any.
    pub group: Option<Group>,
    /// Whether the worker is trained on.
    pub seen: bool,
    /// Training comparisons.
    pub train: usize,
    /// Evaluation comparisons.
    pub evaluation: usize,
}

/// The numbers of Table 3 and what belongs beside them. Display gives them as plain text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TldrStats {
    /// Whether the population is simulated.
    pub simulated: bool,
    /// Seed of the simulated population, unless its ranks were given, or nobody is simulated.
    pub population_seed: Option<u32>,
    /// Seen workers.
    pub workers: GroupCounts,
    /// Training comparisons.
    pub train: GroupCounts,
    /// Evaluation comparisons of seen workers.
    pub evaluation_seen: GroupCounts,
    /// Evaluation comparisons of unseen workers.
    pub evaluation_unseen: GroupCounts,
    /// Every worker, by rank.
    pub per_worker: Vec<WorkerStats>,
    /// Longer over shorter response in characters, over training and evaluation.
    pub length_ratio: Option<Quantiles>,
    /// Analytic scores on the evaluation comparisons.
    pub yardsticks: Yardsticks,
    /// What keeps the experiment from running on these data.
    pub obstacles: Vec<String>,
}

impl TldrStats {
    /// Counts. Comparisons without a user, or of a user outside the ranking, are in no group and not counted;
    /// [`super::TldrData`] holds none.
    pub fn of(
        train: &[Comparison],
        evaluation: &[&Comparison],
        workers: &Workers,
        population: &Population,
    ) -> Self {
        let mut per_worker = worker_lines(workers, population);
        let places: HashMap<UserId, usize> = per_worker
            .iter()
            .map(|line| (line.worker.clone(), line.rank - 1))
            .collect();
        let place = |comparison: &Comparison| places.get(comparison.user.as_ref()?).copied();
        let mut stats = Self {
            simulated: population.is_simulated(),
            population_seed: population.seed(),
            workers: GroupCounts::default(),
            train: GroupCounts::default(),
            evaluation_seen: GroupCounts::default(),
            evaluation_unseen: GroupCounts::default(),
            per_worker: Vec::new(),
            length_ratio: ratios(train, evaluation),
            yardsticks: Yardsticks::of(evaluation.iter().copied(), workers, population),
            obstacles: Vec::new(),
        };
        for line in per_worker.iter().filter(|line| line.seen) {
            stats.workers.add(line.group);
        }
        for line in train.iter().filter_map(place) {
            per_worker[line].train += 1;
            stats.train.add(per_worker[line].group);
        }
        for line in evaluation.iter().copied().filter_map(place) {
            let line = &mut per_worker[line];
            line.evaluation += 1;
            let side = if line.seen {
                &mut stats.evaluation_seen
            } else {
                &mut stats.evaluation_unseen
            };
            side.add(line.group);
        }
        stats.per_worker = per_worker;
        stats
    }

    /// Evaluation comparisons of all workers.
    pub fn evaluation(&self) -> usize {
        self.evaluation_seen.total() + self.evaluation_unseen.total()
    }
}

fn worker_lines(workers: &Workers, population: &Population) -> Vec<WorkerStats> {
    let ranked = workers.ranked().iter().enumerate();
    let lines = ranked.map(|(index, worker)| WorkerStats {
        rank: index + 1,
        worker: worker.id.clone(),
        group: population.group(&worker.id),
        seen: workers.is_seen(&worker.id),
        train: 0,
        evaluation: 0,
    });
    lines.collect()
}

fn ratios(train: &[Comparison], evaluation: &[&Comparison]) -> Option<Quantiles> {
    let all = train.iter().chain(evaluation.iter().copied());
    Quantiles::of(all.map(Comparison::length_ratio).collect())
}

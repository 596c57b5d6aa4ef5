//! Who judged how much: the ranking that decides which workers are seen.

use std::collections::HashMap;

use serde::Serialize;

use crate::comparison::UserId;

/// One worker and the comparisons that the ranking counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// The worker's id.
    pub id: UserId,
    /// Comparisons in the part that ranks; 0 for workers of the other part only.
    pub count: usize,
}

/// Workers by rank, of whom the first are seen in training and the others are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Workers {
    ranked: Vec<Worker>,
    seen: usize,
    #[serde(skip)]
    ranks: HashMap<UserId, usize>,
}

impl Workers {
    /// Ranks by the number of comparisons, most first; of equal numbers the worker who appears first comes first
    /// (reference 4.1, step 2). `others` are judgements that do not rank, such as those of the evaluation part: a
    /// worker who appears only there follows all ranked ones, ordered by the number there in the same way. The first
    /// `top` workers with a count above zero are seen; if there are fewer, all of them are.
    pub(super) fn rank<'a>(
        ranking: impl IntoIterator<Item = &'a UserId>,
        others: impl IntoIterator<Item = &'a UserId>,
        top: usize,
    ) -> Self {
        let mut ranked = counted(ranking);
        let seen = ranked.len().min(top);
        let mut ranks = numbered(&ranked);
        let more = counted(others);
        let strangers = more
            .into_iter()
            .filter(|worker| !ranks.contains_key(&worker.id));
        ranked.extend(strangers.map(|worker| Worker { count: 0, ..worker }));
        ranks = numbered(&ranked);
        Self {
            ranked,
            seen,
            ranks,
        }
    }

    /// All workers, by rank.
    pub fn ranked(&self) -> &[Worker] {
        &self.ranked
    }

    /// The workers whose comparisons are trained on, by rank.
    pub fn seen(&self) -> &[Worker] {
        &self.ranked[..self.seen]
    }

    /// The workers who appear in evaluation only, by rank.
    pub fn unseen(&self) -> &[Worker] {
        &self.ranked[self.seen..]
    }

    /// The rank, from 1.
    pub(super) fn rank_of(&self, id: &UserId) -> Option<usize> {
        self.ranks.get(id).copied()
    }

    /// Whether the worker is among the seen ones.
    pub fn is_seen(&self, id: &UserId) -> bool {
        self.rank_of(id).is_some_and(|rank| rank <= self.seen)
    }
}

fn numbered(workers: &[Worker]) -> HashMap<UserId, usize> {
    workers
        .iter()
        .enumerate()
        .map(|(index, worker)| (worker.id.clone(), index + 1))
        .collect()
}

/// Workers by falling count; the sort is stable, so ties keep the order of first appearance.
fn counted<'a>(ids: impl IntoIterator<Item = &'a UserId>) -> Vec<Worker> {
    let mut places: HashMap<&UserId, usize> = HashMap::new();
    let mut workers: Vec<Worker> = Vec::new();
    for id in ids {
        let place = *places.entry(id).or_insert_with(|| {
            let id = id.clone();
            workers.push(Worker { id, count: 0 });
            workers.len() - 1
        });
        workers[place].count += 1;
    }
    workers.sort_by_key(|worker| std::cmp::Reverse(worker.count));
    workers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &str) -> Vec<UserId> {
        names
            .chars()
            .map(|name| UserId::new(name.to_string()))
            .collect()
    }

    #[test]
    fn most_comparisons_first_and_ties_by_first_appearance() {
        let workers = Workers::rank(&ids("abbccdac"), &ids("xxyad"), 2);
        let order: String = workers
            .ranked()
            .iter()
            .map(|worker| worker.id.as_str())
            .collect();
        // c: 3, a: 2 (before b: 2), d: 1, then the strangers x (2) and y (1).
        assert_eq!(order, "cabdxy");
        assert_eq!(workers.seen().len(), 2);
        assert_eq!(workers.unseen().len(), 4);
        assert_eq!(workers.rank_of(&"d".into()), Some(4));
        assert!(workers.is_seen(&"a".into()) && !workers.is_seen(&"b".into()));
        assert_eq!(workers.rank_of(&"?".into()), None);
        assert_eq!(workers.ranked()[4].count, 0);
    }

    #[test]
    fn fewer_workers_than_wanted_are_all_seen() {
        let workers = Workers::rank(&ids("ab"), &ids("c"), 40);
        assert_eq!(workers.seen().len(), 2);
    }
}

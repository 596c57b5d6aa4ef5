//! The simulated population: which workers belong to the majority and which to the minority.

use std::collections::HashMap;

use super::{Group, PopulationError, Workers};
use crate::comparison::UserId;
use crate::numpy::RandomState;

/// How many seeds [`Population::draw_for_share`] tries.
const TRIES: u32 = 100_000;

/// A draw of the population. Its seed is its own, apart from those of initialisation and order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PopulationConfig {
    /// Seed of numpy's `RandomState`. The paper's is 3456: of 10 workers the minority is 4, 5 and 6.
    pub seed: u32,
    /// Probability that a worker belongs to the minority.
    pub minority_share: f64,
}

impl Default for PopulationConfig {
    fn default() -> Self {
        Self {
            seed: 3456,
            minority_share: 0.3,
        }
    }
}

/// Where the population comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum PopulationChoice {
    /// One draw.
    Draw(PopulationConfig),
    /// The first draw, from the given seed upward, in which the minority holds a share of the seen comparisons within
    /// `low..=high`.
    DrawForShare {
        /// First seed, and the probability.
        start: PopulationConfig,
        /// Least share.
        low: f64,
        /// Largest share.
        high: f64,
    },
    /// The ranks (from 1) of the workers of the minority.
    MinorityRanks(Vec<usize>),
    /// Nobody is simulated: every worker chose what the records say, and belongs to no group.
    Real,
}

impl Default for PopulationChoice {
    fn default() -> Self {
        Self::Draw(PopulationConfig::default())
    }
}

/// Every worker's group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Population {
    groups: HashMap<UserId, Group>,
    minority_ranks: Vec<usize>,
    seed: Option<u32>,
    simulated: bool,
}

impl Population {
    /// As the choice says.
    ///
    /// # Errors
    /// [`PopulationError`], see the three functions below.
    pub(super) fn choose(
        workers: &Workers,
        choice: &PopulationChoice,
    ) -> Result<Self, PopulationError> {
        match choice {
            PopulationChoice::Draw(config) => Self::draw(workers, config),
            PopulationChoice::DrawForShare { start, low, high } => {
                Self::draw_for_share(workers, start, *low, *high)
            }
            PopulationChoice::MinorityRanks(ranks) => Self::from_minority_ranks(workers, ranks),
            PopulationChoice::Real => Ok(Self::real()),
        }
    }

    /// Nobody is simulated.
    fn real() -> Self {
        Self {
            groups: HashMap::new(),
            minority_ranks: Vec::new(),
            seed: None,
            simulated: false,
        }
    }

    /// Replays the authors' draw (reference 4.1, step 3): one number per worker in the order of the ranks, the unseen
    /// ones after the seen ones.
    ///
    /// # Errors
    /// [`PopulationError::Share`] for a share outside `0..=1`, [`PopulationError::MissingGroup`] if the seen workers
    /// all fall into one group.
    pub(super) fn draw(
        workers: &Workers,
        config: &PopulationConfig,
    ) -> Result<Self, PopulationError> {
        let ranks = draw_ranks(workers.ranked().len(), config)?;
        Self::new(workers, ranks, Some(config.seed))
    }

    /// The population whose minority has these ranks (from 1, unseen workers included).
    ///
    /// # Errors
    /// [`PopulationError::Rank`] for a rank that no worker has, [`PopulationError::MissingGroup`] as above.
    pub(super) fn from_minority_ranks(
        workers: &Workers,
        ranks: &[usize],
    ) -> Result<Self, PopulationError> {
        Self::new(workers, valid_ranks(workers, ranks)?, None)
    }

    /// The first draw, from `start.seed` upward, whose minority holds a share of the seen workers' ranked comparisons
    /// within `low..=high`; [`Population::seed`] tells the seed.
    ///
    /// # Errors
    /// [`PopulationError::Range`] or [`PopulationError::Share`] for impossible numbers, [`PopulationError::NoDraw`] if
    /// 100,000 seeds give none.
    pub(super) fn draw_for_share(
        workers: &Workers,
        start: &PopulationConfig,
        low: f64,
        high: f64,
    ) -> Result<Self, PopulationError> {
        if !(0.0 <= low && low <= high && high <= 1.0) {
            return Err(PopulationError::Range { low, high });
        }
        for seed in start.seed..=start.seed.saturating_add(TRIES - 1) {
            let config = PopulationConfig { seed, ..*start };
            match Self::draw(workers, &config) {
                Ok(population) if (low..=high).contains(&population.minority_share(workers)) => {
                    return Ok(population);
                }
                Ok(_) | Err(PopulationError::MissingGroup { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(PopulationError::NoDraw {
            start: start.seed,
            tries: TRIES,
            low,
            high,
        })
    }

    /// As the choice says, though one group may be missing; a choice of a share is its first draw.
    ///
    /// # Errors
    /// [`PopulationError::Share`] or [`PopulationError::Rank`], as above.
    pub(super) fn choose_unchecked(
        workers: &Workers,
        choice: &PopulationChoice,
    ) -> Result<Self, PopulationError> {
        let (ranks, seed) = match choice {
            PopulationChoice::Draw(config)
            | PopulationChoice::DrawForShare { start: config, .. } => (
                draw_ranks(workers.ranked().len(), config)?,
                Some(config.seed),
            ),
            PopulationChoice::MinorityRanks(ranks) => (valid_ranks(workers, ranks)?, None),
            PopulationChoice::Real => return Ok(Self::real()),
        };
        Ok(Self::of_ranks(workers, ranks, seed))
    }

    /// Whether choices are simulated; otherwise they are the workers' own, and there are no groups.
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// A worker's group; none where nobody is simulated.
    pub fn group(&self, worker: &UserId) -> Option<Group> {
        self.groups.get(worker).copied()
    }

    /// The seed of the draw; `None` if the ranks were given, or nobody is simulated.
    pub fn seed(&self) -> Option<u32> {
        self.seed
    }

    /// Ranks of the minority, from 1, rising; those of unseen workers included.
    pub fn minority_ranks(&self) -> &[usize] {
        &self.minority_ranks
    }

    /// The minority's share of the seen workers' ranked comparisons, 0 if there are none.
    pub fn minority_share(&self, workers: &Workers) -> f64 {
        let (mut minority, mut all) = (0usize, 0usize);
        for worker in workers.seen() {
            all += worker.count;
            if self.group(&worker.id) == Some(Group::Minority) {
                minority += worker.count;
            }
        }
        minority as f64 / all.max(1) as f64
    }

    fn new(
        workers: &Workers,
        minority_ranks: Vec<usize>,
        seed: Option<u32>,
    ) -> Result<Self, PopulationError> {
        let seen = workers.seen().len();
        let minority = minority_ranks.iter().filter(|&&rank| rank <= seen).count();
        let missing = match minority {
            0 => Some("minority"),
            all if all == seen => Some("majority"),
            _ => None,
        };
        if let Some(missing) = missing {
            return Err(PopulationError::MissingGroup {
                missing,
                seen,
                seed,
            });
        }
        Ok(Self::of_ranks(workers, minority_ranks, seed))
    }

    fn of_ranks(workers: &Workers, minority_ranks: Vec<usize>, seed: Option<u32>) -> Self {
        let group = |rank: usize| {
            let is_minority = minority_ranks.binary_search(&rank).is_ok();
            if is_minority {
                Group::Minority
            } else {
                Group::Majority
            }
        };
        let ranked = workers.ranked().iter().enumerate();
        let groups = ranked
            .map(|(index, worker)| (worker.id.clone(), group(index + 1)))
            .collect();
        Self {
            groups,
            minority_ranks,
            seed,
            simulated: true,
        }
    }
}

/// Ranks that the workers have, rising and each once.
fn valid_ranks(workers: &Workers, ranks: &[usize]) -> Result<Vec<usize>, PopulationError> {
    let count = workers.ranked().len();
    if let Some(&found) = ranks.iter().find(|&&rank| rank == 0 || rank > count) {
        let workers = count;
        return Err(PopulationError::Rank { found, workers });
    }
    let mut ranks = ranks.to_vec();
    ranks.sort_unstable();
    ranks.dedup();
    Ok(ranks)
}

/// The ranks, from 1, that a draw over `workers` workers puts into the minority.
fn draw_ranks(workers: usize, config: &PopulationConfig) -> Result<Vec<usize>, PopulationError> {
    let found = config.minority_share;
    if !(0.0..=1.0).contains(&found) {
        return Err(PopulationError::Share { found });
    }
    let mut state = RandomState::new(config.seed);
    Ok((1..=workers)
        .filter(|_| state.choose_second(found))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Workers of rank 1, 2, ... with these counts.
    fn workers(counts: &[usize], top: usize) -> Workers {
        let ids: Vec<UserId> = counts
            .iter()
            .enumerate()
            .flat_map(|(index, &count)| vec![UserId::new(format!("w{}", index + 1)); count])
            .collect();
        Workers::rank(&ids, [], top)
    }

    #[test]
    fn default_draw_over_ten_workers_is_the_papers() {
        let workers = workers(
            &[5245, 2920, 2437, 2366, 2200, 2126, 1824, 1606, 1366, 1209],
            10,
        );
        let population = Population::draw(&workers, &PopulationConfig::default()).unwrap();
        assert_eq!(population.minority_ranks(), [4, 5, 6]);
        // Table 3: 6,692 of 23,299 training comparisons.
        assert_eq!(population.minority_share(&workers), 6692.0 / 23299.0);
        assert_eq!(population.group(&"w4".into()), Some(Group::Minority));
        assert_eq!(population.group(&"w7".into()), Some(Group::Majority));
        assert_eq!(population.group(&"stranger".into()), None);
        assert_eq!(population.seed(), Some(3456));
    }

    #[test]
    fn default_draw_over_forty_workers_is_the_papers() {
        let ranks = draw_ranks(40, &PopulationConfig::default()).unwrap();
        assert_eq!(ranks.len(), 14);
        assert_eq!(ranks[..3], [4, 5, 6]);
    }

    #[test]
    fn draw_without_both_groups_is_an_error() {
        let workers = workers(&[3, 2, 1], 3);
        let error = Population::draw(&workers, &PopulationConfig::default()).unwrap_err();
        let missing = PopulationError::MissingGroup {
            missing: "minority",
            seen: 3,
            seed: Some(3456),
        };
        assert_eq!(error, missing);
        let error = Population::from_minority_ranks(&workers, &[3, 1, 2, 1]).unwrap_err();
        assert!(error.to_string().contains("into the majority"), "{error}");
    }

    #[test]
    fn impossible_numbers_are_errors() {
        let workers = workers(&[3, 2, 1], 3);
        let config = |minority_share| PopulationConfig {
            seed: 1,
            minority_share,
        };
        for share in [-0.1, 1.5, f64::NAN] {
            let error = Population::draw(&workers, &config(share)).unwrap_err();
            assert!(matches!(error, PopulationError::Share { .. }));
        }
        let error = Population::from_minority_ranks(&workers, &[4]).unwrap_err();
        assert_eq!(
            error,
            PopulationError::Rank {
                found: 4,
                workers: 3
            }
        );
        let error = Population::draw_for_share(&workers, &config(0.3), 0.6, 0.4).unwrap_err();
        assert!(matches!(error, PopulationError::Range { .. }));
        let error = Population::draw_for_share(&workers, &config(0.3), 0.9, 0.95).unwrap_err();
        assert!(matches!(error, PopulationError::NoDraw { .. }));
    }

    #[test]
    fn search_for_a_share_tells_its_seed_and_a_draw_with_it_is_the_same() {
        let workers = workers(&[10, 9, 8, 7, 6, 5], 5);
        let start = PopulationConfig::default();
        let found = Population::draw_for_share(&workers, &start, 0.35, 0.4).unwrap();
        assert!((0.35..=0.4).contains(&found.minority_share(&workers)));
        let seed = found.seed().unwrap();
        let again = Population::draw(&workers, &PopulationConfig { seed, ..start }).unwrap();
        assert_eq!(found, again);
    }
}

//! Why a population cannot be drawn.

use crate::comparison::UserId;

/// Why a simulated population cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PopulationError {
    /// Every seen worker fell into one group, so that nothing can be compared.
    #[error(
        "{} puts none of {seen} seen workers into the {missing}: expected both groups, \
         choose another seed or share",
        draw(*seed)
    )]
    MissingGroup {
        /// `majority` or `minority`.
        missing: &'static str,
        /// How many workers are seen.
        seen: usize,
        /// The seed, unless the ranks were given.
        seed: Option<u32>,
    },
    /// The share of the minority is no probability.
    #[error("minority share: found {found}, expected a number between 0 and 1")]
    Share {
        /// The number given.
        found: f64,
    },
    /// A range that holds no share.
    #[error(
        "minority share of comparisons: found the range {low} to {high}, expected 0 <= low <= high <= 1"
    )]
    Range {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A rank that no worker has.
    #[error("minority rank: found {found}, expected 1 to {workers}")]
    Rank {
        /// The rank given.
        found: usize,
        /// The number of ranked workers.
        workers: usize,
    },
    /// No seed that was tried gives the wanted share.
    #[error(
        "no draw in {tries} seeds from {start} gives the minority a share of the seen comparisons \
         between {low} and {high}"
    )]
    NoDraw {
        /// First seed tried.
        start: u32,
        /// How many were tried.
        tries: u32,
        /// Lower end of the wanted share.
        low: f64,
        /// Upper end of the wanted share.
        high: f64,
    },
    /// A worker of the data whom the population does not hold.
    #[error("worker `{0}` is not part of the population")]
    UnknownWorker(UserId),
}

impl PopulationError {
    /// Whether it is these workers that give no population of both groups, not a choice that no workers could have.
    pub(super) fn is_of_the_draw(&self) -> bool {
        matches!(self, Self::MissingGroup { .. } | Self::NoDraw { .. })
    }
}

fn draw(seed: Option<u32>) -> String {
    match seed {
        Some(seed) => format!("the draw of seed {seed}"),
        None => "the choice of ranks".into(),
    }
}

//! The official TL;DR comparisons ("summarize from feedback") and the steps of the paper's experiment on them: filter by
//! policy, rank the workers, simulate a majority and a minority, split by post, count.
//!
//! [`TldrData::load`] does it all; [`read`] streams the records as published.

mod filter;
mod group;
mod official_split;
mod population;
mod population_error;
mod prepare;
mod read;
mod record;
mod simulate;
mod stats;
mod table;
mod workers;
mod yardsticks;

pub use filter::PolicyFilter;
pub use group::Group;
pub use population::{Population, PopulationChoice, PopulationConfig};
pub use population_error::PopulationError;
pub use prepare::{TldrData, TldrOptions};
pub use read::read;
pub use record::{Summary, TldrRecord};
pub use stats::{GroupCounts, TldrStats, WorkerStats};
pub use workers::{Worker, Workers};
pub use yardsticks::{Accuracies, Yardsticks};

pub(crate) use read::read_comparisons;

/// The fields of a record, all required.
pub(crate) const FIELDS: &[&str] = &["info", "summaries", "choice", "worker", "split"];

//! Comparisons with a user id: streaming loaders, simulated annotators, splits, statistics.
//!
//! A [`Comparison`] is one human judgement: for a prompt, a chosen and a rejected response, and who judged.
//! These layouts are read, one record in memory at a time:
//!
//! - [`general`]: JSON Lines, CSV or Parquet with `prompt`, `chosen`, `rejected` and `user`.
//! - [`tldr`]: the official files of OpenAI's "summarize from feedback" comparisons, with the steps of the TL;DR
//!   experiment: policy filter, ranking of the [`workers`], simulated [`population`], [`split`], [`stats`].
//! - [`psoups`]: the official profile files of "Personalized Soups"; [`prompts`] reads prompts to evaluate on.
//! - [`prism`]: the official PRISM files: user text from the survey, comparisons per turn, seen and unseen users.
//!
//! Nothing is dropped silently: what is left out is counted, with its reason, in [`Skipped`].
//! All randomness follows from explicit seeds (see [`seed`] and [`numpy`]).

pub mod audit;
pub mod error;
pub mod files;
pub mod general;
pub mod mini;
pub mod numpy;
pub mod options;
pub mod population;
pub mod prism;
pub mod prompts;
pub mod psoups;
pub mod reader;
pub mod seed;
pub mod simulate;
pub mod split;
pub mod stats;
pub mod tldr;
pub mod types;
pub mod workers;
pub mod yardsticks;

mod chat;
mod csv_rows;
mod fields;
mod json;
mod json_rows;
mod parquet_rows;
mod quantiles;
mod stats_display;
mod units;

pub use audit::{Audit, AuditBuilder};
pub use error::{DataError, PopulationError, RecordError, SplitError};
pub use files::{Format, Layout};
pub use options::{ReadOptions, Skipped};
pub use population::{Population, PopulationChoice, PopulationConfig};
pub use prism::{PrismData, PrismOptions};
pub use psoups::{PsoupsData, PsoupsOptions, PsoupsStats};
pub use quantiles::Quantiles;
pub use reader::Reader;
pub use simulate::{Kind, simulate};
pub use split::{Part, Split, SplitOrigin, SplitRatios, split_by_source, split_official};
pub use stats::TldrStats;
pub use tldr::{PolicyFilter, TldrData, TldrOptions, TldrRecord};
pub use types::{Comparison, Message, Prompt, UserId};
pub use workers::{Worker, Workers};
pub use yardsticks::Yardsticks;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

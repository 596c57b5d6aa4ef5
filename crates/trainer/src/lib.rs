//! Joins comparisons, a user model, a preference loss and a language model: batches, reference cache, training,
//! checkpoints.
//!
//! A reader follows a training step through [`tokenise`], [`pack`], [`policy`], [`task`], [`learner`]; [`session`] is the loop around it.

pub mod adapters;
pub mod ask;
pub mod checkpoint;
pub mod config;
pub mod dataset;
pub mod device;
pub mod endings;
pub mod error;
pub mod estimate;
pub mod eval;
pub mod example;
pub mod files;
pub mod fit;
pub mod folder;
pub mod forget;
pub mod head;
pub mod inference;
pub mod learner;
pub mod lineage;
pub mod machine;
pub mod memory;
pub mod merge;
pub mod metrics;
pub mod monitor;
pub mod order;
pub mod pack;
pub mod policy;
pub mod profile;
pub mod progress;
pub mod reference;
pub mod schedule;
pub mod scorer;
pub mod session;
pub mod sides;
pub mod source;
pub mod task;
pub mod tokenise;
pub mod training;
pub mod ways;

mod blockwise;
mod gradients;
mod host;
mod kl;
mod replicas;
mod settings;
mod sharing;

pub use error::TrainError;
pub use training::train;

// What experiments need of the four crates below, so that they depend on this one alone.
pub use {burn, llm_backbone, pdpo_loss, pref_data, user_model};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

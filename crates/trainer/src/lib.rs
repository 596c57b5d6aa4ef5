//! Joins comparisons, a user model, a preference loss and a language model: batches, reference cache, training,
//! checkpoints.
//!
//! A reader follows a training step through [`tokenise`], [`pack`], [`policy`], [`step`].

pub mod adapters;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod dataset;
pub mod device;
pub mod error;
pub mod eval;
pub mod files;
pub mod generation;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod order;
pub mod pack;
pub mod policy;
pub mod profile;
pub mod progress;
pub mod reference;
pub mod schedule;
pub mod session;
pub mod sft;
pub mod source;
pub mod step;
pub mod strategy;
pub mod tokenise;
pub mod watch;

mod blockwise;
mod replicas;

pub use error::TrainError;

// What experiments need of the four crates below, so that they depend on this one alone.
pub use {burn, llm_backbone, pdpo_loss, pref_data, user_model};

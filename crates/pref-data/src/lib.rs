//! Comparisons with a user id: streaming loaders, simulated annotators, splits, statistics.
//!
//! A [`Comparison`] is one human judgement: for a prompt, a chosen and a rejected response, and who judged.
//! These layouts are read, one record in memory at a time; [`read_comparisons`] tells them apart:
//!
//! - [`general`]: JSON Lines, CSV, Parquet or Arrow with `prompt`, `chosen`, `rejected` and `user`, or what other tools write.
//! - [`tldr`]: the official files of OpenAI's "summarize from feedback" comparisons, with the steps of the TL;DR
//!   experiment.
//! - [`psoups`]: the official profile files of "Personalized Soups".
//! - [`prism`]: the official PRISM files: user text from the survey, comparisons per turn, seen and unseen users.
//! - what others published of many people's choices: Chatbot Arena, MT-Bench, Community Alignment, PRISM as LoRe prepares it,
//!   PersonalLLM, P-SOUPS from the hub; see [`Layout`].
//!
//! Nothing is dropped silently: what is left out is counted, with its reason, in [`Skipped`]. All randomness follows from
//! explicit seeds.

pub mod general;
pub mod prism;
pub mod psoups;
pub mod tldr;

mod audit;
mod comparison;
mod error;
mod hash;
mod layout;
mod message;
mod numpy;
mod place;
mod prompts;
mod published;
mod reader;
mod records;
mod skipped;
mod split;

pub use audit::{Audit, AuditBuilder};
pub use comparison::{Comparison, Prompt, Thumb, UserId};
pub use error::{DataError, RecordError, SplitError};
pub use general::Columns;
pub use layout::{DataOptions, Layout, read_comparisons};
pub use message::{Message, MessageError, TemplateInputs};
pub use place::Place;
pub use prompts::read_prompts;
pub use reader::{ReadOptions, Reader};
pub use records::is_data_file;
pub use skipped::Skipped;
pub use split::{Split, SplitOrigin, SplitRatios, split_by_source};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

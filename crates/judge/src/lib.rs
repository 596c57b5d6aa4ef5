//! Win rates with a language model as judge.
//!
//! A judge is any OpenAI-compatible chat endpoint: a hosted model, a local server, our own. Three steps:
//!
//! 1. [`JudgeClient`] asks it: a limit on concurrent calls, retries with back-off, a budget, a cache on disk.
//! 2. [`judge_all`] puts [`Item`]s into a [`PromptFile`]'s words, shows the two outputs in a seeded order or in both
//!    ([`Position`]), and reads the [`Verdict`]s. What could not be read or asked is listed, never dropped.
//! 3. [`WinRates`] counts them: per sample, per user, and by the two conventions of the P-RLHF paper.
//!
//! Nothing here knows of models, tensors or data sets.

mod address;
mod backoff;
mod cache;
mod chat;
mod choices;
mod client;
mod config;
mod counts;
mod error;
mod evaluate;
mod http;
mod outcome;
mod prompt;
mod verdict;
mod win_rates;

pub use address::{shown_url, shown_urls};
pub use chat::Message;
pub use choices::{PastChoice, past_choices};
pub use client::{Answer, JudgeClient};
pub use config::{JudgeConfig, TokensKey};
pub use counts::Counts;
pub use error::JudgeError;
pub use evaluate::judge_all;
pub use minijinja::Value;
pub use outcome::{Item, Outcome, Places, Unjudged, Unparsable};
pub use prompt::PromptFile;
pub use verdict::{Position, Verdict};
pub use win_rates::{Estimate, UserRates, WinRates};

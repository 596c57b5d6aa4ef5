//! The official PRISM Alignment files and the steps of the paper's experiment on them.
//!
//! [`PrismData::load`] does it all: one comparison for every rejected response of a turn, with the history as chat messages;
//! the user's text from her survey; seen and unseen users, then training and test dialogues. [`read_dialogues`] streams the
//! dialogues as published.
//!
//! Only the fields that are used are looked at. The text `EMPTY STRING` stands for an empty one in these files. What is odd
//! in them is counted, never guessed at.

mod comparisons;
mod dialogue;
mod dialogue_split;
mod prepare;
mod profile;
mod read;
mod sources;
mod stats;
mod survey;

pub use comparisons::{ComparisonOptions, Rejected};
pub use dialogue::{Dialogue, Response, Turn};
pub use dialogue_split::SplitOptions;
pub use prepare::{PrismData, PrismOptions};
pub use profile::{TopPreferences, UserProfile};
pub use read::read_dialogues;
pub use stats::{PartCounts, PrismStats};
pub use survey::Preference;

pub(crate) use prepare::read_comparisons;
pub(crate) use sources::{CONVERSATION, SURVEY, UTTERANCE};

/// Whether a text says nothing: white space only, or what the official files write for it.
pub(crate) fn is_empty(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text == "EMPTY STRING"
}

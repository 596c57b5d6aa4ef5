//! The official PRISM Alignment files and the steps of the paper's experiment on them.
//!
//! - [`survey`], [`conversation`], [`utterance`]: the records as published; [`read_survey`], [`read_conversations`] and
//!   [`read_utterances`] stream them.
//! - [`dialogue`]: what conversations and utterances have in common: turns with rated responses.
//! - [`profile`]: what a user says about herself, as text for a model and as a profile for a judge.
//! - [`comparisons`]: from turns to comparisons.
//! - [`users`]: seen and unseen users, training and test dialogues: a pure function.
//! - [`prepare`]: from paths to data that can be trained on.
//!
//! The text [`EMPTY`] stands for an empty one in these files. What is odd in them is counted, never guessed at; the
//! reasons are constants of [`comparisons`] and [`prepare`].

pub mod comparisons;
pub mod conversation;
pub mod dialogue;
pub mod prepare;
pub mod profile;
pub mod stats;
pub mod survey;
pub mod users;
pub mod utterance;

mod decode;
mod sources;

pub use comparisons::{ComparisonOptions, Rejected};
pub use conversation::{Attributes, Conversation, ConversationType};
pub use decode::{read_conversations, read_survey, read_utterances};
pub use dialogue::{Dialogue, Response, Turn};
pub use prepare::{PrismData, PrismOptions, read_comparisons};
pub use profile::{Feedback, TopPreferences, UserProfile};
pub use stats::PrismStats;
pub use survey::{Preference, Survey};
pub use users::{DialogueSplit, UserSplit, split_dialogues};
pub use utterance::Utterance;

/// How the official files write an empty text.
pub const EMPTY: &str = "EMPTY STRING";

/// Whether a text says nothing: [`EMPTY`], or white space only.
pub fn is_empty(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text == EMPTY
}

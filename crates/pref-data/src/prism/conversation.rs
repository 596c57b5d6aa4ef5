//! One row of `conversations.jsonl` (reference 4.3).

use serde::Serialize;
use serde::ser::Serializer;

use crate::prism::survey::Preference;
use crate::types::UserId;

/// What the user was asked to talk about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ConversationType {
    /// Anything.
    #[serde(rename = "unguided")]
    Unguided,
    /// Values.
    #[serde(rename = "values guided")]
    ValuesGuided,
    /// What people disagree about.
    #[serde(rename = "controversy guided")]
    ControversyGuided,
}

impl ConversationType {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Unguided, Self::ValuesGuided, Self::ControversyGuided];

    /// As the files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unguided => "unguided",
            Self::ValuesGuided => "values guided",
            Self::ControversyGuided => "controversy guided",
        }
    }
}

/// The attributes by which users rate a conversation, in the order of the files.
pub const ATTRIBUTES: [Preference; 7] = [
    Preference::Values,
    Preference::Fluency,
    Preference::Factuality,
    Preference::Safety,
    Preference::Diversity,
    Preference::Creativity,
    Preference::Helpfulness,
];

/// 1 to 100 for each of [`ATTRIBUTES`]; `None` where the user found that it does not apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub [Option<i64>; 7]);

impl Attributes {
    /// Attributes with their ratings.
    pub fn iter(&self) -> impl Iterator<Item = (Preference, Option<i64>)> {
        ATTRIBUTES.into_iter().zip(self.0)
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(attribute, n)| (attribute.name(), n)))
    }
}

/// One item of `conversation_history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum HistoryItem {
    /// What the user says.
    User {
        /// From 0.
        turn: i64,
        /// The text.
        content: String,
    },
    /// One of the responses that the user rated.
    Model {
        /// From 0.
        turn: i64,
        /// The text.
        content: String,
        /// Who runs the model.
        model_provider: String,
        /// The model.
        model_name: String,
        /// 1 to 100.
        score: i64,
        /// The conversation went on with it. In later turns decided by equality of texts, so two may be chosen.
        if_chosen: bool,
        /// Place on the screen, random.
        within_turn_id: i64,
    },
}

/// One conversation, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conversation {
    /// Its id.
    pub conversation_id: String,
    /// The participant.
    pub user_id: UserId,
    /// What it was to be about.
    pub conversation_type: ConversationType,
    /// The first message.
    pub opening_prompt: String,
    /// Turns as counted by the publishers.
    pub conversation_turns: i64,
    /// Messages and responses.
    pub conversation_history: Vec<HistoryItem>,
    /// How well the model did.
    pub performance_attributes: Attributes,
    /// How much each attribute mattered for the choice.
    pub choice_attributes: Attributes,
    /// In the user's own words, written at the end.
    pub open_feedback: String,
    /// `YYYY-MM-DD HH:MM:SS`.
    pub generated_datetime: String,
    /// Time taken in seconds.
    pub timing_duration_s: f64,
    /// Time taken in minutes.
    pub timing_duration_mins: f64,
    /// Part of the balanced subset.
    pub included_in_balanced_subset: bool,
}

//! One row of `utterances.jsonl`: a rated response (reference 4.3).

use serde::Serialize;

use crate::prism::conversation::ConversationType;
use crate::types::UserId;

/// One rated response with the message that it answers, unchanged. None of the fields is ever null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Utterance {
    /// The row.
    pub utterance_id: String,
    /// The turn of the conversation.
    pub interaction_id: String,
    /// The conversation.
    pub conversation_id: String,
    /// The participant.
    pub user_id: UserId,
    /// From 0.
    pub turn: i64,
    /// Place on the screen, 0 to 3, random.
    pub within_turn_id: i64,
    /// What the conversation was to be about.
    pub conversation_type: ConversationType,
    /// What the user said; repeated for every response of the turn.
    pub user_prompt: String,
    /// The response.
    pub model_response: String,
    /// The model.
    pub model_name: String,
    /// Who runs it.
    pub model_provider: String,
    /// 1 to 100.
    pub score: i64,
    /// The conversation went on with it.
    pub if_chosen: bool,
    /// Part of the balanced subset.
    pub included_in_balanced_subset: bool,
}

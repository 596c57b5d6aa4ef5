//! What conversations and utterances have in common: turns with rated responses.

use std::collections::{BTreeMap, HashMap};

use crate::prism::conversation::{Conversation, ConversationType, HistoryItem};
use crate::prism::profile::Feedback;
use crate::prism::utterance::Utterance;
use crate::types::UserId;

/// A response that the user rated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The text as published.
    pub text: String,
    /// The model.
    pub model: String,
    /// 1 to 100.
    pub score: i64,
    /// Whether the conversation went on with it.
    pub chosen: bool,
}

/// A message of the user and the responses to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What the user says, as published; `None` if the record lacks it.
    pub message: Option<String>,
    /// The responses, in the order of the record.
    pub responses: Vec<Response>,
}

/// One dialogue of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialogue {
    /// The conversation's id.
    pub id: String,
    /// The participant.
    pub user: UserId,
    /// What it was to be about.
    pub kind: ConversationType,
    /// In the order of the turns' numbers.
    pub turns: Vec<Turn>,
    /// What the user said at the end; utterances do not hold it.
    pub feedback: Option<Feedback>,
}

impl From<Conversation> for Dialogue {
    /// Of several messages of the user in one turn the first counts.
    fn from(conversation: Conversation) -> Self {
        let mut turns: BTreeMap<i64, Turn> = BTreeMap::new();
        for item in conversation.conversation_history {
            match item {
                HistoryItem::User { turn, content } => {
                    let turn = turns.entry(turn).or_default();
                    turn.message.get_or_insert(content);
                }
                HistoryItem::Model {
                    turn,
                    content,
                    model_name,
                    score,
                    if_chosen,
                    ..
                } => {
                    let response = Response {
                        text: content,
                        model: model_name,
                        score,
                        chosen: if_chosen,
                    };
                    turns.entry(turn).or_default().responses.push(response);
                }
            }
        }
        Self {
            id: conversation.conversation_id,
            user: conversation.user_id,
            kind: conversation.conversation_type,
            turns: turns.into_values().collect(),
            feedback: Some(Feedback {
                open_feedback: conversation.open_feedback,
                performance: conversation.performance_attributes,
                choice: conversation.choice_attributes,
            }),
        }
    }
}

/// Gathers utterances into dialogues. The rows of a dialogue may lie anywhere in the file, so all of them are held; a user's
/// message is held once a turn.
#[derive(Default)]
pub struct Gatherer {
    numbers: HashMap<String, usize>,
    dialogues: Vec<Gathered>,
}

struct Gathered {
    id: String,
    user: UserId,
    kind: ConversationType,
    turns: BTreeMap<i64, (String, Vec<(i64, Response)>)>,
}

impl Gatherer {
    /// Adds one row. User and kind of a dialogue are those of its first row.
    pub fn add(&mut self, utterance: Utterance) {
        let id = utterance.conversation_id;
        let number = *self.numbers.entry(id.clone()).or_insert_with(|| {
            self.dialogues.push(Gathered {
                id,
                user: utterance.user_id,
                kind: utterance.conversation_type,
                turns: BTreeMap::new(),
            });
            self.dialogues.len() - 1
        });
        let turns = &mut self.dialogues[number].turns;
        let turn = turns
            .entry(utterance.turn)
            .or_insert_with(|| (utterance.user_prompt, Vec::new()));
        let response = Response {
            text: utterance.model_response,
            model: utterance.model_name,
            score: utterance.score,
            chosen: utterance.if_chosen,
        };
        turn.1.push((utterance.within_turn_id, response));
    }

    /// The dialogues in the order of their first rows; responses by `within_turn_id`.
    pub fn finish(self) -> impl Iterator<Item = Dialogue> {
        self.dialogues.into_iter().map(|gathered| Dialogue {
            id: gathered.id,
            user: gathered.user,
            kind: gathered.kind,
            turns: gathered.turns.into_values().map(turn).collect(),
            feedback: None,
        })
    }
}

fn turn((message, mut responses): (String, Vec<(i64, Response)>)) -> Turn {
    responses.sort_by_key(|(place, _)| *place);
    Turn {
        message: Some(message),
        responses: responses.into_iter().map(|(_, one)| one).collect(),
    }
}

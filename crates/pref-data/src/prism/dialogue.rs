//! What the two kinds of files of dialogues have in common: turns with rated responses.

use std::collections::{BTreeMap, HashMap};

use crate::comparison::UserId;

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
    /// In the order of the turns' numbers.
    pub turns: Vec<Turn>,
}

/// One row of `utterances.jsonl`: a rated response with the message that it answers.
pub(super) struct Utterance {
    pub conversation: String,
    pub user: UserId,
    /// From 0.
    pub turn: i64,
    /// Place on the screen, 0 to 3, random.
    pub place: i64,
    /// Repeated for every response of the turn.
    pub message: String,
    pub response: Response,
}

/// Gathers utterances into dialogues. The rows of a dialogue may lie anywhere in the file, so all of them are held; a user's
/// message is held once a turn.
#[derive(Default)]
pub(super) struct Gatherer {
    numbers: HashMap<String, usize>,
    dialogues: Vec<Gathered>,
}

struct Gathered {
    id: String,
    user: UserId,
    turns: BTreeMap<i64, (String, Vec<(i64, Response)>)>,
}

impl Gatherer {
    /// Adds one row. The user of a dialogue is that of its first row.
    pub fn add(&mut self, utterance: Utterance) {
        let id = utterance.conversation;
        let number = *self.numbers.entry(id.clone()).or_insert_with(|| {
            self.dialogues.push(Gathered {
                id,
                user: utterance.user,
                turns: BTreeMap::new(),
            });
            self.dialogues.len() - 1
        });
        let turns = &mut self.dialogues[number].turns;
        let (_, responses) = turns
            .entry(utterance.turn)
            .or_insert_with(|| (utterance.message, Vec::new()));
        responses.push((utterance.place, utterance.response));
    }

    /// The dialogues in the order of their first rows; responses by their place on the screen.
    pub fn finish(self) -> impl Iterator<Item = Dialogue> {
        self.dialogues.into_iter().map(|gathered| Dialogue {
            id: gathered.id,
            user: gathered.user,
            turns: gathered.turns.into_values().map(turn).collect(),
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

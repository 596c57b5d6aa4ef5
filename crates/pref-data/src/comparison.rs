//! What every loader yields.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::message::{Message, TemplateInputs};
use crate::place::Place;

/// The caller's own name of a user, kept as it is: any text, `0` included. The generic user is no id but its absence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    /// Takes the id as it is.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for UserId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

/// What the responses answer: plain text, or chat messages that a chat template turns into text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// Text that goes to the tokenizer as it is.
    Text(String),
    /// Messages for the model's chat template.
    Chat(Vec<Message>),
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl Prompt {
    /// Length in Unicode characters; for a chat, of all contents together.
    pub(crate) fn characters(&self) -> usize {
        match self {
            Prompt::Text(text) => text.chars().count(),
            Prompt::Chat(messages) => messages.iter().map(|m| m.content().chars().count()).sum(),
        }
    }

    /// The messages before the last, and what the last one says; of plain text none, and the text.
    pub fn last_turn(&self) -> (&[Message], Cow<'_, str>) {
        match self {
            Prompt::Text(text) => (&[], text.into()),
            Prompt::Chat(messages) => match messages.split_last() {
                Some((last, history)) => (history, last.content()),
                None => (&[], "".into()),
            },
        }
    }

    /// The text, or roles and contents in their order.
    pub(crate) fn texts(&self) -> Vec<Cow<'_, str>> {
        match self {
            Prompt::Text(text) => vec![text.into()],
            Prompt::Chat(messages) => messages
                .iter()
                .flat_map(|message| [message.role().into(), message.content()])
                .collect(),
        }
    }
}

/// What a user said of one response alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thumb {
    /// It is what the user wants.
    Up,
    /// It is not.
    Down,
}

/// One judgement: `user` preferred `chosen` to `rejected` as an answer to `prompt`, or gave one response alone a [`Thumb`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Comparison {
    /// Who judged; `None` where it is not known.
    pub user: Option<UserId>,
    /// What the user says about herself, if anything.
    pub user_text: Option<String>,
    /// What was answered.
    pub prompt: Prompt,
    /// What the chat template is given beside the prompt's messages.
    #[serde(default)]
    pub template: TemplateInputs,
    /// The preferred response; of a thumb up, the response.
    pub chosen: String,
    /// The other response; of a thumb down, the response.
    pub rejected: String,
    /// Where one response was judged alone: how. The other one does not exist and is left empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumb: Option<Thumb>,
    /// The post, instruction or dialogue: the unit that splits keep together.
    pub source: String,
    /// Where it was read.
    #[serde(skip)]
    pub place: Place,
    /// A label of the user's kind, for evaluation only: `majority`, `minority`, a profile.
    pub group: Option<String>,
}

impl Comparison {
    /// The preferred response and the other one; none where a thumb has only the other.
    pub fn responses(&self) -> [Option<&str>; 2] {
        [
            (self.thumb != Some(Thumb::Down)).then_some(self.chosen.as_str()),
            (self.thumb != Some(Thumb::Up)).then_some(self.rejected.as_str()),
        ]
    }

    /// A thumb up for the preferred response and a thumb down for the other: what a pair says of each alone.
    pub fn into_thumbs(self) -> [Self; 2] {
        let (mut up, mut down) = (self.clone(), self);
        up.rejected.clear();
        up.thumb = Some(Thumb::Up);
        down.chosen.clear();
        down.thumb = Some(Thumb::Down);
        [up, down]
    }

    /// Lengths of chosen and rejected response in Unicode characters.
    pub fn lengths(&self) -> (usize, usize) {
        (self.chosen.chars().count(), self.rejected.chars().count())
    }

    /// Longer length over shorter length in characters, at least 1; an empty response counts as one character.
    pub fn length_ratio(&self) -> f64 {
        let (a, b) = self.lengths();
        a.max(b).max(1) as f64 / a.min(b).max(1) as f64
    }
}

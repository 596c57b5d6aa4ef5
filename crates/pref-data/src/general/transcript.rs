//! Dialogues in one text, as Anthropic's HH files have them: `\n\nHuman: ...\n\nAssistant: ...`.

use crate::comparison::{Comparison, Prompt};
use crate::message::Message;

const HUMAN: &str = "\n\nHuman:";
const ASSISTANT: &str = "\n\nAssistant:";

/// Whether a text begins as a dialogue.
pub(super) fn is_one(text: &str) -> bool {
    text.trim_start().starts_with("Human:") && text.contains(ASSISTANT)
}

/// The dialogue up to the last `Assistant:`, and what the assistant says then.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    if !is_one(text) {
        return None;
    }
    let at = text.rfind(ASSISTANT)? + ASSISTANT.len();
    Some(text.split_at(at))
}

/// An answer up to where the human speaks again, if it says anything.
pub(super) fn answer(text: &str) -> &str {
    let end = text.find(HUMAN).unwrap_or(text.len());
    match text[..end].trim() {
        "" => text,
        _ => &text[..end],
    }
}

/// The messages of a dialogue that ends where the assistant is to speak.
fn messages(text: &str) -> Option<Vec<Message>> {
    let dialogue = text.trim_end().strip_suffix(ASSISTANT)?;
    let first = dialogue.trim_start().strip_prefix("Human:")?;
    let mut messages = Vec::new();
    let (mut role, mut rest) = ("user", first);
    loop {
        let next = [(HUMAN, "user"), (ASSISTANT, "assistant")];
        let next = next.into_iter().filter_map(|(mark, role)| {
            let at = rest.find(mark)?;
            Some((at, mark, role))
        });
        let next = next.min_by_key(|(at, ..)| *at);
        let end = next.map_or(rest.len(), |(at, ..)| at);
        messages.push(Message::new(role, rest[..end].trim()));
        let Some((at, mark, speaker)) = next else {
            return Some(messages);
        };
        (role, rest) = (speaker, &rest[at + mark.len()..]);
    }
}

impl Prompt {
    /// The messages of a dialogue in one text that ends in `\n\nAssistant:`: what a chat template takes. None of another prompt.
    pub fn dialogue(&self) -> Option<Vec<Message>> {
        match self {
            Self::Text(text) => messages(text),
            Self::Chat(_) => None,
        }
    }
}

impl Comparison {
    /// The same with the messages of its [`Prompt::dialogue`], if it is one. A space before a response parts it from the mark
    /// and is no part of what is said.
    pub fn with_messages(&self) -> Option<Self> {
        Some(Self {
            prompt: Prompt::Chat(self.prompt.dialogue()?),
            chosen: self.chosen.trim_start_matches(' ').to_owned(),
            rejected: self.rejected.trim_start_matches(' ').to_owned(),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialogue_is_split_before_the_last_answer() {
        let text = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: So.";
        let (prompt, response) = split(text).unwrap();
        assert_eq!(
            prompt,
            "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:"
        );
        assert_eq!(response, " So.");
        assert_eq!(split("Human: only"), None);
        assert_eq!(split("She said\n\nHuman: a\n\nAssistant: b"), None);
    }

    #[test]
    fn its_messages_are_what_a_template_takes() {
        let text = "\n\nHuman: Hi\nthere\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:";
        let expected = [
            Message::new("user", "Hi\nthere"),
            Message::new("assistant", "Hello"),
            Message::new("user", "Why?"),
        ];
        assert_eq!(messages(text).unwrap(), expected);
        assert_eq!(messages("Why?"), None);
        assert_eq!(messages("\n\nHuman: Why?"), None);
    }
}

//! Chat messages in records: lists of `{role, content}`, and responses that hold their prompt.
//!
//! The forms are those of TRL on the Hub: an explicit prompt beside `chosen` and `rejected`, or an implicit one, the
//! messages that both begin with.

use serde_json::Value;

use crate::comparison::Prompt;
use crate::error::DataError;
use crate::message::Message;
use crate::records::{Fields, Json, describe};

/// The messages of a list; at least one.
pub(super) fn messages(fields: &Fields, name: &str) -> Result<Vec<Message>, DataError> {
    let list = fields.list(name)?;
    if list.is_empty() {
        return Err(fields.wrong(name, "at least one message"));
    }
    list.iter()
        .enumerate()
        .map(|(index, value)| {
            let item = fields.item(name, index, value)?;
            let message = Message::from_fields(item.values());
            message.map_err(|error| item.wrong(error.field, error.expected))
        })
        .collect()
}

/// Prompt, chosen and rejected where both responses are lists of messages.
pub(super) fn split_prompt(fields: &Fields) -> Result<(Prompt, String, String), DataError> {
    let (leading, chosen) = split_last(fields, "chosen")?;
    let (other, rejected) = split_last(fields, "rejected")?;
    if leading != other {
        let found = format!(
            "{} of `chosen`, {} of `rejected`, not the same",
            leading.len(),
            other.len()
        );
        return Err(fields.error(
            "rejected",
            found,
            "the same messages before the last as in `chosen`",
        ));
    }
    Ok((join(fields, leading)?, chosen, rejected))
}

/// The messages before the last one, and the last one, which the assistant must speak.
fn split_last(fields: &Fields, name: &str) -> Result<(Vec<Message>, String), DataError> {
    let mut messages = messages(fields, name)?;
    match messages.pop() {
        Some(last) if last.role() == "assistant" => Ok((messages, response(fields, name, &last)?)),
        other => {
            let role = other.map_or("none".into(), |message| {
                format!("role {:?}", message.role())
            });
            Err(fields.error(name, role, "a last message with the role \"assistant\""))
        }
    }
}

/// Fields of an answer that a template shows beside its content.
const BESIDE_TEXT: [&str; 4] = ["tool_calls", "reasoning_content", "reasoning", "thinking"];

/// The text of the last message. What a template would show beside it would be lost, so it is refused.
fn response(fields: &Fields, name: &str, last: &Message) -> Result<String, DataError> {
    let is_said = |field: &&&str| match last.fields().get(**field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    match BESIDE_TEXT.iter().find(is_said) {
        Some(field) => Err(fields.error(
            name,
            format!("`{field}` in the last message"),
            "a response of text in `content`, with nothing beside it",
        )),
        None => Ok(last.content().into_owned()),
    }
}

/// The prompt from the `prompt` field and from the messages that both responses begin with.
fn join(fields: &Fields, leading: Vec<Message>) -> Result<Prompt, DataError> {
    let mut prompt = match fields.get("prompt") {
        None => Vec::new(),
        Some(Json::Text(text)) if text.is_empty() => Vec::new(),
        Some(Json::Text(text)) => text_prompt(text, &leading),
        Some(Json::List(_)) => messages(fields, "prompt")?,
        Some(other) => {
            return Err(fields.error(
                "prompt",
                describe(Some(other)),
                "text or a list of messages",
            ));
        }
    };
    if leading.starts_with(&prompt) {
        prompt = leading;
    } else {
        prompt.extend(leading);
    }
    if prompt.is_empty() {
        return Err(fields.wrong(
            "prompt",
            "a prompt, or messages before the last in `chosen` and `rejected`",
        ));
    }
    Ok(Prompt::Chat(prompt))
}

/// A text beside lists of messages is what the user says, unless the lists already say it.
fn text_prompt(text: &str, leading: &[Message]) -> Vec<Message> {
    if leading.iter().any(|message| message.content() == text) {
        return Vec::new();
    }
    vec![Message::new("user", text)]
}

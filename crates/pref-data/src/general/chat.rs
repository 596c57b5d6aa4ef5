//! What a field says, text or messages, in the shapes that tools write; and responses that hold their prompt.
//!
//! The forms of whole records are those of TRL on the Hub: an explicit prompt beside `chosen` and `rejected`, or an implicit
//! one, the messages that both begin with.

use serde_json::{Map, Value};

use super::cell;
use crate::comparison::Prompt;
use crate::error::DataError;
use crate::message::Message;
use crate::records::{Fields, Json};

/// What a field says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Text(String),
    Chat(Vec<Message>),
}

pub(super) const EXPECTED: &str = "text or a list of messages";

/// What stands in a field; none for null.
pub(crate) fn said(fields: &Fields, name: &str) -> Result<Option<Said>, DataError> {
    match fields.get(name) {
        None => Ok(None),
        Some(value) => of_value(fields, name, value).map(Some),
    }
}

fn of_value(fields: &Fields, name: &str, value: &Json) -> Result<Said, DataError> {
    match value {
        Json::Text(text) => match cell::held(text, fields.is_untyped()) {
            cell::Held::Text => Ok(Said::Text(text.to_string())),
            cell::Held::Messages(value, notation) => {
                fields.note(format!("`{name}` holds messages as text in {notation}"));
                of_value(fields, name, &value)
            }
            cell::Held::OneText(text, notation) => {
                fields.note(format!("`{name}` holds a list of one text in {notation}"));
                Ok(Said::Text(text))
            }
            cell::Held::Texts(count) => Err(fields.error(
                name,
                format!("a list of {count} texts written as text"),
                "one text, or a list of messages",
            )),
            cell::Held::Broken => Err(fields.error(
                name,
                "text that looks like a list of messages and is neither JSON nor Python, or has a field twice".into(),
                "messages in JSON: write the cell with json.dumps, or the file with df.to_json(orient=\"records\", lines=True)",
            )),
        },
        Json::List(items) => list(fields, name, items),
        Json::Object(object) => match CONVERSATION.iter().find_map(|key| object.get(key)) {
            Some(Json::List(items)) => list(fields, name, items),
            _ => Ok(Said::Chat(vec![message(fields, name, None, value)?])),
        },
        _ => Err(fields.wrong(name, EXPECTED)),
    }
}

/// Names under which a list of messages stands in an object.
const CONVERSATION: [&str; 2] = ["messages", "conversations"];

fn list(fields: &Fields, name: &str, items: &[Json]) -> Result<Said, DataError> {
    if items.is_empty() {
        return Err(fields.wrong(name, "at least one message"));
    }
    if let Some(text) = parts(items) {
        return Ok(Said::Text(text));
    }
    Ok(Said::Chat(messages(fields, name, items)?))
}

/// A list of messages.
pub(super) fn messages(
    fields: &Fields,
    name: &str,
    items: &[Json],
) -> Result<Vec<Message>, DataError> {
    let items = items.iter().enumerate();
    let messages = items.map(|(index, value)| message(fields, name, Some(index), value));
    messages.collect()
}

/// The text of a list of parts of a content, or of a list of a single text.
fn parts(items: &[Json]) -> Option<String> {
    if let [Json::Text(text)] = items {
        return Some(text.to_string());
    }
    let text = |item: &Json| match item {
        Json::Object(part) if part.get("type") == Some(&Json::text("text")) => {
            match part.get("text") {
                Some(Json::Text(text)) => Some(text.to_string()),
                _ => None,
            }
        }
        _ => None,
    };
    items.iter().map(text).collect()
}

/// One message, of a list if there is an index; ShareGPT's `from` and `value` are `role` and `content`.
fn message(
    fields: &Fields,
    name: &str,
    index: Option<usize>,
    value: &Json,
) -> Result<Message, DataError> {
    let item = match (index, value) {
        (Some(index), _) => fields.item(name, index, value)?,
        (None, Json::Object(object)) => fields.within(name, object),
        (None, _) => return Err(fields.wrong(name, EXPECTED)),
    };
    let mut found = item.values();
    for (theirs, ours) in [("from", "role"), ("value", "content")] {
        if !found.contains_key(ours) && found.contains_key(theirs) {
            found = renamed(found, theirs, ours);
        }
    }
    if let Some(Value::String(role)) = found.get_mut("role") {
        match role_of(role) {
            Some(ours) => ours.clone_into(role),
            None => fields.note(format!(
                "a role other than {} is given to the chat template as it is",
                ROLES.join(", ")
            )),
        }
    }
    Message::from_fields(found).map_err(|error| item.wrong(error.field, error.expected))
}

/// The same with another name for one field, in its place.
fn renamed(fields: Map<String, Value>, from: &str, to: &str) -> Map<String, Value> {
    let name = |name: String| if name == from { to.to_owned() } else { name };
    let fields = fields.into_iter();
    fields.map(|(key, value)| (name(key), value)).collect()
}

/// The roles that chat templates know.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// The role that a name stands for, in any case, ours or another tool's.
fn role_of(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "system" => "system",
        "developer" => "developer",
        "user" | "human" | "prompter" => "user",
        "assistant" | "gpt" | "chatgpt" | "bot" | "model" => "assistant",
        "tool" => "tool",
        _ => return None,
    })
}

/// Prompt, chosen and rejected where both responses are lists of messages.
pub(super) fn split_prompt(
    fields: &Fields,
    prompt: Option<Said>,
    [(chosen_name, chosen), (rejected_name, rejected)]: [(&str, Vec<Message>); 2],
) -> Result<(Prompt, String, String), DataError> {
    let (leading, chosen) = split_last(fields, chosen_name, chosen)?;
    let (other, rejected) = split_last(fields, rejected_name, rejected)?;
    if !same(&leading, &other) {
        let found = format!(
            "{} of `{chosen_name}`, {} of `{rejected_name}`, not the same",
            leading.len(),
            other.len()
        );
        let expected = format!("the same messages before the last as in `{chosen_name}`");
        return Err(fields.error(rejected_name, found, &expected));
    }
    Ok((join(fields, prompt, leading)?, chosen, rejected))
}

/// Whether messages say the same. Tables have a field in every row, null or an empty list where a record had none.
fn same(some: &[Message], others: &[Message]) -> bool {
    some.len() == others.len()
        && some
            .iter()
            .zip(others)
            .all(|(a, b)| a == b || what_is_said(a) == what_is_said(b))
}

/// As [`same`], but for white space around the contents.
fn alike(some: &[Message], others: &[Message]) -> bool {
    let trimmed = |message: &Message| -> Map<String, Value> {
        let mut fields = what_is_said(message);
        if let Some(Value::String(content)) = fields.get_mut("content") {
            *content = content.trim().to_owned();
        }
        fields
    };
    let mut pairs = some.iter().zip(others);
    some.len() == others.len() && pairs.all(|(a, b)| a == b || trimmed(a) == trimmed(b))
}

fn what_is_said(message: &Message) -> Map<String, Value> {
    let is_said = |(_, value): &(&String, &Value)| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    let said = message.fields().iter().filter(is_said);
    said.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The messages before the last one, and the last one, which the assistant must speak.
fn split_last(
    fields: &Fields,
    name: &str,
    mut messages: Vec<Message>,
) -> Result<(Vec<Message>, String), DataError> {
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

/// The prompt from a field of its own and from the messages that both responses begin with.
fn join(fields: &Fields, prompt: Option<Said>, leading: Vec<Message>) -> Result<Prompt, DataError> {
    let prompt = match prompt {
        None => Vec::new(),
        Some(Said::Text(text)) if text.is_empty() => Vec::new(),
        Some(Said::Text(text)) => text_prompt(&text, &leading),
        Some(Said::Chat(messages)) => messages,
    };
    let prompt = said_once(prompt, leading);
    if prompt.is_empty() {
        return Err(fields.missing(
            "prompt",
            "a prompt, or messages before the last in `chosen` and `rejected`",
        ));
    }
    Ok(Prompt::Chat(prompt))
}

/// A prompt and the messages that the responses begin with; what ends the one and begins the others stands once, and what the
/// others hold whole is not put before them.
fn said_once(mut prompt: Vec<Message>, mut leading: Vec<Message>) -> Vec<Message> {
    let is_held = |length: usize| leading.windows(length).any(|some| alike(some, &prompt));
    if prompt.is_empty() || is_held(prompt.len()) {
        return leading;
    }
    let lengths = (1..=prompt.len().min(leading.len())).rev();
    let ends = |length: &usize| alike(&prompt[prompt.len() - length..], &leading[..*length]);
    let overlap = lengths.into_iter().find(ends).unwrap_or(0);
    prompt.extend(leading.drain(overlap..));
    prompt
}

/// A text beside lists of messages is what the user says, unless the lists already say it.
fn text_prompt(text: &str, leading: &[Message]) -> Vec<Message> {
    if leading
        .iter()
        .any(|message| message.content().trim() == text.trim())
    {
        return Vec::new();
    }
    vec![Message::new("user", text)]
}

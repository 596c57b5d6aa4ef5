//! Messages that stand as text in a field, as in CSV files.

use super::python;
use crate::records::Json;

/// What a text holds.
pub(super) enum Held {
    /// Nothing but text.
    Text,
    /// A list of messages or one message, and in which notation.
    Messages(Json<'static>, &'static str),
    /// What begins like messages and cannot be read.
    Broken,
}

/// Names by which a message is known.
const NAMES: [&str; 4] = ["role", "content", "from", "value"];

/// Looks for messages in a text. Whatever else it holds, a list of numbers for example, is text.
pub(super) fn held(text: &str) -> Held {
    let trimmed = text.trim();
    if !trimmed.starts_with(['[', '{', 'a']) || !begins_like_messages(trimmed) {
        return Held::Text;
    }
    match value(trimmed) {
        Some((value, notation)) if is_messages(&value) => Held::Messages(value, notation),
        Some(_) => Held::Text,
        None => Held::Broken,
    }
}

/// What a text holds, and in which notation.
pub(super) fn value(text: &str) -> Option<(Json<'static>, &'static str)> {
    match Json::parse(text.as_bytes()) {
        Ok(value) => Some((value.into_owned(), "JSON")),
        Err(_) => Some((python::parse(text)?, "Python's notation")),
    }
}

/// Whether the first name in it, behind nothing but brackets, is one of a message's.
fn begins_like_messages(text: &str) -> bool {
    let text = text.strip_prefix("array(").unwrap_or(text);
    let inside = text.trim_start_matches(['[', '(', ' ', '\n', '\t', '\r']);
    let Some(inside) = inside.strip_prefix('{') else {
        return false;
    };
    let inside = inside.trim_start();
    let Some(name) = inside.strip_prefix(['"', '\'']) else {
        return false;
    };
    let named = |known: &&str| {
        let rest = name.strip_prefix(*known);
        rest.is_some_and(|rest| rest.starts_with(['"', '\'']))
    };
    NAMES.iter().any(named)
}

fn is_messages(value: &Json) -> bool {
    let is_message = |value: &Json| match value {
        Json::Object(fields) => {
            fields.contains("role") && (fields.contains("content") || fields.contains("tool_calls"))
                || fields.contains("from") && fields.contains("value")
        }
        _ => false,
    };
    match value {
        Json::List(items) => !items.is_empty() && items.iter().all(is_message),
        other => is_message(other),
    }
}

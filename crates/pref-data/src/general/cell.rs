//! Messages that stand as text in a field, as in CSV files.

use super::python;
use crate::records::{Fields, Json};

/// What a text holds.
pub(super) enum Held {
    /// Nothing but text.
    Text,
    /// A list of messages or one message, and in which notation.
    Messages(Json<'static>, &'static str),
    /// A list of one text, and in which notation.
    OneText(String, &'static str),
    /// A list of this many texts.
    Texts(usize),
    /// What looks like messages and cannot be read.
    Broken,
}

/// Names by which a message is known.
const NAMES: [&str; 4] = ["role", "content", "from", "value"];

/// Looks for messages in a text. A cell of a table without types may also hold a list of texts. Whatever else it holds, a list
/// of numbers for example, is text.
pub(super) fn held(text: &str, untyped: bool) -> Held {
    let trimmed = text.trim();
    let is_closed = trimmed.starts_with(['[', '{']) && trimmed.ends_with([']', '}']);
    if !is_closed && !begins_like_messages(trimmed) {
        return Held::Text;
    }
    let Some((mut value, notation)) = value(trimmed) else {
        let is_broken = begins_like_messages(trimmed) || has_message_key(trimmed);
        return if is_broken { Held::Broken } else { Held::Text };
    };
    while let Json::List(items) = &mut value
        && let [Json::List(_)] = items[..]
        && let Some(inner) = items.pop()
    {
        value = inner;
    }
    match &value {
        value if is_messages(value) => {}
        Json::List(items) if untyped && items.iter().all(is_text) => match &items[..] {
            [] => return Held::Text,
            [Json::Text(text)] => return Held::OneText(text.to_string(), notation),
            more => return Held::Texts(more.len()),
        },
        _ => return Held::Text,
    }
    Held::Messages(value, notation)
}

fn is_text(value: &Json) -> bool {
    matches!(value, Json::Text(_))
}

/// The items of a list that stands in a field, also as JSON or in Python's notation in a text.
pub(crate) fn listed(fields: &Fields, name: &str) -> Option<Vec<Json<'static>>> {
    let found = match fields.get(name)? {
        Json::Text(text) => value(text.trim())?.0,
        other => other.clone().into_owned(),
    };
    match found {
        Json::List(items) => Some(items),
        _ => None,
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

/// Whether one of a message's names stands anywhere as the key of a dict, or of a pair as in an `OrderedDict`.
fn has_message_key(text: &str) -> bool {
    let is_key = |name: &str, quote: char| {
        let quoted = format!("{quote}{name}{quote}");
        text.match_indices(&quoted).any(|(at, _)| {
            let before = text[..at].trim_end();
            let after = text[at + quoted.len()..].trim_start();
            after.starts_with(':') || before.ends_with('(') && after.starts_with(',')
        })
    };
    let mut names = ["role", "content", "from"].into_iter();
    names.any(|name| is_key(name, '\'') || is_key(name, '"'))
}

/// A list of which one item is a message is one of messages: what is wrong with the others is said later.
fn is_messages(value: &Json) -> bool {
    let is_message = |value: &Json| match value {
        Json::Object(fields) => {
            fields.contains("role") && (fields.contains("content") || fields.contains("tool_calls"))
                || fields.contains("from") && fields.contains("value")
        }
        _ => false,
    };
    match value {
        Json::List(items) => items.iter().any(is_message),
        other => is_message(other),
    }
}

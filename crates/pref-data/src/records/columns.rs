//! The columns of CSV and Parquet files. Both formats hold the general layout; JSON holds any.

use std::path::Path;

use serde_json::Value;

use super::json::Json;
use crate::error::DataError;
use crate::message::Message;

/// Columns that hold text or messages.
const TEXT: [&str; 3] = ["prompt", "chosen", "rejected"];
/// Columns without which there is no comparison.
const REQUIRED: [&str; 2] = ["chosen", "rejected"];
/// Columns that may be empty.
const OPTIONAL: [&str; 6] = [
    "user",
    "user_text",
    "source",
    "group",
    "tools",
    "chat_template_kwargs",
];

/// Whether the column holds text or messages.
pub(super) fn is_text(name: &str) -> bool {
    TEXT.contains(&name)
}

/// Whether the column may be empty.
pub(super) fn is_optional(name: &str) -> bool {
    OPTIONAL.contains(&name)
}

/// Refuses a file without the columns of a comparison, or with two of a name.
///
/// # Errors
/// [`DataError::Record`] in the file's first line.
pub(super) fn validate(path: &Path, names: &[&str]) -> Result<(), DataError> {
    let wrong = |name: &str, expected: &str| {
        let found = format!("the columns {}", names.join(", "));
        Err(DataError::record(path, 1, name, found, expected))
    };
    if let Some(missing) = REQUIRED.iter().find(|name| !names.contains(name)) {
        return wrong(missing, "a column of this name");
    }
    let mut twice = names.iter().enumerate();
    match twice.find(|(n, name)| names[..*n].contains(name)) {
        Some((_, name)) => wrong(name, "one column of this name"),
        None => Ok(()),
    }
}

/// A text cell of CSV or Parquet; a JSON list of messages in it becomes that list.
pub(super) fn text_cell(cell: &str) -> Json<'static> {
    if cell.trim_start().starts_with('[')
        && let Ok(messages) = serde_json::from_str::<Vec<Message>>(cell)
        && !messages.is_empty()
    {
        let fields = |message: Message| Value::Object(message.into());
        return Json::List(messages.into_iter().map(fields).map(Json::from).collect());
    }
    Json::text(cell.to_owned())
}

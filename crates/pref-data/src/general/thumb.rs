//! One response and whether its user liked it: a thumb, as products collect them.

use super::chat::{self, Said};
use super::columns::{CONVERSATIONS, Columns};
use super::{MISSING, choice, others};
use crate::comparison::Thumb;
use crate::error::DataError;
use crate::records::{Fields, Json};

const EXPECTED: &str = "whether the user liked the response: true or false, 1 or 0, \"up\" or \"down\", \"good\" or \"bad\"";
const UP: [&str; 15] = [
    "true",
    "1",
    "1.0",
    "yes",
    "up",
    "thumbs_up",
    "thumbsup",
    "upvote",
    "upvoted",
    "good",
    "like",
    "liked",
    "positive",
    "desirable",
    "👍",
];
const DOWN: [&str; 15] = [
    "false",
    "0",
    "0.0",
    "no",
    "down",
    "thumbs_down",
    "thumbsdown",
    "downvote",
    "downvoted",
    "bad",
    "dislike",
    "disliked",
    "negative",
    "undesirable",
    "👎",
];

/// A response with the name of its column, and what was said of it.
pub(super) type Thumbed<'c> = (&'c str, Said, Thumb);

/// Whether a record has a response alone: a column for it or for what was said of it, and nothing in those of a pair.
pub(super) fn is_thumb(fields: &Fields, columns: &Columns) -> bool {
    let is_filled = |role| {
        let name = columns.look(fields, role).ok().flatten();
        name.and_then(|name| fields.get(name))
            .is_some_and(|value| !matches!(value, Json::Text(text) if text.is_empty()))
    };
    if is_filled("chosen") || is_filled("rejected") {
        return false;
    }
    if fields.names().any(choice::is_response) || others::has_pair(fields) {
        return false;
    }
    let has = |role| matches!(columns.look(fields, role), Ok(Some(_)));
    has("label")
        || fields.contains("completion")
        || columns.completion.is_some() && has("completion")
}

/// The response of a record that [`is_thumb`], and what was said of it; none where nothing was.
pub(super) fn read<'c>(
    fields: &'c Fields,
    columns: &'c Columns,
) -> Result<Option<Thumbed<'c>>, DataError> {
    let Some(label) = columns.find(fields, "label")? else {
        return Err(fields.missing("label", EXPECTED));
    };
    let Some(thumb) = thumb(fields, label)? else {
        return Ok(None);
    };
    let (name, said) = response(fields, columns)?;
    Ok(Some((name, said, thumb)))
}

/// A response alone, with the name of its column.
pub(super) fn response<'c>(
    fields: &'c Fields,
    columns: &'c Columns,
) -> Result<(&'c str, Said), DataError> {
    let name = match columns.find(fields, "completion")? {
        Some(name) => name,
        None => {
            let mut lists = CONVERSATIONS.into_iter();
            let Some(name) = lists.find(|name| fields.get(name).is_some()) else {
                return Err(fields.missing("completion", chat::EXPECTED));
            };
            fields.note(format!(
                "the last of column `{name}` is taken for `completion`"
            ));
            name
        }
    };
    match chat::said(fields, name)? {
        Some(said) => Ok((name, said)),
        None => Err(fields.wrong(name, chat::EXPECTED)),
    }
}

/// Notes a thumb beside a pair, which counts.
pub(super) fn note_beside_pair(fields: &Fields, columns: &Columns) {
    let label = columns.look(fields, "label").ok().flatten();
    if label.is_some_and(|name| fields.get(name).is_some()) && fields.get("completion").is_some() {
        fields.note("`completion` and its label beside a pair are not used");
    }
}

fn thumb(fields: &Fields, name: &str) -> Result<Option<Thumb>, DataError> {
    let text = match fields.get(name) {
        None => return Ok(None),
        Some(Json::Bool(true)) => return Ok(Some(Thumb::Up)),
        Some(Json::Bool(false)) => return Ok(Some(Thumb::Down)),
        Some(Json::Number(number)) => number.to_string(),
        Some(Json::Text(text)) => text.trim().to_lowercase().replace([' ', '-'], "_"),
        Some(_) => return Err(fields.wrong(name, EXPECTED)),
    };
    match &*text {
        "" => Ok(None),
        missing if MISSING.iter().any(|name| name.to_lowercase() == missing) => Ok(None),
        up if UP.contains(&up) => Ok(Some(Thumb::Up)),
        down if DOWN.contains(&down) => Ok(Some(Thumb::Down)),
        _ => Err(fields.wrong(name, EXPECTED)),
    }
}

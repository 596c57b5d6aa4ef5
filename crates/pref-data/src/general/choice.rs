//! Two responses that stand side by side, and a column that says which one is preferred.

use super::chat::{self, Said};
use crate::error::DataError;
use crate::records::{Fields, Json};

/// Names of responses, before `_a` and `_b`, `_0` and `_1`, or `_1` and `_2`.
const STEMS: [&str; 4] = ["response", "completion", "answer", "output"];
const ENDS: [[&str; 2]; 3] = [["a", "b"], ["0", "1"], ["1", "2"]];
/// Columns that say which one, in the order in which they are looked for.
const CHOICES: [&str; 10] = [
    "winner",
    "choice",
    "preference",
    "preferred",
    "preferred_response",
    "chosen",
    "chosen_response",
    "better_response_id",
    "better",
    "label",
];
/// Whose names a choice may hold instead.
const MODELS: [&str; 2] = ["model_a", "model_b"];
/// What may stand before the letter or number of a choice.
const BEFORE: [&str; 9] = [
    "",
    "response",
    "completion",
    "answer",
    "output",
    "model",
    "assistant",
    "conversation",
    "option",
];
const TIES: [&str; 5] = ["draw", "both", "neither", "equal", "same"];

/// Whether a column of this name may be read here.
pub(super) fn may_use(name: &str) -> bool {
    is_response(name) || CHOICES.contains(&name) || MODELS.contains(&name)
}

/// Whether a column of this name holds one of two responses.
pub(super) fn is_response(name: &str) -> bool {
    STEMS.iter().any(|stem| {
        let end = name.strip_prefix(stem);
        let end = end.and_then(|rest| rest.strip_prefix('_'));
        end.is_some_and(|end| ENDS.iter().flatten().any(|known| *known == end))
    })
}

/// Which of two responses is preferred.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    First,
    Second,
    Tie,
}

impl Verdict {
    /// The preferred one and the other, as long as there is a preferred one.
    pub(crate) fn order<T>(self, [first, second]: [T; 2]) -> Option<[T; 2]> {
        match self {
            Self::First => Some([first, second]),
            Self::Second => Some([second, first]),
            Self::Tie => None,
        }
    }
}

/// Two responses, each with the name of its column, and which one is preferred.
type Judged<'f> = (Verdict, [(&'f str, Said); 2]);

/// The responses of a record, in their order, and which one is preferred; none if there are no such columns.
pub(super) fn pair<'f>(fields: &'f Fields<'_>) -> Result<Option<Judged<'f>>, DataError> {
    let named = |name: String| fields.names().find(|found| *found == name);
    let mut names = STEMS.iter().flat_map(|stem| {
        ENDS.iter().filter_map(move |ends| {
            let [a, b] = ends.map(|end| named(format!("{stem}_{end}")));
            Some(([a?, b?], ends))
        })
    });
    let Some((names, ends)) = names.next() else {
        return Ok(None);
    };
    let Some(column) = CHOICES.into_iter().find(|name| fields.contains(name)) else {
        let expected = format!(
            "a column that says which of `{}` and `{}` is preferred",
            names[0], names[1]
        );
        return Err(fields.missing("winner", &expected));
    };
    let said = |name| match chat::said(fields, name)? {
        Some(said) => Ok((name, said)),
        None => Err(fields.wrong(name, "text")),
    };
    let verdict = verdict(fields, column, ends)?;
    fields.note(format!(
        "of `{}` and `{}`, column `{column}` says which is preferred",
        names[0], names[1]
    ));
    Ok(Some((verdict, [said(names[0])?, said(names[1])?])))
}

/// What a column says of two things that are called by the two ends: `a` and `b`, or numbers. Beside letters, 0 and 1 count too,
/// as places.
pub(crate) fn verdict(
    fields: &Fields,
    column: &str,
    ends: &[&str; 2],
) -> Result<Verdict, DataError> {
    let wrong = || {
        let numbers = if *ends == ENDS[0] { ", 0, 1" } else { "" };
        let expected = format!(
            "which one is preferred: {}, {}{numbers}, as in \"model_a\" or \"response_{}\", or \"tie\"",
            ends[0], ends[1], ends[1]
        );
        fields.wrong(column, &expected)
    };
    let text = match fields.get(column) {
        Some(Json::Text(text)) => text.trim().to_lowercase(),
        Some(Json::Number(number)) => number.to_string(),
        _ => return Err(wrong()),
    };
    let models = MODELS.map(|name| match fields.get(name) {
        Some(Json::Text(model)) => Some(model.trim().to_lowercase()),
        _ => None,
    });
    if models[0] != models[1] {
        if models[0].as_ref() == Some(&text) {
            return Ok(Verdict::First);
        }
        if models[1].as_ref() == Some(&text) {
            return Ok(Verdict::Second);
        }
    }
    if text.starts_with("tie") || TIES.contains(&&*text) {
        return Ok(Verdict::Tie);
    }
    // What a table makes of whole numbers beside gaps.
    let text = text.strip_suffix(".0").unwrap_or(&text);
    let (before, end) = text.rsplit_once(['_', ' ']).unwrap_or(("", text));
    if !BEFORE.contains(&before) {
        return Err(wrong());
    }
    let is_place = *ends == ENDS[0] && before.is_empty();
    match end {
        _ if end == ends[0] => Ok(Verdict::First),
        _ if end == ends[1] => Ok(Verdict::Second),
        "a" => Ok(Verdict::First),
        "b" => Ok(Verdict::Second),
        "0" if is_place => Ok(Verdict::First),
        "1" if is_place => Ok(Verdict::Second),
        _ => Err(wrong()),
    }
}

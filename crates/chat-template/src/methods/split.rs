//! Methods that divide a text.

use crate::budget::Budget;
use crate::calls::{Passed, integer, text};
use crate::error::{Fallible, failed};
use crate::lexer::is_space;
use crate::value::Value;

pub(super) fn call(budget: &Budget, found: &str, name: &str, passed: &Passed) -> Fallible<Value> {
    match name {
        "splitlines" => {
            let [keep] = passed.bind(name, ["keepends"], 0)?;
            texts(budget, lines(found, keep.is_some_and(Value::truth)))
        }
        "partition" | "rpartition" => {
            let separator = text(name, passed.one(name, "sep")?)?;
            not_empty(separator)?;
            let parts = match name {
                "partition" => found.split_once(&**separator),
                _ => found.rsplit_once(&**separator),
            };
            let parts = match (parts, name) {
                (Some((before, after)), _) => [before, separator, after],
                (None, "partition") => [found, "", ""],
                (None, _) => ["", "", found],
            };
            let parts = parts.map(|part| budget.text(part));
            budget.tuple(parts.into_iter().collect::<Fallible<_>>()?)
        }
        _ => {
            let [separator, most] = passed.bind(name, ["sep", "maxsplit"], 0)?;
            let most = most.map_or(Ok(-1), |most| integer(name, most))?;
            let most = usize::try_from(most).unwrap_or(usize::MAX - 1);
            let from_end = name == "rsplit";
            let parts = match separator.filter(|separator| !separator.is_none()) {
                None => by_space(found, most, from_end),
                Some(separator) => {
                    let separator = text(name, separator)?;
                    not_empty(separator)?;
                    by_text(found, separator, most, from_end)
                }
            };
            texts(budget, parts)
        }
    }
}

fn not_empty(separator: &str) -> Fallible<()> {
    match separator.is_empty() {
        true => Err(failed("empty separator")),
        false => Ok(()),
    }
}

fn texts(budget: &Budget, parts: Vec<&str>) -> Fallible<Value> {
    let parts = parts.into_iter().map(|part| budget.text(part));
    budget.list(parts.collect::<Fallible<_>>()?)
}

fn by_text<'t>(text: &'t str, separator: &str, most: usize, from_end: bool) -> Vec<&'t str> {
    if !from_end {
        return text.splitn(most.saturating_add(1), separator).collect();
    }
    let mut parts: Vec<&str> = text.rsplitn(most.saturating_add(1), separator).collect();
    parts.reverse();
    parts
}

/// Between white space. What is left after the last division keeps the white space on its other side.
fn by_space(text: &str, most: usize, from_end: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let trimmed = |rest: &'_ str| match from_end {
        false => rest.len() - rest.trim_start_matches(is_space).len(),
        true => rest.trim_end_matches(is_space).len(),
    };
    let skip = |rest: &'_ str| match from_end {
        false => trimmed(rest)..rest.len(),
        true => 0..trimmed(rest),
    };
    let mut rest = &text[skip(text)];
    while !rest.is_empty() {
        let at = match from_end {
            false => rest.find(is_space),
            true => rest.rfind(is_space),
        };
        let Some(at) = at.filter(|_| parts.len() < most) else {
            parts.push(rest);
            break;
        };
        let space = rest[at..].chars().next().map_or(1, char::len_utf8);
        let (part, others) = match from_end {
            false => (&rest[..at], &rest[at..]),
            true => (&rest[at + space..], &rest[..at]),
        };
        parts.push(part);
        rest = &others[skip(others)];
    }
    if from_end {
        parts.reverse();
    }
    parts
}

/// `splitlines`.
pub(crate) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    const ENDS: [char; 10] = [
        '\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}',
    ];
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(ENDS) {
        let width = match rest[at..].starts_with("\r\n") {
            true => 2,
            false => rest[at..].chars().next().map_or(1, char::len_utf8),
        };
        lines.push(if keep_ends {
            &rest[..at + width]
        } else {
            &rest[..at]
        });
        rest = &rest[at + width..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

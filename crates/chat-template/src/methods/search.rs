//! Methods that look for a text in another.

use crate::access::{indices, items};
use crate::budget::{Budget, Writer};
use crate::calls::{Passed, integer, text};
use crate::error::{Fallible, failed};
use crate::lexer::is_space;
use crate::value::Value;

pub(super) fn join(budget: &Budget, separator: &str, parts: &Value) -> Fallible<Value> {
    let mut out = Writer::new(budget);
    for (at, part) in items(budget, parts)?.iter().enumerate() {
        let Some(part) = part.as_text() else {
            let kind = part.type_name();
            return Err(failed(format!(
                "sequence item {at}: expected str instance, {kind} found"
            )));
        };
        if at > 0 {
            out.push(separator)?;
        }
        out.push(part)?;
    }
    Ok(out.finish())
}

pub(super) fn call(budget: &Budget, found: &str, name: &str, passed: &Passed) -> Fallible<Value> {
    match name {
        "strip" | "lstrip" | "rstrip" => strip(budget, found, name, passed),
        "removeprefix" | "removesuffix" => {
            let part = text(name, passed.one(name, "affix")?)?;
            let rest = match name {
                "removeprefix" => found.strip_prefix(&**part),
                _ => found.strip_suffix(&**part),
            };
            budget.text(rest.unwrap_or(found))
        }
        "replace" => replace(budget, found, passed),
        "startswith" | "endswith" => {
            let (part, window) = window(found, name, passed)?;
            let Some((_, window)) = window else {
                return Ok(Value::Bool(false));
            };
            let holds = |part: &str| match name {
                "startswith" => window.starts_with(part),
                _ => window.ends_with(part),
            };
            let Value::Tuple(parts) = part else {
                return Ok(Value::Bool(holds(text(name, part)?)));
            };
            for part in &parts.items {
                budget.step(1)?;
                budget.look(part.as_text().map_or(0, |part| part.len()))?;
                if holds(text(name, part)?) {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        _ => position(found, name, passed),
    }
}

/// `find`, `index`, `count` and their reverses, in characters.
fn position(found: &str, name: &str, passed: &Passed) -> Fallible<Value> {
    let (part, window) = window(found, name, passed)?;
    let part = text(name, part)?;
    let (offset, window) = match window {
        Some((offset, window)) => (offset, Some(window)),
        None => (0, None),
    };
    if name == "count" {
        let count = window.map_or(0, |window| window.matches(&**part).count());
        return Ok(Value::Integer(count as i128));
    }
    let at = window.and_then(|window| {
        let at = match name.starts_with('r') {
            true => window.rfind(&**part),
            false => window.find(&**part),
        };
        at.map(|at| offset + window[..at].chars().count())
    });
    match at {
        Some(at) => Ok(Value::Integer(at as i128)),
        None if name.ends_with("index") => Err(failed("substring not found")),
        None => Ok(Value::Integer(-1)),
    }
}

/// What is looked for, and where: its start in characters and the text. None where the start lies behind the end.
#[allow(clippy::type_complexity)]
fn window<'a>(
    found: &'a str,
    name: &str,
    passed: &'a Passed,
) -> Fallible<(&'a Value, Option<(usize, &'a str)>)> {
    let [part, start, end] = passed.bind(name, ["sub", "start", "end"], 1)?;
    let part = part.unwrap_or(&Value::None);
    if start.is_none() && end.is_none() {
        return Ok((part, Some((0, found))));
    }
    let bound = |value: Option<&Value>| match value {
        None | Some(Value::None) => Ok(None),
        Some(value) => integer(name, value).map(Some),
    };
    let bounds = [bound(start)?, bound(end)?, None];
    let length = found.chars().count();
    if bounds[0].is_some_and(|start| start > length as i128) {
        return Ok((part, None));
    }
    let mut chosen = indices(bounds, length);
    let byte = |at: usize| {
        found
            .char_indices()
            .nth(at)
            .map_or(found.len(), |(at, _)| at)
    };
    let Some(first) = chosen.next() else {
        // An empty window still lies somewhere.
        let at = indices([bounds[0], None, None], length)
            .next()
            .unwrap_or(length);
        let ordered = bounds[1].is_none_or(|end| {
            let end = if end < 0 { end + length as i128 } else { end };
            end >= at as i128
        });
        return Ok((part, ordered.then(|| (at, &found[byte(at)..byte(at)]))));
    };
    let last = chosen.last().unwrap_or(first);
    Ok((part, Some((first, &found[byte(first)..byte(last + 1)]))))
}

fn strip(budget: &Budget, found: &str, name: &str, passed: &Passed) -> Fallible<Value> {
    let [characters] = passed.bind(name, ["chars"], 0)?;
    let characters = match characters {
        None | Some(Value::None) => None,
        Some(characters) => Some(text(name, characters)?),
    };
    if let Some(characters) = characters {
        budget.step((found.len() as u64).saturating_mul(characters.len() as u64) / 64)?;
    }
    let goes = |c: char| match characters {
        Some(characters) => characters.contains(c),
        None => is_space(c),
    };
    budget.text(match name {
        "lstrip" => found.trim_start_matches(goes),
        "rstrip" => found.trim_end_matches(goes),
        _ => found.trim_matches(goes),
    })
}

fn replace(budget: &Budget, found: &str, passed: &Passed) -> Fallible<Value> {
    let [old, new, count] = passed.bind("replace", ["old", "new", "count"], 2)?;
    let part = |value: Option<&'_ Value>| value.cloned().unwrap_or(Value::None);
    let (old, new) = (part(old), part(new));
    let (old, new) = (text("replace", &old)?, text("replace", &new)?);
    let count = count.map_or(Ok(-1), |count| integer("replace", count))?;
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let mut out = Writer::new(budget);
    let mut rest = 0;
    for (at, part) in found.match_indices(&**old).take(most) {
        out.push(&found[rest..at])?;
        out.push(new)?;
        rest = at + part.len();
    }
    out.push(&found[rest..])?;
    Ok(out.finish())
}

//! `str.format`.

use std::sync::Arc;

use super::{ascii, with_spec};
use crate::access;
use crate::budget::{Budget, Writer};
use crate::calls::Passed;
use crate::error::{Fallible, failed};
use crate::repr::{to_repr, to_text};
use crate::value::Value;

/// Fields in the specification of a field, and no deeper.
const DEEPEST: usize = 2;

/// `text.format(...)`.
pub(crate) fn format(budget: &Budget, text: &str, passed: &Passed) -> Fallible<String> {
    let mut next = Numbering::Unknown;
    expanded(budget, text, passed, &mut next, DEEPEST)
}

/// How fields without a name or number are counted.
enum Numbering {
    Unknown,
    Automatic(usize),
    Manual,
}

fn expanded(
    budget: &Budget,
    text: &str,
    passed: &Passed,
    next: &mut Numbering,
    depth: usize,
) -> Fallible<String> {
    if depth == 0 {
        return Err(failed("Max string recursion exceeded"));
    }
    let mut out = Writer::new(budget);
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push(&rest[..at])?;
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if rest.starts_with(brace) {
            out.push(brace)?;
            rest = &rest[1..];
            continue;
        }
        if brace == "}" {
            return Err(failed("Single '}' encountered in format string"));
        }
        let end = end_of_field(rest).ok_or_else(|| failed("expected '}' before end of string"))?;
        let shown = field(budget, &rest[..end], passed, next, depth)?;
        out.push(&shown)?;
        rest = &rest[end + 1..];
    }
    out.push(rest)?;
    Ok(out.text)
}

/// Where the brace of a field closes.
fn end_of_field(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// `name!conversion:specification`.
fn field(
    budget: &Budget,
    text: &str,
    passed: &Passed,
    next: &mut Numbering,
    depth: usize,
) -> Fallible<String> {
    let mut in_brackets = false;
    let end = text.find(|c| {
        in_brackets = (in_brackets || c == '[') && c != ']';
        !in_brackets && (c == '!' || c == ':')
    });
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let (conversion, spec) = match rest.strip_prefix('!') {
        Some(rest) => {
            let (conversion, spec) = rest.split_once(':').unwrap_or((rest, ""));
            (Some(conversion), spec)
        }
        None => (None, rest.strip_prefix(':').unwrap_or("")),
    };
    let value = named(budget, name, passed, next)?;
    let value = match conversion {
        None => value,
        Some("s") => Value::Text(to_text(budget, &value)?),
        Some("r") => Value::Text(to_repr(budget, &value)?),
        Some("a") => budget.text(ascii(&to_repr(budget, &value)?))?,
        Some(other) => {
            return Err(failed(format!("Unknown conversion specifier {other}")));
        }
    };
    let spec = expanded(budget, spec, passed, next, depth - 1).or_else(|error| match spec {
        "" => Ok(String::new()),
        _ => Err(error),
    })?;
    with_spec(budget, &value, &spec)
}

/// The value of `0`, `name`, `name.attribute`, `name[key]`.
fn named(budget: &Budget, name: &str, passed: &Passed, next: &mut Numbering) -> Fallible<Value> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut rest) = name.split_at(end);
    let mut value = match first.parse::<usize>() {
        Ok(index) => {
            if matches!(next, Numbering::Automatic(_)) {
                let problem =
                    "cannot switch from automatic field numbering to manual field specification";
                return Err(failed(problem));
            }
            *next = Numbering::Manual;
            positional(passed, index)?
        }
        Err(_) if name.is_empty() => {
            let index = match next {
                Numbering::Manual => {
                    let problem = "cannot switch from manual field specification to automatic field numbering";
                    return Err(failed(problem));
                }
                Numbering::Automatic(index) => *index,
                Numbering::Unknown => 0,
            };
            *next = Numbering::Automatic(index + 1);
            positional(passed, index)?
        }
        Err(_) => {
            budget.step(passed.named.len() as u64 / 8)?;
            let mut named = passed.named.iter();
            let found = named.find(|(name, _)| &**name == first);
            let found = found.map(|(_, value)| value.clone());
            found.ok_or_else(|| failed(format!("no argument {}", super::named(first))))?
        }
    };
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            value = access::attribute(budget, &value, &Arc::from(&after[..end]))?;
            rest = &after[end..];
        } else {
            let after = &rest[1..];
            let end = after.find(']');
            let end = end.ok_or_else(|| failed("Missing ']' in format string"))?;
            let key = match after[..end].parse() {
                Ok(index) => Value::Integer(index),
                Err(_) => Value::text(&after[..end]),
            };
            value = access::item(budget, &value, &key)?;
            rest = &after[end + 1..];
            if !rest.is_empty() && !rest.starts_with(['.', '[']) {
                return Err(failed(
                    "Only '.' or '[' may follow ']' in format field specifier",
                ));
            }
        }
    }
    Ok(value)
}

fn positional(passed: &Passed, index: usize) -> Fallible<Value> {
    let problem = "Replacement index {} out of range for positional args tuple";
    let value = passed.positional.get(index).cloned();
    value.ok_or_else(|| failed(problem.replace("{}", &index.to_string())))
}

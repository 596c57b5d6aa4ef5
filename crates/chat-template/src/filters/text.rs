//! Filters on texts.

use std::sync::Arc;

use super::soft;
use crate::budget::{Budget, Writer};
use crate::calls::{Passed, indent, integer, size, text};
use crate::error::{Fallible, failed};
use crate::format::percent;
use crate::html::{escape, strip_tags, url_quote};
use crate::lexer::is_space;
use crate::methods;
use crate::operators::markup;
use crate::repr::to_text;
use crate::value::{Dict, Value};

pub(super) fn apply(
    budget: &Budget,
    name: &str,
    value: &Value,
    passed: &Passed,
) -> Fallible<Value> {
    match name {
        "format" => return formatted(budget, value, passed),
        "indent" => return indented(budget, value, passed),
        "truncate" => return truncated(budget, value, passed),
        "replace" => return replaced(budget, value, passed),
        "xmlattr" => return attributes(budget, value, passed),
        "urlencode" => {
            passed.none(name)?;
            return url_encoded(budget, value);
        }
        "center" => {
            let [width] = passed.bind(name, ["width"], 0)?;
            let width = width.cloned().unwrap_or(Value::Integer(80));
            let passed = Passed {
                positional: vec![width],
                ..Passed::default()
            };
            let value = Value::Text(soft(budget, value)?);
            return methods::call(budget, &value, &"center".into(), &passed);
        }
        "trim" => {
            let [characters] = passed.bind(name, ["chars"], 0)?;
            let value = Value::Text(soft(budget, value)?);
            let passed = Passed {
                positional: characters.cloned().into_iter().collect(),
                ..Passed::default()
            };
            return methods::call(budget, &value, &"strip".into(), &passed);
        }
        _ => passed.none(name)?,
    }
    let found = soft(budget, value)?;
    budget.read(found.len())?;
    let is_markup = matches!(value, Value::Markup(_));
    match name {
        "capitalize" => budget.text(methods::capitalize(&found)),
        "lower" => budget.text(found.to_lowercase()),
        "upper" => budget.text(found.to_uppercase()),
        "title" => budget.text(title(&found)),
        "e" | "escape" if is_markup => Ok(value.clone()),
        "e" | "escape" | "forceescape" => markup(budget, escape(&found)),
        "safe" => markup(budget, found.to_string()),
        "striptags" => budget.text(strip_tags(&found)),
        "wordcount" => Ok(Value::Integer(words(&found) as i128)),
        // `string`
        _ if is_markup => Ok(value.clone()),
        _ => Ok(Value::Text(found)),
    }
}

/// A capital behind every white space, hyphen and opening bracket.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_first = true;
    for c in text.chars() {
        let separates = is_space(c) || "-({[<".contains(c);
        match is_first && !separates {
            true => out.extend(c.to_uppercase()),
            false => out.extend(c.to_lowercase()),
        }
        is_first = separates;
    }
    out
}

fn words(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .count()
}

fn formatted(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let format = Value::Text(soft(budget, value)?);
    if passed.named.is_empty() {
        let values = budget.tuple(passed.positional.clone())?;
        return percent(budget, &format, &values);
    }
    if !passed.positional.is_empty() {
        let problem = "can't handle positional and keyword arguments at the same time";
        return Err(failed(problem));
    }
    let mut named = Dict::default();
    for (name, value) in &passed.named {
        named.insert(budget, Value::Text(Arc::clone(name)), value.clone())?;
    }
    percent(budget, &format, &budget.dict(named)?)
}

fn indented(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [width, first, blank] = passed.bind("indent", ["width", "first", "blank"], 0)?;
    let found = text("indent", value)?;
    let margin: Arc<str> = match width {
        None => "    ".into(),
        Some(width) => indent(budget, "indent", width)?,
    };
    let [first, blank] = [first, blank].map(|flag| flag.is_some_and(Value::truth));
    let mut out = Writer::new(budget);
    let joined = format!("{found}\n");
    for (at, line) in methods::lines(&joined, false).into_iter().enumerate() {
        if at > 0 {
            out.push("\n")?;
        }
        // The first line is never empty for `first`, nor any for `blank`.
        if (at == 0 && first) || (at > 0 && (blank || !line.is_empty())) {
            out.push(&margin)?;
        }
        out.push(line)?;
    }
    Ok(match value {
        Value::Markup(_) => Value::Markup(out.text.into()),
        _ => out.finish(),
    })
}

fn truncated(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let names = ["length", "killwords", "end", "leeway"];
    let [length, kill, end, leeway] = passed.bind("truncate", names, 0)?;
    let number = |value: Option<&Value>, default| match value {
        None | Some(Value::None) => Ok(default),
        Some(value) => integer("truncate", value),
    };
    let (length, leeway) = (number(length, 255)?, number(leeway, 5)?);
    let end = match end {
        Some(end) => text("truncate", end)?,
        None => &Arc::from("..."),
    };
    let end_length = end.chars().count() as i128;
    if length < end_length || leeway < 0 {
        return Err(failed(format!(
            "truncate: expected a length of at least {end_length} and a leeway of at least 0"
        )));
    }
    let found = crate::calls::length(budget, value)?;
    if found as i128 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let found = text("truncate", value)?;
    let cut: String = found.chars().take(size(length - end_length)).collect();
    let kept = match kill.is_some_and(Value::truth) {
        true => cut.as_str(),
        false => cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept),
    };
    budget.text(format!("{kept}{end}"))
}

fn replaced(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [old, new, count] = passed.bind("replace", ["old", "new", "count"], 2)?;
    let part = |value: Option<&Value>| to_text(budget, value.unwrap_or(&Value::None));
    let mut positional = vec![Value::Text(part(old)?), Value::Text(part(new)?)];
    positional.extend(count.filter(|count| !count.is_none()).cloned());
    let passed = Passed {
        positional,
        ..Passed::default()
    };
    let value = Value::Text(soft(budget, value)?);
    methods::call(budget, &value, &"replace".into(), &passed)
}

fn url_encoded(budget: &Budget, value: &Value) -> Fallible<Value> {
    let quote =
        |value: &Value| -> Fallible<String> { Ok(url_quote(&to_text(budget, value)?, true)) };
    let pairs = match value {
        Value::Dict(dict) => crate::access::items(
            budget,
            &Value::View(crate::value::View::Items, std::rc::Rc::clone(dict)),
        )?,
        other if other.as_text().is_none() && crate::access::is_iterable(other) => {
            crate::access::items(budget, other)?
        }
        other => return budget.text(url_quote(&to_text(budget, other)?, false)),
    };
    let mut parts = Vec::new();
    for pair in pairs {
        let pair = crate::access::items(budget, &pair)?;
        let [key, value] = pair.as_slice() else {
            return Err(failed("urlencode: expected pairs of a key and a value"));
        };
        parts.push(format!("{}={}", quote(key)?, quote(value)?));
    }
    budget.text(parts.join("&"))
}

fn attributes(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [space] = passed.bind("xmlattr", ["autospace"], 0)?;
    let Value::Dict(dict) = value else {
        let kind = value.type_name();
        return Err(failed(format!("xmlattr: expected a dict, found {kind}")));
    };
    let mut parts = Vec::new();
    budget.step(dict.len() as u64)?;
    for (key, value) in dict.entries.values() {
        if value.is_none() || value.is_undefined() {
            continue;
        }
        let (key, shown) = (to_text(budget, key)?, to_text(budget, value)?);
        if key.contains(|c: char| c.is_ascii_whitespace() || "/>=".contains(c)) {
            return Err(failed(format!(
                "Invalid character in attribute name: {key:?}"
            )));
        }
        let shown = match value {
            Value::Markup(_) => shown.to_string(),
            _ => escape(&shown),
        };
        parts.push(format!("{}=\"{shown}\"", escape(&key)));
    }
    let joined = parts.join(" ");
    match space.is_none_or(Value::truth) && !joined.is_empty() {
        true => budget.text(format!(" {joined}")),
        false => budget.text(joined),
    }
}

//! `json.dumps`, and JSON as values.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::budget::{Budget, Writer};
use crate::error::{Fallible, failed};
use crate::numbers::float_repr;
use crate::value::{Dict, Value};

/// How JSON is written.
pub(crate) struct Style {
    pub ascii: bool,
    /// What one level is indented by.
    pub indent: Option<Arc<str>>,
    /// Between items, and between key and value.
    pub separators: [Arc<str>; 2],
    pub sort_keys: bool,
}

impl Style {
    /// As Python writes it where nothing else is said.
    pub fn with_indent(indent: Option<Arc<str>>) -> Self {
        let between = if indent.is_some() { "," } else { ", " };
        Self {
            ascii: false,
            indent,
            separators: [between.into(), ": ".into()],
            sort_keys: false,
        }
    }
}

/// `json.dumps(value, ...)`.
pub(crate) fn dumps(budget: &Budget, value: &Value, style: &Style) -> Fallible<Value> {
    let mut out = Writer::new(budget);
    write(&mut out, budget, value, style, 0)?;
    Ok(out.finish())
}

fn write(
    out: &mut Writer<'_>,
    budget: &Budget,
    value: &Value,
    style: &Style,
    depth: usize,
) -> Fallible<()> {
    budget.step(1)?;
    match value {
        Value::None => out.push("null"),
        Value::Bool(truth) => out.push(if *truth { "true" } else { "false" }),
        Value::Integer(number) => out.push(&number.to_string()),
        Value::Float(number) => out.push(&float(*number)),
        Value::Text(text) | Value::Markup(text) => out.push(&quoted(text, style.ascii)),
        Value::List(list) | Value::Tuple(list) => {
            if list.items.is_empty() {
                return out.push("[]");
            }
            out.push("[")?;
            for (at, item) in list.items.iter().enumerate() {
                begin_item(out, style, depth + 1, at)?;
                write(out, budget, item, style, depth + 1)?;
            }
            end_items(out, style, depth)?;
            out.push("]")
        }
        Value::Dict(dict) => write_dict(out, budget, dict, style, depth),
        other => {
            let kind = other.type_name();
            Err(failed(format!(
                "Object of type {kind} is not JSON serializable"
            )))
        }
    }
}

fn write_dict(
    out: &mut Writer<'_>,
    budget: &Budget,
    dict: &Dict,
    style: &Style,
    depth: usize,
) -> Fallible<()> {
    if dict.len() == 0 {
        return out.push("{}");
    }
    let mut entries: Vec<&(Value, Value)> = dict.entries.values().collect();
    if style.sort_keys {
        entries = crate::sorting::sort(budget, entries, |(key, _)| key)?;
    }
    out.push("{")?;
    for (at, (key, value)) in entries.into_iter().enumerate() {
        begin_item(out, style, depth + 1, at)?;
        out.push(&quoted(&key_text(key)?, style.ascii))?;
        out.push(&style.separators[1])?;
        write(out, budget, value, style, depth + 1)?;
    }
    end_items(out, style, depth)?;
    out.push("}")
}

fn begin_item(out: &mut Writer<'_>, style: &Style, depth: usize, at: usize) -> Fallible<()> {
    if at > 0 {
        out.push(&style.separators[0])?;
    }
    new_line(out, style, depth)
}

fn end_items(out: &mut Writer<'_>, style: &Style, depth: usize) -> Fallible<()> {
    new_line(out, style, depth)
}

fn new_line(out: &mut Writer<'_>, style: &Style, depth: usize) -> Fallible<()> {
    if let Some(indent) = &style.indent {
        out.push("\n")?;
        for _ in 0..depth {
            out.push(indent)?;
        }
    }
    Ok(())
}

fn float(number: f64) -> String {
    match number {
        _ if number.is_nan() => "NaN".into(),
        _ if number.is_infinite() && number > 0.0 => "Infinity".into(),
        _ if number.is_infinite() => "-Infinity".into(),
        _ => float_repr(number),
    }
}

fn key_text(key: &Value) -> Fallible<Arc<str>> {
    Ok(match key {
        Value::Text(text) | Value::Markup(text) => Arc::clone(text),
        Value::None => "null".into(),
        Value::Bool(truth) => if *truth { "true" } else { "false" }.into(),
        Value::Integer(number) => number.to_string().into(),
        Value::Float(number) => float(*number).into(),
        other => {
            let kind = other.type_name();
            return Err(failed(format!(
                "keys must be str, int, float, bool or None, not {kind}"
            )));
        }
    })
}

fn quoted(text: &str, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if c < ' ' || (ascii && !(' '..='~').contains(&c)) => {
                for half in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{half:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value of `serde_json` as one of a template.
pub(crate) fn value(budget: &Budget, json: &Json) -> Fallible<Value> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Integer(number.into()),
            (_, Some(number)) => Value::Integer(number.into()),
            _ => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => budget.text(text.as_str())?,
        Json::Array(items) => {
            let items = items.iter().map(|item| value(budget, item));
            budget.list(items.collect::<Fallible<_>>()?)?
        }
        Json::Object(fields) => object(budget, fields)?,
    })
}

/// An object of `serde_json` as a dict.
pub(crate) fn object(budget: &Budget, fields: &serde_json::Map<String, Json>) -> Fallible<Value> {
    let mut dict = Dict::default();
    for (name, field) in fields {
        dict.insert(budget, budget.text(name.as_str())?, value(budget, field)?)?;
    }
    budget.dict(dict)
}

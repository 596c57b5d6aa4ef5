//! `str` and `repr` of values.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::budget::{Budget, Writer};
use crate::error::Fallible;
use crate::numbers::float_repr;
use crate::objects::Object;
use crate::value::{Dict, Items, Value, View};

/// `str(value)`.
pub(crate) fn to_text(budget: &Budget, value: &Value) -> Fallible<Arc<str>> {
    if let Some(text) = value.as_text() {
        return Ok(Arc::clone(text));
    }
    let mut out = Writer::new(budget);
    write_text(&mut out, value)?;
    Ok(out.text.into())
}

/// Appends `str(value)`.
pub(crate) fn write_text(out: &mut Writer<'_>, value: &Value) -> Fallible<()> {
    match value {
        Value::Text(text) | Value::Markup(text) => out.push(text),
        Value::Undefined(_) => out.push(""),
        other => write_repr(out, other),
    }
}

/// `repr(value)`.
pub(crate) fn to_repr(budget: &Budget, value: &Value) -> Fallible<Arc<str>> {
    let mut out = Writer::new(budget);
    write_repr(&mut out, value)?;
    Ok(out.text.into())
}

fn write_repr(out: &mut Writer<'_>, value: &Value) -> Fallible<()> {
    match value {
        Value::Undefined(_) => out.push("Undefined"),
        Value::None => out.push("None"),
        Value::Bool(true) => out.push("True"),
        Value::Bool(false) => out.push("False"),
        Value::Integer(number) => out.push(&number.to_string()),
        Value::Float(number) => out.push(&float_repr(*number)),
        Value::Text(text) => {
            out.quote(text.len())?;
            out.push(&quoted(text))
        }
        Value::Markup(text) => {
            out.quote(text.len())?;
            out.push("Markup(")?;
            out.push(&quoted(text))?;
            out.push(")")
        }
        Value::List(list) => write_items(out, &list.items, ["[", "]"]),
        Value::Tuple(tuple) => write_tuple(out, tuple),
        Value::Dict(dict) => write_dict(out, dict),
        Value::View(view, dict) => write_view(out, *view, dict),
        Value::Range(range) if range.step == 1 => {
            out.push(&format!("range({}, {})", range.start, range.stop))
        }
        Value::Range(range) => {
            let (start, stop, step) = (range.start, range.stop, range.step);
            out.push(&format!("range({start}, {stop}, {step})"))
        }
        Value::Generator(_) => out.push("<generator object>"),
        Value::Object(object) => write_object(out, object),
    }
}

fn write_items(out: &mut Writer<'_>, items: &[Value], [open, close]: [&str; 2]) -> Fallible<()> {
    out.push(open)?;
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(", ")?;
        }
        write_repr(out, item)?;
    }
    out.push(close)
}

fn write_tuple(out: &mut Writer<'_>, tuple: &Items) -> Fallible<()> {
    match tuple.items.as_slice() {
        [only] => {
            out.push("(")?;
            write_repr(out, only)?;
            out.push(",)")
        }
        items => write_items(out, items, ["(", ")"]),
    }
}

fn write_dict(out: &mut Writer<'_>, dict: &Dict) -> Fallible<()> {
    out.push("{")?;
    for (at, (key, value)) in dict.entries.values().enumerate() {
        if at > 0 {
            out.push(", ")?;
        }
        write_repr(out, key)?;
        out.push(": ")?;
        write_repr(out, value)?;
    }
    out.push("}")
}

fn write_view(out: &mut Writer<'_>, view: View, dict: &Dict) -> Fallible<()> {
    out.push(match view {
        View::Keys => "dict_keys([",
        View::Values => "dict_values([",
        View::Items => "dict_items([",
    })?;
    for (at, (key, value)) in dict.entries.values().enumerate() {
        if at > 0 {
            out.push(", ")?;
        }
        match view {
            View::Keys => write_repr(out, key)?,
            View::Values => write_repr(out, value)?,
            View::Items => {
                out.push("(")?;
                write_repr(out, key)?;
                out.push(", ")?;
                write_repr(out, value)?;
                out.push(")")?;
            }
        }
    }
    out.push("])")
}

fn write_object(out: &mut Writer<'_>, object: &Object) -> Fallible<()> {
    match object {
        Object::Namespace(values) => out.namespace(|out| {
            out.push("<Namespace {")?;
            for (at, (name, value)) in values.borrow().iter().enumerate() {
                if at > 0 {
                    out.push(", ")?;
                }
                out.push(&quoted(name))?;
                out.push(": ")?;
                write_repr(out, value)?;
            }
            out.push("}>")
        }),
        Object::Macro(found) => {
            let name = quoted(&found.definition.name);
            out.push(&format!("<Macro {name}>"))
        }
        Object::Loop(state) => {
            let (index, length) = (state.index.get() + 1, state.items.items.len());
            out.push(&format!("<LoopContext {index}/{length}>"))
        }
        Object::Cycler { .. } => out.push("<Cycler>"),
        Object::Joiner { .. } => out.push("<Joiner>"),
        Object::Function(name) => out.push(&format!("<function {name}>")),
        Object::Method(value, name) => {
            let kind = value.type_name();
            out.push(&format!("<built-in method {name} of {kind} object>"))
        }
    }
}

/// A text in quotation marks, as Python's `repr` has it.
pub(crate) fn quoted(text: &str) -> String {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => push_escape(&mut out, u32::from(c)),
        }
    }
    out.push(quote);
    out
}

/// `\xhh`, `\uhhhh` or `\Uhhhhhhhh`.
pub(crate) fn push_escape(out: &mut String, code: u32) {
    let written = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    // invariant: writing to a `String` does not fail.
    written.unwrap_or_default();
}

/// `str.isprintable` of a character.
pub(crate) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    if c.is_whitespace() || c.is_control() {
        return false;
    }
    // Behind a letter, combining marks are shown as they are.
    let mut letters = [0; 5];
    letters[0] = b'a';
    let length = c.encode_utf8(&mut letters[1..]).len();
    let shown = std::str::from_utf8(&letters[..=length]);
    shown.is_ok_and(|shown| shown.escape_debug().nth(1) == Some(c))
}

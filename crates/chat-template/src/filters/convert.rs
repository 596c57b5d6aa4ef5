//! Filters that make one kind of value into another.

use std::sync::Arc;

use super::attributes::only_attribute;
use crate::budget::Budget;
use crate::calls::{Passed, indent, integer, text};
use crate::error::{Fallible, failed};
use crate::json::{Style, dumps};
use crate::numbers::{parse_float, parse_integer, round, whole};
use crate::operators::signed;
use crate::repr::to_repr;
use crate::value::Value;

pub(super) fn apply(
    budget: &Budget,
    name: &str,
    value: &Value,
    passed: &Passed,
) -> Fallible<Value> {
    match name {
        "abs" => {
            passed.none(name)?;
            let negative = value.as_float().is_some_and(|number| number < 0.0);
            match value.as_float() {
                Some(_) => signed(value, negative),
                None => {
                    value.defined()?;
                    let kind = value.type_name();
                    Err(failed(format!("bad operand type for abs(): '{kind}'")))
                }
            }
        }
        "attr" => only_attribute(budget, value, passed.one(name, "name")?),
        "d" | "default" => {
            let [default, boolean] = passed.bind(name, ["default_value", "boolean"], 0)?;
            let by_truth = boolean.is_some_and(Value::truth) && !value.truth();
            Ok(match value.is_undefined() || by_truth {
                true => default.cloned().unwrap_or_else(|| Value::text("")),
                false => value.clone(),
            })
        }
        "filesizeformat" => file_size(budget, value, passed),
        "float" => {
            let [default] = passed.bind(name, ["default"], 0)?;
            value.defined()?;
            let number = match value.as_text() {
                Some(text) => parsed(budget, text)?,
                None => value.as_float(),
            };
            let default = || default.cloned().unwrap_or(Value::Float(0.0));
            Ok(number.map_or_else(default, Value::Float))
        }
        "int" => to_integer(budget, value, passed),
        "pprint" => {
            passed.bind(name, ["verbose"], 0)?;
            Ok(Value::Text(to_repr(budget, value)?))
        }
        "round" => rounded(value, passed),
        // `tojson`
        _ => to_json(budget, value, passed),
    }
}

/// The number that a text says.
fn parsed(budget: &Budget, text: &str) -> Fallible<Option<f64>> {
    budget.read(text.len())?;
    Ok(parse_float(text))
}

fn to_integer(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [default, base] = passed.bind("int", ["default", "base"], 0)?;
    value.defined()?;
    let truncated = |number: f64| whole(number.trunc());
    let number = match value.as_text() {
        Some(text) => {
            budget.read(text.len())?;
            let base = base.map_or(Ok(10), |base| integer("int", base))?;
            let base = u32::try_from(base).unwrap_or(u32::MAX);
            let as_float = || parse_float(text).and_then(truncated);
            parse_integer(text, base).or_else(as_float)
        }
        None => value
            .as_integer()
            .or_else(|| value.as_float().and_then(truncated)),
    };
    let default = || default.cloned().unwrap_or(Value::Integer(0));
    Ok(number.map_or_else(default, Value::Integer))
}

fn rounded(value: &Value, passed: &Passed) -> Fallible<Value> {
    let [precision, method] = passed.bind("round", ["precision", "method"], 0)?;
    let precision = precision.map_or(Ok(0), |precision| integer("round", precision))?;
    let precision = i32::try_from(precision.clamp(-400, 400)).unwrap_or(0);
    let method = match method {
        Some(method) => Arc::clone(text("round", method)?),
        None => "common".into(),
    };
    let number = value.as_float().ok_or_else(|| {
        let kind = value.type_name();
        failed(format!("type {kind} doesn't define __round__ method"))
    })?;
    let scale = 10f64.powi(precision);
    Ok(match &*method {
        "common" => match value.as_integer() {
            Some(whole) if precision >= 0 => Value::Integer(whole),
            Some(_) => whole(round(number, precision)).map_or(Value::None, Value::Integer),
            None => Value::Float(round(number, precision)),
        },
        "ceil" => Value::Float((number * scale).ceil() / scale),
        "floor" => Value::Float((number * scale).floor() / scale),
        _ => return Err(failed("method must be common, ceil or floor")),
    })
}

fn file_size(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [binary] = passed.bind("filesizeformat", ["binary"], 0)?;
    let (base, units) = match binary.is_some_and(Value::truth) {
        true => (
            1024.0,
            ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"],
        ),
        false => (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]),
    };
    let bytes = match value.as_text() {
        Some(text) => parsed(budget, text)?,
        None => value.as_float(),
    };
    let bytes = bytes.ok_or_else(|| failed("filesizeformat: expected a number"))?;
    if bytes == 1.0 {
        return budget.text("1 Byte");
    }
    if bytes < base {
        return budget.text(format!("{} Bytes", bytes as i128));
    }
    let mut unit = base;
    for (at, name) in units.iter().enumerate() {
        unit *= base;
        if bytes < unit || at + 1 == units.len() {
            return budget.text(format!("{:.1} {name}", base * bytes / unit));
        }
    }
    Ok(Value::None)
}

/// `tojson` as `transformers` defines it.
fn to_json(budget: &Budget, value: &Value, passed: &Passed) -> Fallible<Value> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ascii, margin, separators, sort_keys] = passed.bind("tojson", names, 0)?;
    let margin = match margin {
        None | Some(Value::None) => None,
        Some(margin) => Some(indent(budget, "tojson", margin)?),
    };
    let mut style = Style::with_indent(margin);
    style.ascii = ascii.is_some_and(Value::truth);
    style.sort_keys = sort_keys.is_some_and(Value::truth);
    if let Some(separators) = separators.filter(|value| !value.is_none()) {
        let pair = crate::access::items(budget, separators)?;
        let [item, key] = pair.as_slice() else {
            return Err(failed("tojson: expected two separators"));
        };
        style.separators = [
            Arc::clone(text("tojson", item)?),
            Arc::clone(text("tojson", key)?),
        ];
    }
    dumps(budget, value, &style)
}

//! Functions that every template knows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::access;
use crate::calls::{Passed, integer, text};
use crate::error::{Fallible, failed, refused};
use crate::objects::Object;
use crate::repr::to_text;
use crate::runtime::Runtime;
use crate::strftime::strftime;
use crate::value::{Dict, Range, Value};

const NAMES: [&str; 8] = [
    "range",
    "dict",
    "lipsum",
    "cycler",
    "joiner",
    "namespace",
    "raise_exception",
    "strftime_now",
];

/// The sandbox's.
const LONGEST_RANGE: usize = 100_000;

/// The function of this name.
pub(crate) fn named(name: &str) -> Option<Value> {
    let name = NAMES.iter().find(|known| **known == name)?;
    Some(Value::Object(Rc::new(Object::Function(name))))
}

/// Calls one of them.
pub(crate) fn call(runtime: &Runtime, name: &str, passed: &Passed) -> Fallible<Value> {
    match name {
        "range" => range(passed),
        "dict" => {
            let dict = dict(runtime, passed)?;
            runtime.budget.dict(dict)
        }
        "namespace" => {
            let mut values = IndexMap::new();
            let given = dict(runtime, passed)?;
            runtime.budget.make_entries(given.len())?;
            for (key, value) in given.entries.into_values() {
                values.insert(to_text(&runtime.budget, &key)?, value);
            }
            runtime.namespace(Object::Namespace(RefCell::new(values)))
        }
        "cycler" => {
            if !passed.named.is_empty() || passed.positional.is_empty() {
                return Err(failed("cycler: expected at least one item"));
            }
            let items = Rc::new(runtime.budget.items(passed.positional.clone())?);
            let position = Cell::new(0);
            runtime.budget.object(Object::Cycler { items, position })
        }
        "joiner" => {
            let [separator] = passed.bind("joiner", ["sep"], 0)?;
            let separator = separator.cloned().unwrap_or_else(|| Value::text(", "));
            let used = Cell::new(false);
            runtime.budget.object(Object::Joiner { separator, used })
        }
        "raise_exception" => {
            let message = passed.one("raise_exception", "message")?;
            Err(refused(&*to_text(&runtime.budget, message)?))
        }
        "strftime_now" => {
            let format = text("strftime_now", passed.one("strftime_now", "format")?)?;
            runtime.budget.step(format.len() as u64)?;
            let shown = strftime(format, runtime.clock);
            let clock = runtime.clock;
            let shown =
                shown.ok_or_else(|| failed(format!("strftime_now: {clock} s is no date")))?;
            runtime.budget.text(shown)
        }
        name => Err(failed(format!(
            "`{name}` makes random text and is not supported"
        ))),
    }
}

fn range(passed: &Passed) -> Fallible<Value> {
    if !passed.named.is_empty() {
        return Err(failed("range takes no keyword arguments"));
    }
    let numbers: Vec<i128> = passed
        .positional
        .iter()
        .map(|value| integer("range", value))
        .collect::<Fallible<_>>()?;
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => return Err(failed("range expected 1 to 3 arguments")),
    };
    if step == 0 {
        return Err(failed("range() arg 3 must not be zero"));
    }
    let range = Range { start, stop, step };
    match range.len() > LONGEST_RANGE {
        true => Err(failed(format!(
            "Range too big. The sandbox blocks ranges larger than {LONGEST_RANGE}."
        ))),
        false => Ok(Value::Range(range)),
    }
}

/// `dict(...)`.
fn dict(runtime: &Runtime, passed: &Passed) -> Fallible<Dict> {
    let budget = &runtime.budget;
    let mut dict = Dict::default();
    match passed.positional.as_slice() {
        [] => {}
        [Value::Dict(other)] => {
            for (key, value) in other.entries.values() {
                dict.insert(budget, key.clone(), value.clone())?;
            }
        }
        [pairs] => {
            for pair in access::items(budget, pairs)? {
                let mut pair = access::items(budget, &pair)?.into_iter();
                let (Some(key), Some(value), None) = (pair.next(), pair.next(), pair.next()) else {
                    return Err(failed("dict: expected pairs of a key and a value"));
                };
                dict.insert(budget, key, value)?;
            }
        }
        _ => return Err(failed("dict expected at most 1 argument")),
    }
    for (name, value) in &passed.named {
        dict.insert(budget, Value::Text(Arc::clone(name)), value.clone())?;
    }
    Ok(dict)
}

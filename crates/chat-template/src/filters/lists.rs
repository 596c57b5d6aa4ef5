//! Filters on lists.

use crate::budget::Writer;
use crate::calls::{Passed, integer, length, size};
use crate::error::{Fallible, failed};
use crate::repr::{to_text, write_text};
use crate::runtime::Runtime;
use crate::value::{Value, View};

use super::attributes::Getter;

pub(super) fn apply(
    runtime: &Runtime,
    name: &str,
    value: &Value,
    passed: &Passed,
) -> Fallible<Value> {
    let budget = &runtime.budget;
    match name {
        "join" => return join(runtime, value, passed),
        "batch" => {
            let [count, fill] = passed.bind(name, ["linecount", "fill_with"], 1)?;
            let count = integer(name, count.unwrap_or(&Value::None))?;
            return batch(runtime, value, count, fill);
        }
        "slice" => {
            let [count, fill] = passed.bind(name, ["slices", "fill_with"], 1)?;
            let count = integer(name, count.unwrap_or(&Value::None))?;
            return slice(runtime, value, count, fill);
        }
        _ => passed.none(name)?,
    }
    match name {
        "count" | "length" => Ok(Value::Integer(length(budget, value)? as i128)),
        "first" => first(runtime, value),
        "last" => match value {
            Value::Generator(_) => Err(failed("'generator' object is not reversible")),
            other => {
                let last = runtime.items(other)?.pop();
                Ok(last.unwrap_or_else(|| empty("No last item, sequence was empty.")))
            }
        },
        "list" => budget.list(runtime.items(value)?),
        "reverse" => match value.as_text() {
            Some(text) => {
                budget.read(text.len())?;
                budget.text(text.chars().rev().collect::<String>())
            }
            None => {
                let mut items = runtime.items(value)?;
                items.reverse();
                budget.generator(items)
            }
        },
        // `items`
        _ => match value {
            Value::Undefined(_) => budget.generator(Vec::new()),
            Value::Dict(dict) => {
                let pairs = runtime.items(&Value::View(View::Items, std::rc::Rc::clone(dict)))?;
                budget.generator(pairs)
            }
            _ => Err(failed("Can only get item pairs from a mapping.")),
        },
    }
}

pub(super) fn empty(message: &str) -> Value {
    Value::Undefined(Some(message.into()))
}

fn first(runtime: &Runtime, value: &Value) -> Fallible<Value> {
    let found = match value {
        Value::Generator(generator) => generator.items.borrow_mut().pop_front(),
        Value::List(list) | Value::Tuple(list) => list.items.first().cloned(),
        Value::Text(text) | Value::Markup(text) => {
            text.chars().next().map(|c| Value::text(c.to_string()))
        }
        other => runtime.items(other)?.into_iter().next(),
    };
    Ok(found.unwrap_or_else(|| empty("No first item, sequence was empty.")))
}

fn join(runtime: &Runtime, value: &Value, passed: &Passed) -> Fallible<Value> {
    let budget = &runtime.budget;
    let [separator, attribute] = passed.bind("join", ["d", "attribute"], 0)?;
    let separator = match separator {
        Some(separator) => to_text(budget, separator)?,
        None => "".into(),
    };
    let getter = Getter::new(budget, attribute, None)?;
    let mut out = Writer::new(budget);
    for (at, item) in runtime.items(value)?.iter().enumerate() {
        if at > 0 {
            out.push(&separator)?;
        }
        write_text(&mut out, &getter.get(runtime, item)?)?;
    }
    Ok(out.finish())
}

fn batch(runtime: &Runtime, value: &Value, count: i128, fill: Option<&Value>) -> Fallible<Value> {
    let budget = &runtime.budget;
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    for item in runtime.items(value)? {
        if batch.len() as i128 == count {
            batches.push(budget.list(std::mem::take(&mut batch))?);
        }
        batch.push(item);
    }
    if !batch.is_empty() {
        let room = size(count - batch.len() as i128);
        if let Some(fill) = fill.filter(|fill| !fill.is_none())
            && room > 0
        {
            budget.make_items(room)?;
            batch.extend(std::iter::repeat_n(fill.clone(), room));
        }
        batches.push(budget.list(batch)?);
    }
    budget.generator(batches)
}

fn slice(runtime: &Runtime, value: &Value, count: i128, fill: Option<&Value>) -> Fallible<Value> {
    let budget = &runtime.budget;
    let items = runtime.items(value)?;
    if count == 0 {
        return Err(failed("integer division or modulo by zero"));
    }
    let count = size(count);
    budget.make_items(count)?;
    if count == 0 {
        return budget.generator(Vec::new());
    }
    let (each, extra) = (items.len() / count, items.len() % count);
    let mut slices = Vec::with_capacity(count);
    let mut rest = items.into_iter();
    for number in 0..count {
        let length = each + usize::from(number < extra);
        let mut slice: Vec<Value> = rest.by_ref().take(length).collect();
        if number >= extra {
            slice.extend(fill.filter(|fill| !fill.is_none()).cloned());
        }
        slices.push(budget.list(slice)?);
    }
    budget.generator(slices)
}

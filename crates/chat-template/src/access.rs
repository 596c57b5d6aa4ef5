//! Items, attributes and slices.

use std::rc::Rc;
use std::sync::Arc;

use crate::budget::Budget;
use crate::error::{Fallible, failed};
use crate::methods;
use crate::objects::{LoopState, Object};
use crate::value::{Dict, Key, Range, Value, View};

/// All items of a value; a generator is used up.
pub(crate) fn items(budget: &Budget, value: &Value) -> Fallible<Vec<Value>> {
    if let Some(length) = value.length() {
        budget.make_items(length)?;
    }
    Ok(match value {
        Value::Undefined(_) => Vec::new(),
        Value::Text(text) | Value::Markup(text) => {
            let mut buffer = [0; 4];
            let mut letter = |c: char| Value::text(&*c.encode_utf8(&mut buffer));
            text.chars().map(&mut letter).collect()
        }
        Value::List(list) | Value::Tuple(list) => list.items.clone(),
        Value::Dict(dict) => keys(dict),
        Value::View(View::Keys, dict) => keys(dict),
        Value::View(View::Values, dict) => dict
            .entries
            .values()
            .map(|(_, value)| value.clone())
            .collect(),
        Value::View(View::Items, dict) => pairs(budget, dict)?,
        Value::Range(range) => (0..range.len()).map(|at| range.get(at)).collect(),
        Value::Generator(generator) => {
            let left = std::mem::take(&mut *generator.items.borrow_mut());
            budget.make_items(left.len())?;
            left.into()
        }
        Value::Object(object) => match &**object {
            Object::Loop(state) => state.items.items.clone(),
            _ => return Err(not_iterable(value)),
        },
        _ => return Err(not_iterable(value)),
    })
}

fn not_iterable(value: &Value) -> Box<crate::Error> {
    failed(format!("'{}' object is not iterable", value.type_name()))
}

fn keys(dict: &Dict) -> Vec<Value> {
    dict.entries.values().map(|(key, _)| key.clone()).collect()
}

fn pairs(budget: &Budget, dict: &Dict) -> Fallible<Vec<Value>> {
    let entries = dict.entries.values();
    entries
        .map(|(key, value)| budget.tuple(vec![key.clone(), value.clone()]))
        .collect()
}

/// Whether it can be gone through.
pub(crate) fn is_iterable(value: &Value) -> bool {
    match value {
        Value::None | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => false,
        Value::Object(object) => matches!(&**object, Object::Loop(_)),
        _ => true,
    }
}

fn missing(budget: &Budget, value: &Value, name: &str) -> Fallible<Value> {
    let kind = value.type_name();
    budget.make(name.len())?;
    Ok(Value::Undefined(Some(
        format!("'{kind} object' has no attribute '{name}'").into(),
    )))
}

/// `value.name`: an attribute or method, else an item.
pub(crate) fn attribute(budget: &Budget, value: &Value, name: &Arc<str>) -> Fallible<Value> {
    value.defined()?;
    if let Some(found) = own_attribute(budget, value, name)? {
        return Ok(found);
    }
    let found = match value {
        Value::Dict(dict) => dict.get(name).cloned(),
        _ => None,
    };
    found.map_or_else(|| missing(budget, value, name), Ok)
}

/// `value[index]`: an item, else an attribute or method.
pub(crate) fn item(budget: &Budget, value: &Value, index: &Value) -> Fallible<Value> {
    value.defined()?;
    if let Some(found) = own_item(budget, value, index)? {
        return Ok(found);
    }
    if let Some(name) = index.as_text()
        && let Some(found) = own_attribute(budget, value, name)?
    {
        return Ok(found);
    }
    let shown = match index {
        Value::Text(text) => Arc::clone(text),
        other => crate::repr::to_repr(budget, other)?,
    };
    missing(budget, value, &shown)
}

fn own_item(budget: &Budget, value: &Value, index: &Value) -> Fallible<Option<Value>> {
    if let Value::Dict(dict) = value {
        return match Key::of(budget, index) {
            Ok(key) => Ok(dict.entries.get(&key).map(|(_, value)| value.clone())),
            Err(error) if error.kind == crate::ErrorKind::Exhausted => Err(error),
            Err(_) => Ok(None),
        };
    }
    let Some(index) = index.as_integer() else {
        return Ok(None);
    };
    let at = |length: usize| position(index, length);
    Ok(match value {
        Value::Text(text) | Value::Markup(text) => {
            budget.look(text.len())?;
            let found = match text.is_ascii() {
                true => at(text.len()).map(|at| &text[at..=at]),
                false => at(text.chars().count())
                    .and_then(|at| text.char_indices().nth(at))
                    .map(|(start, c)| &text[start..start + c.len_utf8()]),
            };
            found.map(Value::text)
        }
        Value::List(list) | Value::Tuple(list) => {
            at(list.items.len()).map(|at| list.items[at].clone())
        }
        Value::Range(range) => at(range.len()).map(|at| range.get(at)),
        _ => None,
    })
}

/// Where an index points; a negative one counts from the end.
fn position(index: i128, length: usize) -> Option<usize> {
    let length_ = i128::try_from(length).ok()?;
    let index = if index < 0 { index + length_ } else { index };
    usize::try_from(index).ok().filter(|at| *at < length)
}

fn own_attribute(budget: &Budget, value: &Value, name: &Arc<str>) -> Fallible<Option<Value>> {
    if let Value::Object(object) = value {
        let found = object_attribute(budget, object, name)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    if let Value::Tuple(tuple) = value
        && tuple.is_group
    {
        match &**name {
            "grouper" => return Ok(Some(tuple.items[0].clone())),
            "list" => return Ok(Some(tuple.items[1].clone())),
            _ => {}
        }
    }
    if name.starts_with('_') {
        return Ok(Some(forbidden(value, name)));
    }
    match methods::lookup(value, name) {
        methods::Found::Method => {
            let method = Object::Method(value.clone(), Arc::clone(name));
            budget.object(method).map(Some)
        }
        methods::Found::Changes => Ok(Some(forbidden(value, name))),
        methods::Found::Nothing => Ok(None),
    }
}

/// What the sandbox withholds is undefined, and says why where it is used.
fn forbidden(value: &Value, name: &str) -> Value {
    let kind = value.type_name();
    let message = format!("access to attribute '{name}' of '{kind}' object is unsafe");
    Value::Undefined(Some(message.into()))
}

fn object_attribute(budget: &Budget, object: &Rc<Object>, name: &str) -> Fallible<Option<Value>> {
    Ok(match &**object {
        Object::Namespace(values) => values.borrow().get(name).cloned(),
        Object::Loop(state) => loop_attribute(budget, object, state, name)?,
        Object::Macro(found) => match name {
            "name" => Some(Value::Text(Arc::clone(&found.definition.name))),
            "arguments" => {
                let names = found.definition.parameters.iter();
                let names = names.map(|name| Value::Text(Arc::clone(name))).collect();
                Some(budget.tuple(names)?)
            }
            "catch_kwargs" => Some(Value::Bool(found.definition.uses.kwargs)),
            "catch_varargs" => Some(Value::Bool(found.definition.uses.varargs)),
            "caller" => Some(Value::Bool(found.definition.uses.caller)),
            _ => None,
        },
        Object::Cycler { items, position } => match name {
            "current" => Some(items.items[position.get()].clone()),
            "pos" => Some(Value::Integer(position.get() as i128)),
            "items" => Some(Value::Tuple(Rc::clone(items))),
            "next" | "reset" => {
                let method = Object::Method(Value::Object(Rc::clone(object)), name.into());
                Some(budget.object(method)?)
            }
            _ => None,
        },
        Object::Joiner { separator, used } => match name {
            "sep" => Some(separator.clone()),
            "used" => Some(Value::Bool(used.get())),
            _ => None,
        },
        Object::Function(_) | Object::Method(..) => None,
    })
}

fn loop_attribute(
    budget: &Budget,
    object: &Rc<Object>,
    state: &LoopState,
    name: &str,
) -> Fallible<Option<Value>> {
    let (index, length) = (state.index.get(), state.items.items.len());
    let number = |number: usize| Value::Integer(number as i128);
    let neighbour = |found: Option<&Value>, which: &str| match found {
        Some(value) => value.clone(),
        None => Value::Undefined(Some(format!("there is no {which} item").into())),
    };
    let items = &state.items.items;
    Ok(Some(match name {
        "index" => number(index + 1),
        "index0" => number(index),
        "revindex" => number(length - index),
        "revindex0" => number(length - index - 1),
        "first" => Value::Bool(index == 0),
        "last" => Value::Bool(index + 1 == length),
        "length" => number(length),
        "depth" => number(state.depth + 1),
        "depth0" => number(state.depth),
        "previtem" => neighbour(
            index.checked_sub(1).and_then(|at| items.get(at)),
            "previous",
        ),
        "nextitem" => neighbour(items.get(index + 1), "next"),
        "cycle" | "changed" => {
            let method = Object::Method(Value::Object(Rc::clone(object)), name.into());
            budget.object(method)?
        }
        _ => return Ok(None),
    }))
}

/// `value[start:stop:step]`.
pub(crate) fn slice(budget: &Budget, value: &Value, parts: [&Value; 3]) -> Fallible<Value> {
    value.defined()?;
    let mut numbers = [None; 3];
    for (number, part) in numbers.iter_mut().zip(parts) {
        if !part.is_none() {
            let found = part.as_integer();
            *number = Some(found.ok_or_else(|| failed("slice indices must be integers or None"))?);
        }
    }
    if numbers[2] == Some(0) {
        return Err(failed("slice step cannot be zero"));
    }
    match value {
        Value::Text(text) | Value::Markup(text) => {
            budget.look(text.len())?;
            let text = sliced(budget, text, numbers)?;
            match value {
                Value::Markup(_) => crate::operators::markup(budget, text),
                _ => budget.text(text),
            }
        }
        Value::List(list) | Value::Tuple(list) => {
            budget.make_items(list.items.len())?;
            let chosen = indices(numbers, list.items.len()).map(|at| list.items[at].clone());
            let chosen = chosen.collect();
            match value {
                Value::Tuple(_) => budget.tuple(chosen),
                _ => budget.list(chosen),
            }
        }
        Value::Range(range) => {
            let (first, end, step) = bounds(numbers, range.len());
            let at = |index: i128| range.start.saturating_add(index.saturating_mul(range.step));
            Ok(Value::Range(Range {
                start: at(first),
                stop: at(end),
                step: range.step.saturating_mul(step),
            }))
        }
        other => {
            let kind = other.type_name();
            Err(failed(format!("'{kind}' object has no slices")))
        }
    }
}

/// The characters of a text that a slice takes.
fn sliced(budget: &Budget, text: &str, numbers: [Option<i128>; 3]) -> Fallible<String> {
    if text.is_ascii() {
        let chosen = indices(numbers, text.len()).map(|at| char::from(text.as_bytes()[at]));
        return Ok(chosen.collect());
    }
    budget.read(text.len())?;
    let length = text.chars().count();
    if numbers[2].is_none_or(|step| step == 1) {
        let (first, end, _) = bounds(numbers, length);
        let size = |number: i128| usize::try_from(number).unwrap_or(0);
        let letters = text.chars().skip(size(first));
        return Ok(letters.take(size(end - first)).collect());
    }
    budget.make(length.saturating_mul(size_of::<char>()))?;
    let letters: Vec<char> = text.chars().collect();
    Ok(indices(numbers, length).map(|at| letters[at]).collect())
}

/// Where a slice begins, before which index it ends, and its step.
fn bounds([start, stop, step]: [Option<i128>; 3], length: usize) -> (i128, i128, i128) {
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let step = step.unwrap_or(1);
    let (low, high) = match step > 0 {
        true => (0, length),
        false => (-1, length - 1),
    };
    let bound = |index: i128| match index < 0 {
        true => index.saturating_add(length).clamp(low, high),
        false => index.clamp(low, high),
    };
    let (first, end) = match step > 0 {
        true => (low, high),
        false => (high, low),
    };
    (start.map_or(first, bound), stop.map_or(end, bound), step)
}

/// Which items a slice takes, in its order.
pub(crate) fn indices(numbers: [Option<i128>; 3], length: usize) -> impl Iterator<Item = usize> {
    let (first, end, step) = bounds(numbers, length);
    let going = move |at: &i128| if step > 0 { *at < end } else { *at > end };
    std::iter::successors(Some(first), move |at| at.checked_add(step))
        .take_while(going)
        .filter_map(|at| usize::try_from(at).ok())
}

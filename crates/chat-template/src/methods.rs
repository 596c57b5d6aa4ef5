//! Methods of texts, lists and dicts that the sandbox lets a template call.

mod cases;
mod search;
mod split;
mod translate;

pub(crate) use cases::{capitalize, is_cased};
pub(crate) use split::lines;

use std::rc::Rc;
use std::sync::Arc;

use crate::budget::Budget;
use crate::calls::{Passed, integer};
use crate::error::{Fallible, failed};
use crate::operators::equal;
use crate::value::{Items, Key, Value, View};

/// What a name is to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Method,
    /// A method that changes its value, which the sandbox forbids, or one that reaches out of it.
    Changes,
    Nothing,
}

const TEXT: [&str; 43] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
];
const TEXT_MORE: [&str; 3] = ["maketrans", "translate", "zfill"];
const INTEGER: [&str; 3] = ["bit_count", "bit_length", "conjugate"];
const LIST: [&str; 3] = ["copy", "count", "index"];
const LIST_CHANGES: [&str; 8] = [
    "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove",
];
const DICT: [&str; 5] = ["copy", "get", "items", "keys", "values"];
const DICT_CHANGES: [&str; 5] = ["clear", "pop", "popitem", "setdefault", "update"];

/// What the value has under this name.
pub(crate) fn lookup(value: &Value, name: &str) -> Found {
    let (methods, changes): (&[&str], &[&str]) = match value {
        Value::Text(_) | Value::Markup(_) if TEXT_MORE.contains(&name) => return Found::Method,
        Value::Text(_) | Value::Markup(_) => (&TEXT, &[]),
        Value::List(_) => (&LIST, &LIST_CHANGES),
        Value::Tuple(_) | Value::Range(_) => (&LIST[1..], &[]),
        Value::Dict(_) => (&DICT, &DICT_CHANGES),
        Value::Integer(_) | Value::Bool(_) => (&INTEGER, &[]),
        Value::Float(_) => (&["is_integer"], &[]),
        _ => (&[], &[]),
    };
    if methods.contains(&name) {
        Found::Method
    } else if changes.contains(&name) {
        Found::Changes
    } else {
        Found::Nothing
    }
}

/// `value.name(passed)`, where [`lookup`] has found the method.
pub(crate) fn call(
    budget: &Budget,
    value: &Value,
    name: &Arc<str>,
    passed: &Passed,
) -> Fallible<Value> {
    const WITH_KEYWORDS: [&str; 5] = ["split", "rsplit", "splitlines", "expandtabs", "format"];
    if !passed.named.is_empty() && !WITH_KEYWORDS.contains(&&**name) {
        return Err(failed(format!("{name}() takes no keyword arguments")));
    }
    match value {
        Value::Text(text) | Value::Markup(text) => {
            budget.read(text.len())?;
            text_method(budget, text, name, passed)
        }
        Value::List(list) | Value::Tuple(list) => list_method(budget, list, value, name, passed),
        Value::Range(_) => {
            let items = Rc::new(budget.items(crate::access::items(budget, value)?)?);
            list_method(budget, &items, value, name, passed)
        }
        Value::Dict(dict) => match &**name {
            "get" => {
                let [key, default] = passed.bind("get", ["key", "default"], 1)?;
                let key = Key::of(budget, key.unwrap_or(&Value::None))?;
                let found = dict.entries.get(&key).map(|(_, value)| value);
                Ok(found.or(default).cloned().unwrap_or(Value::None))
            }
            name => {
                passed.none(name)?;
                let dict = Rc::clone(dict);
                Ok(match name {
                    "keys" => Value::View(View::Keys, dict),
                    "values" => Value::View(View::Values, dict),
                    "items" => Value::View(View::Items, dict),
                    _ => Value::Dict(dict),
                })
            }
        },
        Value::Integer(_) | Value::Bool(_) => {
            passed.none(name)?;
            let number = value.as_integer().unwrap_or(0);
            let size = number.unsigned_abs();
            Ok(Value::Integer(match &**name {
                "bit_count" => size.count_ones().into(),
                "bit_length" => (u128::BITS - size.leading_zeros()).into(),
                _ => number,
            }))
        }
        Value::Float(number) => {
            passed.none(name)?;
            Ok(Value::Bool(number.is_finite() && number.fract() == 0.0))
        }
        other => {
            let kind = other.type_name();
            Err(failed(format!("'{kind}' object has no method '{name}'")))
        }
    }
}

fn list_method(
    budget: &Budget,
    list: &Items,
    value: &Value,
    name: &str,
    passed: &Passed,
) -> Fallible<Value> {
    match name {
        "copy" => {
            passed.none(name)?;
            Ok(value.clone())
        }
        "count" => {
            let wanted = passed.one(name, "value")?;
            let mut count = 0;
            for item in &list.items {
                count += i128::from(equal(budget, item, wanted)?);
            }
            Ok(Value::Integer(count))
        }
        // `index`
        _ => {
            let [wanted, start, stop] = passed.bind(name, ["value", "start", "stop"], 1)?;
            let wanted = wanted.unwrap_or(&Value::None);
            let bound = |value: Option<&Value>| value.map(|value| integer(name, value)).transpose();
            let parts = [bound(start)?, bound(stop)?, None];
            for at in crate::access::indices(parts, list.items.len()) {
                if equal(budget, &list.items[at], wanted)? {
                    return Ok(Value::Integer(at as i128));
                }
            }
            Err(failed("the item is not in the list"))
        }
    }
}

fn text_method(budget: &Budget, text: &str, name: &str, passed: &Passed) -> Fallible<Value> {
    match name {
        "format" => budget.text(crate::format::format(budget, text, passed)?),
        "format_map" => {
            let Value::Dict(dict) = passed.one(name, "mapping")? else {
                return Err(failed("format_map: expected a dict"));
            };
            budget.make_items(dict.len())?;
            let mut named = Passed::default();
            for (key, value) in dict.entries.values() {
                if let Some(key) = key.as_text() {
                    named.named.push((Arc::clone(key), value.clone()));
                }
            }
            budget.text(crate::format::format(budget, text, &named)?)
        }
        "join" => search::join(budget, text, passed.one(name, "iterable")?),
        "maketrans" => translate::table(budget, passed),
        "translate" => translate::translate(budget, text, passed),
        "split" | "rsplit" | "splitlines" | "partition" | "rpartition" => {
            split::call(budget, text, name, passed)
        }
        "count" | "endswith" | "find" | "index" | "rfind" | "rindex" | "startswith"
        | "removeprefix" | "removesuffix" | "replace" | "strip" | "lstrip" | "rstrip" => {
            search::call(budget, text, name, passed)
        }
        _ => cases::call(budget, text, name, passed),
    }
}

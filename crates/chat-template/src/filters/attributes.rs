//! Filters that look at an attribute of each item, and sort, add up or compare.

use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexSet;

use super::lists::empty;
use crate::access;
use crate::ast::Operator;
use crate::budget::Budget;
use crate::calls::Passed;
use crate::error::{Fallible, failed};
use crate::operators::{binary, equal, order};
use crate::repr::to_text;
use crate::runtime::Runtime;
use crate::sorting::sort;
use crate::value::{Key, Value, View};

/// The way to an attribute: `a.b.0`.
pub(super) struct Getter {
    path: Vec<Value>,
    default: Option<Value>,
}

impl Getter {
    /// Without an attribute it gives the item itself.
    pub fn new(
        budget: &Budget,
        attribute: Option<&Value>,
        default: Option<&Value>,
    ) -> Fallible<Self> {
        let path = match attribute {
            None | Some(Value::None) => Vec::new(),
            Some(Value::Integer(index)) => vec![Value::Integer(*index)],
            Some(other) => {
                let text = crate::calls::text("attribute", other)?;
                budget.step(text.len() as u64)?;
                let part = |part: &str| match part.bytes().all(|b| b.is_ascii_digit()) {
                    true => part
                        .parse()
                        .map_or_else(|_| Value::text(part), Value::Integer),
                    false => Value::text(part),
                };
                text.split('.').map(part).collect()
            }
        };
        Ok(Self {
            path,
            default: default.filter(|value| !value.is_none()).cloned(),
        })
    }

    pub fn get(&self, runtime: &Runtime, item: &Value) -> Fallible<Value> {
        let mut value = item.clone();
        for part in &self.path {
            runtime.budget.step(1)?;
            value = access::item(&runtime.budget, &value, part)?;
            if value.is_undefined()
                && let Some(default) = &self.default
            {
                value = default.clone();
            }
        }
        Ok(value)
    }
}

/// Texts in lower case, unless case matters.
fn folded(budget: &Budget, value: Value, case_sensitive: bool) -> Fallible<Value> {
    match value.as_text() {
        Some(text) if !case_sensitive => {
            budget.read(text.len())?;
            budget.text(text.to_lowercase())
        }
        _ => Ok(value),
    }
}

pub(super) fn apply(
    runtime: &Runtime,
    name: &str,
    value: &Value,
    passed: &Passed,
) -> Fallible<Value> {
    match name {
        "dictsort" => sorted_dict(runtime, value, passed),
        "groupby" => groups(runtime, value, passed),
        "sort" => sorted(runtime, value, passed),
        "sum" => sum(runtime, value, passed),
        "unique" => unique(runtime, value, passed),
        name => extreme(runtime, name, value, passed),
    }
}

/// Sorts pairs of a key and a value by the keys.
fn by_key(
    runtime: &Runtime,
    mut pairs: Vec<(Value, Value)>,
    reverse: bool,
) -> Fallible<Vec<(Value, Value)>> {
    runtime.budget.make_items(pairs.len())?;
    // A reversed sort keeps the order of equals.
    if reverse {
        pairs.reverse();
    }
    pairs = sort(&runtime.budget, pairs, |(key, _)| key)?;
    if reverse {
        pairs.reverse();
    }
    Ok(pairs)
}

fn sorted(runtime: &Runtime, value: &Value, passed: &Passed) -> Fallible<Value> {
    let budget = &runtime.budget;
    let names = ["reverse", "case_sensitive", "attribute"];
    let [reverse, case, attribute] = passed.bind("sort", names, 0)?;
    let case = case.is_some_and(Value::truth);
    let getters = match attribute.and_then(Value::as_text) {
        Some(text) => text
            .split(',')
            .map(|part| Getter::new(budget, Some(&Value::text(part)), None))
            .collect::<Fallible<Vec<_>>>()?,
        None => vec![Getter::new(budget, attribute, None)?],
    };
    let mut pairs = Vec::new();
    for item in runtime.items(value)? {
        let mut keys = Vec::with_capacity(getters.len());
        for getter in &getters {
            keys.push(folded(budget, getter.get(runtime, &item)?, case)?);
        }
        pairs.push((budget.list(keys)?, item));
    }
    let sorted = by_key(runtime, pairs, reverse.is_some_and(Value::truth))?;
    let sorted = sorted.into_iter().map(|(_, value)| value).collect();
    budget.list(sorted)
}

fn sorted_dict(runtime: &Runtime, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [case, by, reverse] = passed.bind("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
    let Value::Dict(dict) = value else {
        value.defined()?;
        let kind = value.type_name();
        return Err(failed(format!("dictsort: expected a dict, found {kind}")));
    };
    let at = match by.and_then(Value::as_text).map_or("key", |by| &**by) {
        "key" => 0,
        "value" => 1,
        _ => return Err(failed("You can only sort by either \"key\" or \"value\"")),
    };
    let case = case.is_some_and(Value::truth);
    let pairs = runtime.items(&Value::View(View::Items, Rc::clone(dict)))?;
    let pairs = pairs.into_iter().map(|pair| {
        let key = match &pair {
            Value::Tuple(pair) => pair.items[at].clone(),
            _ => Value::None,
        };
        Ok((folded(&runtime.budget, key, case)?, pair))
    });
    let pairs = pairs.collect::<Fallible<_>>()?;
    let sorted = by_key(runtime, pairs, reverse.is_some_and(Value::truth))?;
    let sorted = sorted.into_iter().map(|(_, value)| value).collect();
    runtime.budget.list(sorted)
}

fn groups(runtime: &Runtime, value: &Value, passed: &Passed) -> Fallible<Value> {
    let budget = &runtime.budget;
    let names = ["attribute", "default", "case_sensitive"];
    let [attribute, default, case] = passed.bind("groupby", names, 1)?;
    let case = case.is_some_and(Value::truth);
    let getter = Getter::new(budget, attribute, default)?;
    let mut pairs = Vec::new();
    for item in runtime.items(value)? {
        pairs.push((folded(budget, getter.get(runtime, &item)?, case)?, item));
    }
    let mut found: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in by_key(runtime, pairs, false)? {
        match found.last_mut() {
            Some((last, items)) if equal(budget, last, &key)? => items.push(item),
            _ => found.push((key, vec![item])),
        }
    }
    let mut groups = Vec::with_capacity(found.len());
    for (key, items) in found {
        // Without regard to case, a group is named as its first item has it.
        let key = match case {
            true => key,
            false => getter.get(runtime, &items[0])?,
        };
        groups.push(budget.group(key, items)?);
    }
    budget.list(groups)
}

fn sum(runtime: &Runtime, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [attribute, start] = passed.bind("sum", ["attribute", "start"], 0)?;
    let getter = Getter::new(&runtime.budget, attribute, None)?;
    let mut total = start.cloned().unwrap_or(Value::Integer(0));
    if total.as_text().is_some() {
        return Err(failed("sum() can't sum strings"));
    }
    for item in runtime.items(value)? {
        let item = getter.get(runtime, &item)?;
        total = binary(&runtime.budget, Operator::Add, &total, &item)?;
    }
    Ok(total)
}

fn unique(runtime: &Runtime, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [case, attribute] = passed.bind("unique", ["case_sensitive", "attribute"], 0)?;
    let case = case.is_some_and(Value::truth);
    let getter = Getter::new(&runtime.budget, attribute, None)?;
    let mut seen = IndexSet::new();
    let mut kept = Vec::new();
    for item in runtime.items(value)? {
        let key = folded(&runtime.budget, getter.get(runtime, &item)?, case)?;
        if seen.insert(Key::of(&runtime.budget, &key)?) {
            kept.push(item);
        }
    }
    runtime.budget.generator(kept)
}

/// `min` and `max`: of equals the first.
fn extreme(runtime: &Runtime, name: &str, value: &Value, passed: &Passed) -> Fallible<Value> {
    let [case, attribute] = passed.bind(name, ["case_sensitive", "attribute"], 0)?;
    let case = case.is_some_and(Value::truth);
    let getter = Getter::new(&runtime.budget, attribute, None)?;
    let mut best: Option<(Value, Value)> = None;
    for item in runtime.items(value)? {
        let key = folded(&runtime.budget, getter.get(runtime, &item)?, case)?;
        let better = match &best {
            None => true,
            Some((old, _)) if name == "min" => {
                order(&runtime.budget, "<", &key, old)?.is_some_and(std::cmp::Ordering::is_lt)
            }
            Some((old, _)) => {
                order(&runtime.budget, ">", &key, old)?.is_some_and(std::cmp::Ordering::is_gt)
            }
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(
        || empty("No aggregated item, sequence was empty."),
        |(_, item)| item,
    ))
}

/// The names of a value's attributes, for `attr`.
pub(super) fn only_attribute(budget: &Budget, value: &Value, name: &Value) -> Fallible<Value> {
    let name: Arc<str> = to_text(budget, name)?;
    match value {
        // An item is no attribute.
        Value::Dict(dict) if dict.get(&name).is_some() => {
            let bare = budget.dict(crate::value::Dict::default())?;
            access::attribute(budget, &bare, &name)
        }
        other => access::attribute(budget, other, &name),
    }
}

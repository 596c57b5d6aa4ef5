//! Filters that apply another filter or a test to every item.

use super::attributes::Getter;
use crate::calls::{Passed, text};
use crate::checks;
use crate::error::{Fallible, failed};
use crate::runtime::Runtime;
use crate::value::Value;

pub(super) fn apply(
    runtime: &Runtime,
    name: &str,
    value: &Value,
    passed: &Passed,
) -> Fallible<Value> {
    // Without a value there is nothing to look at; the arguments are not looked at either.
    if !value.truth() {
        return runtime.budget.generator(Vec::new());
    }
    match name {
        "map" => map(runtime, value, passed),
        "select" => chosen(runtime, value, passed, false, true),
        "reject" => chosen(runtime, value, passed, false, false),
        "selectattr" => chosen(runtime, value, passed, true, true),
        _ => chosen(runtime, value, passed, true, false),
    }
}

fn map(runtime: &Runtime, value: &Value, passed: &Passed) -> Fallible<Value> {
    let items = runtime.items(value)?;
    let by_attribute =
        passed.positional.is_empty() && passed.named.iter().any(|(name, _)| &**name == "attribute");
    let mut mapped = Vec::with_capacity(items.len());
    if by_attribute {
        let [attribute, default] = passed.bind("map", ["attribute", "default"], 1)?;
        let getter = Getter::new(&runtime.budget, attribute, default)?;
        for item in &items {
            mapped.push(getter.get(runtime, item)?);
        }
    } else {
        let name = passed.positional.first();
        let name = name.ok_or_else(|| failed("map requires a filter argument"))?;
        let (name, passed) = (text("map", name)?, passed.rest());
        for item in &items {
            runtime.budget.step(1)?;
            mapped.push(super::apply(runtime, name, item, &passed)?);
        }
    }
    runtime.budget.generator(mapped)
}

/// Items, or items by an attribute, that pass a test, or do not.
fn chosen(
    runtime: &Runtime,
    value: &Value,
    passed: &Passed,
    by_attribute: bool,
    wanted: bool,
) -> Fallible<Value> {
    let mut passed = passed.clone();
    let getter = match (by_attribute, passed.positional.first()) {
        (false, _) => Getter::new(&runtime.budget, None, None)?,
        (true, Some(attribute)) => {
            let getter = Getter::new(&runtime.budget, Some(attribute), None)?;
            passed = passed.rest();
            getter
        }
        (true, None) => return Err(failed("Missing parameter for attribute name")),
    };
    let name = passed.positional.first().cloned();
    let passed = passed.rest();
    let mut kept = Vec::new();
    for item in runtime.items(value)? {
        let found = getter.get(runtime, &item)?;
        let holds = match &name {
            Some(name) => {
                let name = text("select", name)?;
                checks::holds(&runtime.budget, name, &found, &passed)?
            }
            None => found.truth(),
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    runtime.budget.generator(kept)
}

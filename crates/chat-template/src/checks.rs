//! Tests: `value is name(...)`.

use std::rc::Rc;

use crate::access::is_iterable;
use crate::ast::Comparator;
use crate::budget::Budget;
use crate::calls::Passed;
use crate::error::{Fallible, failed};
use crate::operators::compare;
use crate::repr::to_text;
use crate::value::{Value, View};
use crate::{filters, methods};

const NAMES: [&str; 39] = [
    "odd",
    "even",
    "divisibleby",
    "defined",
    "undefined",
    "filter",
    "test",
    "none",
    "boolean",
    "false",
    "true",
    "integer",
    "float",
    "lower",
    "upper",
    "string",
    "mapping",
    "number",
    "sequence",
    "iterable",
    "callable",
    "sameas",
    "escaped",
    "in",
    "==",
    "eq",
    "equalto",
    "!=",
    "ne",
    ">",
    "gt",
    "greaterthan",
    "ge",
    ">=",
    "<",
    "lt",
    "lessthan",
    "<=",
    "le",
];

/// Whether `value is name(...)`.
pub(crate) fn holds(budget: &Budget, name: &str, value: &Value, passed: &Passed) -> Fallible<bool> {
    let comparator = match name {
        "==" | "eq" | "equalto" => Some(Comparator::Equal),
        "!=" | "ne" => Some(Comparator::NotEqual),
        ">" | "gt" | "greaterthan" => Some(Comparator::Greater),
        ">=" | "ge" => Some(Comparator::GreaterOrEqual),
        "<" | "lt" | "lessthan" => Some(Comparator::Less),
        "<=" | "le" => Some(Comparator::LessOrEqual),
        "in" => Some(Comparator::In),
        _ => None,
    };
    if let Some(comparator) = comparator {
        return compare(budget, comparator, value, passed.one(name, "other")?);
    }
    match name {
        "divisibleby" => {
            return leaves(budget, value, passed.one(name, "num")?, 0);
        }
        "sameas" => {
            return same(budget, value, passed.one(name, "other")?);
        }
        _ => passed.none(name)?,
    }
    plain(budget, name, value)
}

/// Whether a division leaves this rest.
fn leaves(budget: &Budget, value: &Value, by: &Value, wanted: i128) -> Fallible<bool> {
    use crate::ast::Operator::Modulo;
    let rest = crate::operators::binary(budget, Modulo, value, by)?;
    crate::operators::equal(budget, &rest, &Value::Integer(wanted))
}

/// Tests without arguments.
fn plain(budget: &Budget, name: &str, value: &Value) -> Fallible<bool> {
    Ok(match name {
        "odd" => leaves(budget, value, &Value::Integer(2), 1)?,
        "even" => leaves(budget, value, &Value::Integer(2), 0)?,
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "none" => value.is_none(),
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "integer" => matches!(value, Value::Integer(_)),
        "float" => matches!(value, Value::Float(_)),
        "number" => value.as_float().is_some(),
        "string" => value.as_text().is_some(),
        "mapping" => matches!(value, Value::Dict(_)),
        "iterable" => is_iterable(value),
        "sequence" => is_sequence(value),
        "callable" => match value {
            Value::Object(object) => object.is_callable(),
            other => other.is_undefined(),
        },
        "escaped" => matches!(value, Value::Markup(_)),
        "lower" | "upper" => {
            let text = to_text(budget, value)?;
            budget.read(text.len())?;
            methods::is_cased(&text, name == "upper")
        }
        "filter" => value.as_text().is_some_and(|name| filters::is_known(name)),
        "test" => value.as_text().is_some_and(|name| NAMES.contains(&&**name)),
        name => return Err(failed(format!("No test named '{name}'."))),
    })
}

/// What has a length and items by number or key.
fn is_sequence(value: &Value) -> bool {
    match value {
        Value::View(View::Keys | View::Values | View::Items, _) | Value::Generator(_) => false,
        Value::Object(_) => false,
        other => other.has_length(),
    }
}

/// `a is b` in Python, for what it is used for: the constants and small numbers.
fn same(budget: &Budget, a: &Value, b: &Value) -> Fallible<bool> {
    Ok(match (a, b) {
        (Value::None, Value::None) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Integer(a), Value::Integer(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Text(a), Value::Text(b)) => {
            budget.look(a.len().min(b.len()))?;
            a == b
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => Rc::ptr_eq(a, b),
        _ => false,
    })
}

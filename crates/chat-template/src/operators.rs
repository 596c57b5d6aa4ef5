//! Arithmetic, comparison and membership.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::ast::{Comparator, Operator};
use crate::budget::Budget;
use crate::error::{Fallible, failed};
use crate::format::percent;
use crate::html::escape;
use crate::numbers::whole;
use crate::value::{Key, Value};

fn unsupported<T>(operator: &str, left: &Value, right: &Value) -> Fallible<T> {
    left.defined()?;
    right.defined()?;
    let (left, right) = (left.type_name(), right.type_name());
    Err(failed(format!(
        "unsupported operand type(s) for {operator}: '{left}' and '{right}'"
    )))
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::FloorDivide => "//",
        Operator::Modulo => "%",
        Operator::Power => "**",
    }
}

/// `left operator right`.
pub(crate) fn binary(
    budget: &Budget,
    operator: Operator,
    left: &Value,
    right: &Value,
) -> Fallible<Value> {
    if let (Some(a), Some(b)) = (left.as_integer(), right.as_integer()) {
        return integers(operator, a, b);
    }
    if let (Some(a), Some(b)) = (left.as_float(), right.as_float()) {
        return floats(operator, a, b).map(Value::Float);
    }
    match operator {
        Operator::Add => add(budget, left, right),
        Operator::Multiply => match (left.as_integer(), right.as_integer()) {
            (_, Some(times)) => repeat(budget, left, times, right),
            (Some(times), _) => repeat(budget, right, times, left),
            _ => unsupported("*", left, right),
        },
        Operator::Modulo if left.as_text().is_some() => percent(budget, left, right),
        _ => unsupported(sign(operator), left, right),
    }
}

fn overflow() -> Box<crate::Error> {
    failed("a number that is too large")
}

fn integers(operator: Operator, a: i128, b: i128) -> Fallible<Value> {
    let whole = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::FloorDivide | Operator::Modulo | Operator::Divide if b == 0 => {
            return Err(failed("division by zero"));
        }
        Operator::Divide => return Ok(Value::Float(a as f64 / b as f64)),
        Operator::FloorDivide => floor_divide(a, b),
        Operator::Modulo => floor_divide(a, b)
            .and_then(|quotient| quotient.checked_mul(b))
            .and_then(|product| a.checked_sub(product)),
        Operator::Power if b < 0 => return floats(operator, a as f64, b as f64).map(Value::Float),
        Operator::Power => match (a, u32::try_from(b)) {
            (0 | 1, _) => Some(if b == 0 { 1 } else { a }),
            (-1, _) => Some(if b % 2 == 0 { 1 } else { -1 }),
            (_, Ok(b)) => a.checked_pow(b),
            _ => None,
        },
    };
    whole.map(Value::Integer).ok_or_else(overflow)
}

/// Rounds down, as Python does.
fn floor_divide(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    Some(quotient - i128::from(a % b != 0 && (a < 0) != (b < 0)))
}

fn floats(operator: Operator, a: f64, b: f64) -> Fallible<f64> {
    let by_zero = || failed("float division by zero");
    Ok(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide | Operator::FloorDivide | Operator::Modulo if b == 0.0 => {
            return Err(by_zero());
        }
        Operator::Divide => a / b,
        Operator::FloorDivide => ((a - modulo(a, b)) / b).round(),
        Operator::Modulo => modulo(a, b),
        Operator::Power if a == 0.0 && b < 0.0 => return Err(by_zero()),
        Operator::Power => a.powf(b),
    })
}

/// The remainder with the sign of the divisor.
fn modulo(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        return rest.copysign(b);
    }
    match (rest < 0.0) != (b < 0.0) {
        true => rest + b,
        false => rest,
    }
}

fn add(budget: &Budget, left: &Value, right: &Value) -> Fallible<Value> {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => budget.text(format!("{a}{b}")),
        (Value::Markup(a), Value::Markup(b)) => markup(budget, format!("{a}{b}")),
        (Value::Markup(a), Value::Text(b)) => markup(budget, format!("{a}{}", escape(b))),
        (Value::Text(a), Value::Markup(b)) => markup(budget, format!("{}{b}", escape(a))),
        (Value::List(a), Value::List(b)) => budget.list([&a.items[..], &b.items[..]].concat()),
        (Value::Tuple(a), Value::Tuple(b)) => budget.tuple([&a.items[..], &b.items[..]].concat()),
        _ => unsupported("+", left, right),
    }
}

pub(crate) fn markup(budget: &Budget, text: String) -> Fallible<Value> {
    budget.make(text.len())?;
    Ok(Value::Markup(text.into()))
}

fn repeat(budget: &Budget, value: &Value, times: i128, other: &Value) -> Fallible<Value> {
    let times = crate::calls::size(times);
    match value {
        Value::Text(text) | Value::Markup(text) => {
            budget.make(text.len().saturating_mul(times))?;
            let repeated = text.repeat(times).into();
            Ok(match value {
                Value::Markup(_) => Value::Markup(repeated),
                _ => Value::Text(repeated),
            })
        }
        Value::List(list) | Value::Tuple(list) => {
            budget.make_items(list.items.len().saturating_mul(times))?;
            let copies = std::iter::repeat_n(&list.items, times);
            let items = copies.flatten().cloned().collect();
            match value {
                Value::Tuple(_) => budget.tuple(items),
                _ => budget.list(items),
            }
        }
        _ => unsupported("*", value, other),
    }
}

/// `a == b`.
pub(crate) fn equal(budget: &Budget, a: &Value, b: &Value) -> Fallible<bool> {
    budget.step(1)?;
    if let (Some(a), Some(b)) = (a.as_integer(), b.as_integer()) {
        return Ok(a == b);
    }
    if let (Some(x), Some(y)) = (a.as_float(), b.as_float()) {
        // A float and an integer are compared exactly.
        return Ok(match (a.as_integer(), b.as_integer()) {
            (Some(a), None) => whole(y) == Some(a),
            (None, Some(b)) => whole(x) == Some(b),
            _ => x == y,
        });
    }
    Ok(match (a, b) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
        (Value::Text(a) | Value::Markup(a), Value::Text(b) | Value::Markup(b)) => {
            budget.look(a.len().min(b.len()))?;
            a == b
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            Rc::ptr_eq(a, b) || equal_items(budget, &a.items, &b.items)?
        }
        (Value::Dict(a), Value::Dict(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, (_, value)) in &a.entries {
                if let Key::Text(text) = key {
                    budget.look(text.len())?;
                }
                match b.entries.get(key) {
                    Some((_, other)) if equal(budget, value, other)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::View(one, a), Value::View(two, b)) => one == two && Rc::ptr_eq(a, b),
        (Value::Range(a), Value::Range(b)) => {
            a.len() == b.len()
                && (a.len() == 0
                    || a.start == b.start && a.get(1).as_integer() == b.get(1).as_integer())
        }
        (Value::Generator(a), Value::Generator(b)) => Rc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => Rc::ptr_eq(a, b),
        _ => false,
    })
}

fn equal_items(budget: &Budget, a: &[Value], b: &[Value]) -> Fallible<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !equal(budget, a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values, where Python has one; none where one of them is not a number.
pub(crate) fn order(
    budget: &Budget,
    sign: &str,
    a: &Value,
    b: &Value,
) -> Fallible<Option<Ordering>> {
    budget.step(1)?;
    if let (Some(a), Some(b)) = (a.as_integer(), b.as_integer()) {
        return Ok(Some(a.cmp(&b)));
    }
    if let (Some(a), Some(b)) = (a.as_float(), b.as_float()) {
        return Ok(a.partial_cmp(&b));
    }
    match (a, b) {
        (Value::Text(a) | Value::Markup(a), Value::Text(b) | Value::Markup(b)) => {
            budget.look(a.len().min(b.len()))?;
            Ok(Some(a.cmp(b)))
        }
        (Value::List(x), Value::List(y)) | (Value::Tuple(x), Value::Tuple(y)) => {
            for (a, b) in x.items.iter().zip(&y.items) {
                if !equal(budget, a, b)? {
                    return order(budget, sign, a, b);
                }
            }
            Ok(Some(x.items.len().cmp(&y.items.len())))
        }
        _ => {
            a.defined()?;
            b.defined()?;
            let (a, b) = (a.type_name(), b.type_name());
            Err(failed(format!(
                "'{sign}' not supported between instances of '{a}' and '{b}'"
            )))
        }
    }
}

/// `a comparator b`.
pub(crate) fn compare(
    budget: &Budget,
    comparator: Comparator,
    a: &Value,
    b: &Value,
) -> Fallible<bool> {
    let ordered = |sign| order(budget, sign, a, b);
    Ok(match comparator {
        Comparator::Equal => equal(budget, a, b)?,
        Comparator::NotEqual => !equal(budget, a, b)?,
        Comparator::Less => ordered("<")?.is_some_and(Ordering::is_lt),
        Comparator::LessOrEqual => ordered("<=")?.is_some_and(Ordering::is_le),
        Comparator::Greater => ordered(">")?.is_some_and(Ordering::is_gt),
        Comparator::GreaterOrEqual => ordered(">=")?.is_some_and(Ordering::is_ge),
        Comparator::In => contains(budget, b, a)?,
        Comparator::NotIn => !contains(budget, b, a)?,
    })
}

/// `item in container`.
pub(crate) fn contains(budget: &Budget, container: &Value, item: &Value) -> Fallible<bool> {
    let any = |items: &[Value]| {
        for other in items {
            if equal(budget, other, item)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    match container {
        Value::Undefined(_) => Ok(false),
        Value::Text(text) | Value::Markup(text) => {
            item.defined()?;
            let Some(part) = item.as_text() else {
                let kind = item.type_name();
                return Err(failed(format!(
                    "'in <string>' requires string as left operand, not {kind}"
                )));
            };
            budget.look(text.len())?;
            Ok(text.contains(&**part))
        }
        Value::List(list) | Value::Tuple(list) => any(&list.items),
        Value::Dict(dict) | Value::View(crate::value::View::Keys, dict) => {
            Ok(dict.entries.contains_key(&Key::of(budget, item)?))
        }
        Value::Range(range) => {
            let number = item
                .as_integer()
                .or_else(|| item.as_float().and_then(whole));
            Ok(number.is_some_and(|number| range.contains(number)))
        }
        Value::View(..) | Value::Generator(_) => any(&crate::access::items(budget, container)?),
        Value::Object(object) => match &**object {
            crate::objects::Object::Loop(state) => any(&state.items.items),
            _ => not_iterable(container),
        },
        other => not_iterable(other),
    }
}

fn not_iterable<T>(value: &Value) -> Fallible<T> {
    let kind = value.type_name();
    Err(failed(format!("argument of type '{kind}' is not iterable")))
}

/// `-value` and `+value`.
pub(crate) fn signed(value: &Value, negative: bool) -> Fallible<Value> {
    if let Some(number) = value.as_integer() {
        let number = match negative {
            true => number.checked_neg().ok_or_else(overflow)?,
            false => number,
        };
        return Ok(Value::Integer(number));
    }
    if let Value::Float(number) = value {
        return Ok(Value::Float(if negative { -number } else { *number }));
    }
    value.defined()?;
    let (sign, kind) = (if negative { '-' } else { '+' }, value.type_name());
    Err(failed(format!(
        "bad operand type for unary {sign}: '{kind}'"
    )))
}

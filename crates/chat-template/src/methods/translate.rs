//! `str.maketrans` and `str.translate`.

use crate::budget::{Budget, Writer};
use crate::calls::{Passed, text};
use crate::error::{Fallible, failed};
use crate::repr::to_text;
use crate::value::{Dict, Key, Value};

fn code(c: char) -> Value {
    Value::Integer(u32::from(c).into())
}

/// `maketrans(dict)`, or `maketrans(from, to, removed)` of texts.
pub(super) fn table(budget: &Budget, passed: &Passed) -> Fallible<Value> {
    let mut table = Dict::default();
    match passed.bind("maketrans", ["x", "y", "z"], 1)? {
        [Some(Value::Dict(dict)), None, None] => {
            budget.step(dict.len() as u64)?;
            for (key, value) in dict.entries.values() {
                let mut letters = key.as_text().into_iter().flat_map(|key| key.chars());
                let key = match (letters.next(), letters.next(), key.as_integer()) {
                    (Some(only), None, _) => code(only),
                    (_, _, Some(number)) => Value::Integer(number),
                    _ => return Err(failed("maketrans: expected keys of one character")),
                };
                table.insert(budget, key, value.clone())?;
            }
        }
        [Some(from), Some(to), removed] => {
            let (from, to) = (text("maketrans", from)?, text("maketrans", to)?);
            if from.chars().count() != to.chars().count() {
                return Err(failed("maketrans: expected two texts of one length"));
            }
            budget.step(from.len() as u64)?;
            for (from, to) in from.chars().zip(to.chars()) {
                table.insert(budget, code(from), code(to))?;
            }
            if let Some(removed) = removed {
                let removed = text("maketrans", removed)?;
                budget.step(removed.len() as u64)?;
                for c in removed.chars() {
                    table.insert(budget, code(c), Value::None)?;
                }
            }
        }
        _ => return Err(failed("maketrans: expected a dict, or two or three texts")),
    }
    budget.dict(table)
}

/// Every character as the table has it: another text, another character by its number, or none.
pub(super) fn translate(budget: &Budget, found: &str, passed: &Passed) -> Fallible<Value> {
    let Value::Dict(table) = passed.one("translate", "table")? else {
        return Err(failed("translate: expected a dict"));
    };
    let mut out = Writer::new(budget);
    budget.step(found.len() as u64)?;
    for c in found.chars() {
        match table.entries.get(&Key::of(budget, &code(c))?) {
            None => out.push(c.encode_utf8(&mut [0; 4]))?,
            Some((_, Value::None)) => {}
            Some((_, value)) => match value.as_integer() {
                Some(number) => {
                    let other = u32::try_from(number).ok().and_then(char::from_u32);
                    let other = other.ok_or_else(|| failed("translate: no character"))?;
                    out.push(other.encode_utf8(&mut [0; 4]))?;
                }
                None => out.push(&to_text(budget, value)?)?,
            },
        }
    }
    Ok(out.finish())
}

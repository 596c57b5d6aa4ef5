//! Arguments as they are passed, and how they meet parameters.

use std::sync::Arc;

use crate::budget::Budget;
use crate::error::{Fallible, failed};
use crate::value::Value;

/// Arguments of a call.
#[derive(Clone, Default)]
pub(crate) struct Passed {
    pub positional: Vec<Value>,
    pub named: Vec<(Arc<str>, Value)>,
}

impl Passed {
    /// The arguments by parameter; the first `required` must be there.
    pub fn bind<const N: usize>(
        &self,
        what: &str,
        parameters: [&str; N],
        required: usize,
    ) -> Fallible<[Option<&Value>; N]> {
        let mut bound = [None; N];
        if self.positional.len() > N {
            let given = self.positional.len();
            return Err(failed(format!(
                "{what} takes at most {N} arguments, {given} were given"
            )));
        }
        for (place, value) in bound.iter_mut().zip(&self.positional) {
            *place = Some(value);
        }
        for (name, value) in &self.named {
            let place = parameters
                .iter()
                .position(|parameter| **parameter == **name);
            match place.map(|at| &mut bound[at]) {
                Some(place @ None) => *place = Some(value),
                Some(Some(_)) => {
                    return Err(failed(format!("{what} got `{name}` twice")));
                }
                None => {
                    return Err(failed(format!("{what} has no argument `{name}`")));
                }
            }
        }
        for (name, value) in parameters.iter().zip(&bound).take(required) {
            if value.is_none() {
                return Err(failed(format!("{what} needs the argument `{name}`")));
            }
        }
        Ok(bound)
    }

    /// The only argument.
    pub fn one(&self, what: &str, parameter: &str) -> Fallible<&Value> {
        let [value] = self.bind(what, [parameter], 1)?;
        Ok(value.unwrap_or(&Value::None))
    }

    /// Refuses any argument.
    pub fn none(&self, what: &str) -> Fallible<()> {
        self.bind::<0>(what, [], 0).map(drop)
    }

    /// The same without the first positional argument.
    pub fn rest(&self) -> Self {
        Self {
            positional: self.positional.iter().skip(1).cloned().collect(),
            named: self.named.clone(),
        }
    }
}

/// An argument that must be a text.
pub(crate) fn text<'v>(what: &str, value: &'v Value) -> Fallible<&'v Arc<str>> {
    value.defined()?;
    value.as_text().ok_or_else(|| {
        let kind = value.type_name();
        failed(format!("{what}: expected a text, found {kind}"))
    })
}

/// An argument that must be a whole number.
pub(crate) fn integer(what: &str, value: &Value) -> Fallible<i128> {
    value.defined()?;
    value.as_integer().ok_or_else(|| {
        let kind = value.type_name();
        failed(format!("{what}: expected a whole number, found {kind}"))
    })
}

/// What lines are indented by: a text, or so many spaces.
pub(crate) fn indent(budget: &Budget, what: &str, value: &Value) -> Fallible<Arc<str>> {
    if let Some(indent) = value.as_text() {
        return Ok(Arc::clone(indent));
    }
    let width = size(integer(what, value)?);
    budget.make(width)?;
    Ok(" ".repeat(width).into())
}

/// `len(value)`.
pub(crate) fn length(budget: &Budget, value: &Value) -> Fallible<usize> {
    if let Some(text) = value.as_text() {
        budget.look(text.len())?;
    }
    value.length().ok_or_else(|| {
        let kind = value.type_name();
        failed(format!("object of type '{kind}' has no len()"))
    })
}

/// A number as a size; a negative one is 0, and one that is too large the largest.
pub(crate) fn size(number: i128) -> usize {
    usize::try_from(number.max(0)).unwrap_or(usize::MAX)
}

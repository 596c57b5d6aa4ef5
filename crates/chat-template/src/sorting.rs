//! Sorting where comparing can fail.

use std::cmp::Ordering;

use crate::budget::Budget;
use crate::error::Fallible;
use crate::operators::order;
use crate::value::Value;

/// Sorts stably by a key; values that have no order are an error. The standard library's sort may panic where an order
/// contradicts itself, as that of numbers with a NaN among them does; this one merges.
pub(crate) fn sort<T>(
    budget: &Budget,
    items: Vec<T>,
    key: impl Fn(&T) -> &Value,
) -> Fallible<Vec<T>> {
    let mut runs: Vec<Vec<T>> = items.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut rest = runs.into_iter();
        while let Some(first) = rest.next() {
            merged.push(match rest.next() {
                Some(second) => merge(budget, first, second, &key)?,
                None => first,
            });
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default())
}

/// Two sorted lists as one; of equals those of `first` come first.
fn merge<T>(
    budget: &Budget,
    first: Vec<T>,
    second: Vec<T>,
    key: &impl Fn(&T) -> &Value,
) -> Fallible<Vec<T>> {
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    while let (Some(a), Some(b)) = (first.peek(), second.peek()) {
        let less = order(budget, "<", key(b), key(a))? == Some(Ordering::Less);
        merged.extend(if less { second.next() } else { first.next() });
    }
    merged.extend(first);
    merged.extend(second);
    Ok(merged)
}

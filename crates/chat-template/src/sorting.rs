//! Sorting where comparing can fail.

use std::cmp::Ordering;

use crate::budget::Budget;
use crate::error::Fallible;
use crate::operators::order;
use crate::value::Value;

/// Sorts stably by a key; values that have no order are an error.
pub(crate) fn sort<T>(
    budget: &Budget,
    items: &mut [T],
    key: impl Fn(&T) -> &Value,
) -> Fallible<()> {
    let mut problem = None;
    items.sort_by(|a, b| {
        if problem.is_some() {
            return Ordering::Equal;
        }
        match order(budget, "<", key(a), key(b)) {
            Ok(order) => order.unwrap_or(Ordering::Equal),
            Err(error) => {
                problem = Some(error);
                Ordering::Equal
            }
        }
    });
    problem.map_or(Ok(()), Err)
}

//! The split of the released code: rows at random, whatever they share.

use crate::comparison::Comparison;
use crate::error::SplitError;
use crate::numpy::RandomState;
use crate::split::{Split, SplitOrigin, SplitRatios};

/// Shuffles the rows, then deals out a random share, each with numpy's generator of this seed (reference 4.2). The held-out
/// rows (rounded up) are validation first, then test.
pub(super) fn split_by_row(
    rows: Vec<Comparison>,
    ratios: &SplitRatios,
    seed: u64,
) -> Result<Split, SplitError> {
    ratios.validate()?;
    let small = u32::try_from(seed).map_err(|_| SplitError::Seed { found: seed })?;
    let mut rows = rows;
    // Once to shuffle, once to deal.
    for _ in 0..2 {
        let order = RandomState::new(small).permutation(rows.len());
        rows = reordered(rows, &order);
    }
    let held = ratios.validation + ratios.test;
    let held_rows = share(rows.len(), held).min(rows.len());
    let validation_rows = if held > 0.0 {
        (held_rows as f64 * ratios.validation / held).round() as usize
    } else {
        0
    };
    let train = rows.split_off(held_rows);
    let test = rows.split_off(validation_rows.min(held_rows));
    Ok(Split {
        train,
        validation: rows,
        test,
        origin: SplitOrigin::ByRow,
    })
}

fn reordered(rows: Vec<Comparison>, order: &[usize]) -> Vec<Comparison> {
    let mut rows: Vec<Option<Comparison>> = rows.into_iter().map(Some).collect();
    // invariant: a permutation names every row once.
    order
        .iter()
        .filter_map(|&row| rows.get_mut(row)?.take())
        .collect()
}

/// The share of `count`, rounded up; a hair's breadth above a whole number is that number.
fn share(count: usize, share: f64) -> usize {
    (count as f64 * share - 1e-9).ceil().max(0.0) as usize
}

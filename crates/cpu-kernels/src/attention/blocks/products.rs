//! The products of a block of queries with the keys that are seen.

use pulp::Simd;

use super::{Block, KEPT_OF_ROW, Seen};
use crate::panels::{self, ROWS, no_sums, width};

/// `scores = rows panels` for the panels that are seen, one behind the other; `row(i)` are the rows, of so many numbers.
#[inline(always)]
pub(super) fn products_with_seen<'a, S: Simd>(
    simd: S,
    (rows, depth): (usize, usize),
    row: impl Fn(usize) -> &'a [f32],
    (packed, seen): (&[f32], &Seen),
    scores: &mut [f32],
) {
    let (width, stride) = (width::<S>(), seen.len);
    let panels = (seen.ranges.iter()).flat_map(|range| range.clone().step_by(width));
    for (at, first) in panels.enumerate() {
        let panel = &packed[first * depth..][..depth * width];
        let mut i = 0;
        while i < rows {
            let out = &mut scores[i * stride + at * width..];
            i += match rows - i {
                ROWS.. => some_rows::<S, ROWS>(simd, (i, depth), &row, panel, (out, stride)),
                2.. => some_rows::<S, 2>(simd, (i, depth), &row, panel, (out, stride)),
                _ => some_rows::<S, 1>(simd, (i, depth), &row, panel, (out, stride)),
            };
        }
    }
}

/// `R` rows from row `i` on.
#[inline(always)]
fn some_rows<'a, S: Simd, const R: usize>(
    simd: S,
    (i, depth): (usize, usize),
    row: &impl Fn(usize) -> &'a [f32],
    panel: &[f32],
    (out, stride): (&mut [f32], usize),
) -> usize {
    let mut taken: [&[f32]; R] = [&[]; R];
    for (r, taken) in taken.iter_mut().enumerate() {
        *taken = &row(i + r)[..depth];
    }
    let mut sums = no_sums::<S, R>(simd);
    panels::add_rows(simd, &mut sums, taken, panel);
    for (r, sums) in sums.into_iter().enumerate() {
        panels::write(simd, sums, 1.0, &mut out[r * stride..][..width::<S>()]);
    }
    R
}

/// For each row of the block, what its numbers for the keys that are seen make of `packed`, panels of rows of keys, times what is `kept` of the
/// sum of its exponentials, if anything is: written to the row of `out`, `[rows of the head, dim]`.
#[inline(always)]
pub(super) fn write_sums_over_seen<S: Simd>(
    simd: S,
    (block, dim): (&Block, usize),
    (numbers, seen): (&[f32], &Seen),
    (packed, kept): (&[f32], Option<&[f32]>),
    out: &mut [f32],
) {
    let width = width::<S>();
    let each = packed.len() / dim.div_ceil(width);
    for (at, panel) in packed.chunks_exact(each).enumerate() {
        let sizes = (block, dim, [at * width, dim.min((at + 1) * width)]);
        let mut i = 0;
        while i < block.rows {
            let numbers = (numbers, seen);
            i += match block.rows - i {
                ROWS.. => some_sums::<S, ROWS>(simd, i, sizes, numbers, (panel, kept), out),
                2.. => some_sums::<S, 2>(simd, i, sizes, numbers, (panel, kept), out),
                _ => some_sums::<S, 1>(simd, i, sizes, numbers, (panel, kept), out),
            };
        }
    }
}

/// `R` rows from row `i` on, in some columns.
#[inline(always)]
fn some_sums<S: Simd, const R: usize>(
    simd: S,
    i: usize,
    (block, dim, columns): (&Block, usize, [usize; 2]),
    (numbers, seen): (&[f32], &Seen),
    (panel, kept): (&[f32], Option<&[f32]>),
    out: &mut [f32],
) -> usize {
    let width = width::<S>();
    let keys = panel.len() / width;
    let mut sums = no_sums::<S, R>(simd);
    let mut from = 0;
    for range in &seen.ranges {
        let (first, last) = (range.start, keys.min(range.end));
        let mut taken: [&[f32]; R] = [&[]; R];
        for (r, taken) in taken.iter_mut().enumerate() {
            *taken = &numbers[(i + r) * seen.len + from..][..last - first];
        }
        panels::add_rows(simd, &mut sums, taken, &panel[first * width..last * width]);
        from += range.len();
    }
    for (r, sums) in sums.into_iter().enumerate() {
        let row = block.row(i + r);
        let factor = match kept {
            Some(kept) => kept[row * KEPT_OF_ROW + 1],
            None => 1.0,
        };
        let out = &mut out[row * dim + columns[0]..row * dim + columns[1]];
        panels::write(simd, sums, factor, out);
    }
    R
}

/// Adds to each key that is seen, `[keys, dim]`, the rows of `packed` times its column of `numbers`.
#[inline(always)]
pub(super) fn add_for_keys<S: Simd>(
    simd: S,
    (numbers, seen): (&[f32], &Seen),
    (packed, dim): (&[f32], usize),
    out: &mut [f32],
) {
    let width = width::<S>();
    let keys = out.len() / dim;
    let each = packed.len() / dim.div_ceil(width);
    for (at, panel) in packed.chunks_exact(each).enumerate() {
        let columns = [at * width, dim.min((at + 1) * width)];
        let mut from = 0;
        for range in &seen.ranges {
            let (first, last) = (range.start, keys.min(range.end));
            let mut key = first;
            while key < last {
                let numbers = (&numbers[from + key - first..], seen.len);
                let out = &mut out[key * dim..];
                key += match last - key {
                    ROWS.. => some_keys::<S, ROWS>(simd, numbers, panel, (out, dim), columns),
                    2.. => some_keys::<S, 2>(simd, numbers, panel, (out, dim), columns),
                    _ => some_keys::<S, 1>(simd, numbers, panel, (out, dim), columns),
                };
            }
            from += range.len();
        }
    }
}

/// `R` keys.
#[inline(always)]
fn some_keys<S: Simd, const R: usize>(
    simd: S,
    numbers: (&[f32], usize),
    panel: &[f32],
    (out, dim): (&mut [f32], usize),
    [first, last]: [usize; 2],
) -> usize {
    let mut sums = no_sums::<S, R>(simd);
    panels::add_columns(simd, &mut sums, numbers, panel);
    for (r, sums) in sums.into_iter().enumerate() {
        panels::add_to(simd, sums, &mut out[r * dim + first..r * dim + last]);
    }
    R
}

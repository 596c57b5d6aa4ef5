//! Attention of many queries, as in training, forward and backward: some queries of a key head at a time, with the keys that at least one of them
//! sees. Scores are made anew in the backward pass and are never in memory all at once (as in FlashAttention, arXiv 2205.14135).

use std::cell::RefCell;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{AttentionShape, HIDDEN, View};
use crate::panels::{self, ROWS, Scratch, no_sums, packed_len, width};
use crate::rows;

/// Rows of scores at a time, about: with some hundred keys they stay in a core's second cache.
const ROWS_OF_SCORES: usize = 96;

/// What the backward pass has to know of a row of scores: the largest, and one over the sum of the exponentials.
pub const KEPT_OF_ROW: usize = 2;

/// `softmax(q k^T + bias) v`, `[batch, heads, queries, dim]`, and what [`attention_backward`] needs of it besides, `[batch, heads, queries,`
/// [`KEPT_OF_ROW`]`]`. `q` is of the first shape and scaled already; `bias` is `[batch, 1, queries, keys]`; `k` and `v` are `[batch, kv_heads,
/// keys, dim]`.
pub fn attention_kept(
    q: &[f32],
    k: View<'_>,
    v: View<'_>,
    bias: &[f32],
    shape: AttentionShape,
) -> (Vec<f32>, Vec<f32>) {
    let rows = shape.batch * shape.heads * shape.queries;
    let (mut out, mut kept) = (vec![0.0; rows * shape.dim], vec![0.0; rows * KEPT_OF_ROW]);
    let of_head = shape.rows_of_key_head();
    if of_head == 0 || shape.dim == 0 {
        return (out, kept);
    }
    let outs = out.par_chunks_mut(of_head * shape.dim);
    let all_kept = kept.par_chunks_mut(of_head * KEPT_OF_ROW);
    outs.zip(all_kept).enumerate().for_each(|(i, (out, kept))| {
        with_memory(|memory| {
            pulp::Arch::new().dispatch(Forward {
                head: Head::new(i, [q, bias], [k, v], shape),
                memory,
                out,
                kept,
            });
        });
    });
    (out, kept)
}

/// The gradients of `q`, `k` and `v`, each of its shape, from what [`attention_kept`] got and kept, and the gradient of its result.
pub fn attention_backward(
    q: &[f32],
    k: View<'_>,
    v: View<'_>,
    bias: &[f32],
    (kept, grad): (&[f32], &[f32]),
    shape: AttentionShape,
) -> [Vec<f32>; 3] {
    let keys = shape.keys * shape.dim;
    let mut for_q = vec![0.0; q.len()];
    let [mut for_k, mut for_v] = [(); 2].map(|()| vec![0.0; shape.batch * shape.kv_heads * keys]);
    let of_head = shape.rows_of_key_head();
    if of_head == 0 || shape.dim == 0 {
        return [for_q, for_k, for_v];
    }
    let for_keys = for_k.par_chunks_mut(keys).zip(for_v.par_chunks_mut(keys));
    let all = for_q.par_chunks_mut(of_head * shape.dim).zip(for_keys);
    all.enumerate().for_each(|(i, (for_q, (for_k, for_v)))| {
        with_memory(|memory| {
            pulp::Arch::new().dispatch(Backward {
                head: Head::new(i, [q, bias], [k, v], shape),
                memory,
                kept: &kept[i * of_head * KEPT_OF_ROW..][..of_head * KEPT_OF_ROW],
                grad: &grad[i * of_head * shape.dim..][..of_head * shape.dim],
                out: [for_q, for_k, for_v],
            });
        });
    });
    [for_q, for_k, for_v]
}

/// What a thread keeps from head to head.
#[derive(Default)]
struct Memory {
    packed: [Scratch; 5],
    scores: [Scratch; 2],
}

fn with_memory(work: impl FnOnce(&mut Memory)) {
    thread_local! {
        static MEMORY: RefCell<Memory> = RefCell::default();
    }
    MEMORY.with_borrow_mut(work);
}

/// One key head with the query heads that look at it.
struct Head<'a> {
    /// `[rows of scores, dim]`.
    q: &'a [f32],
    /// `[queries, keys]`.
    bias: &'a [f32],
    k: Rows<'a>,
    v: Rows<'a>,
    shape: AttentionShape,
}

/// Rows of `dim` numbers.
#[derive(Clone, Copy)]
struct Rows<'a> {
    numbers: &'a [f32],
    stride: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(self, i: usize, dim: usize) -> &'a [f32] {
        &self.numbers[i * self.stride..][..dim]
    }
}

impl<'a> Head<'a> {
    /// Head number `i` of all sequences.
    fn new(
        i: usize,
        [q, bias]: [&'a [f32]; 2],
        [k, v]: [View<'a>; 2],
        shape: AttentionShape,
    ) -> Self {
        let (batch, head) = (i / shape.kv_heads, i % shape.kv_heads);
        let rows = |of: View<'a>| Rows {
            numbers: &of.numbers[batch * of.strides[0] + head * of.strides[1]..],
            stride: of.strides[2],
        };
        let (each, of_bias) = (
            shape.rows_of_key_head() * shape.dim,
            shape.queries * shape.keys,
        );
        Self {
            q: &q[i * each..][..each],
            bias: &bias[batch * of_bias..][..of_bias],
            k: rows(k),
            v: rows(v),
            shape,
        }
    }

    /// The queries in blocks.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let AttentionShape { queries, .. } = self.shape;
        let each = (ROWS_OF_SCORES / self.group()).max(1);
        let first = (0..queries).step_by(each);
        first.map(move |first| first..queries.min(first + each))
    }

    /// Query heads.
    fn group(&self) -> usize {
        self.shape.heads / self.shape.kv_heads
    }

    #[inline(always)]
    fn bias(&self, query: usize) -> &'a [f32] {
        &self.bias[query * self.shape.keys..][..self.shape.keys]
    }

    /// The panels of keys of which these queries see a key; all where one of them sees none, since what it gets is the mean of those hidden least.
    #[inline(always)]
    fn seen<S: Simd>(&self, queries: Range<usize>) -> Seen {
        let width = width::<S>();
        let panels = self.shape.keys.div_ceil(width);
        let mut seen = vec![false; panels];
        for query in queries {
            let mut any = false;
            for (seen, biases) in seen.iter_mut().zip(self.bias(query).chunks(width)) {
                let mut here = false;
                for bias in biases {
                    here |= *bias > HIDDEN;
                }
                *seen |= here;
                any |= here;
            }
            if !any {
                seen.fill(true);
                break;
            }
        }
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for panel in (0..panels).filter(|panel| seen[*panel]) {
            match ranges.last_mut() {
                Some(last) if last.end == panel => last.end += 1,
                _ => ranges.push(panel..panel + 1),
            }
        }
        let count = ranges.iter().map(Range::len).sum();
        Seen { ranges, count }
    }
}

/// Panels of keys.
struct Seen {
    ranges: Vec<Range<usize>>,
    count: usize,
}

impl Seen {
    fn panels(&self) -> impl Iterator<Item = usize> {
        self.ranges.iter().cloned().flatten()
    }
}

/// A block of queries of all query heads, whose rows of scores are numbered head by head.
struct Block {
    queries: Range<usize>,
    /// Queries of a head.
    all: usize,
    rows: usize,
}

impl Block {
    fn new(head: &Head<'_>, queries: Range<usize>) -> Self {
        let rows = head.group() * queries.len();
        let all = head.shape.queries;
        Self { queries, all, rows }
    }

    /// The number of a row among all rows of the head.
    #[inline(always)]
    fn row(&self, i: usize) -> usize {
        let count = self.queries.len();
        i / count * self.all + self.query(i)
    }

    /// The query of a row.
    #[inline(always)]
    fn query(&self, i: usize) -> usize {
        self.queries.start + i % self.queries.len()
    }
}

/// `scores = rows panels` for the panels that are seen, one behind the other; `row(i)` are the rows, of so many numbers.
#[inline(always)]
fn products_with_seen<'a, S: Simd>(
    simd: S,
    (rows, depth): (usize, usize),
    row: impl Fn(usize) -> &'a [f32],
    (packed, seen): (&[f32], &Seen),
    scores: &mut [f32],
) {
    let (width, stride) = (width::<S>(), seen.count * width::<S>());
    for (at, panel) in seen.panels().enumerate() {
        let panel = &packed[panel * depth * width..][..depth * width];
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
fn write_sums_over_seen<S: Simd>(
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
    let (width, stride) = (width::<S>(), seen.count * width::<S>());
    let keys = panel.len() / width;
    let mut sums = no_sums::<S, R>(simd);
    let mut from = 0;
    for range in &seen.ranges {
        let (first, last) = (range.start * width, keys.min(range.end * width));
        let mut taken: [&[f32]; R] = [&[]; R];
        for (r, taken) in taken.iter_mut().enumerate() {
            *taken = &numbers[(i + r) * stride + from..][..last - first];
        }
        panels::add_rows(simd, &mut sums, taken, &panel[first * width..last * width]);
        from += range.len() * width;
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

struct Forward<'a, 'm> {
    head: Head<'a>,
    memory: &'m mut Memory,
    out: &'m mut [f32],
    kept: &'m mut [f32],
}

impl WithSimd for Forward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let head = &self.head;
        let AttentionShape { keys, dim, .. } = head.shape;
        let Memory { packed, scores, .. } = self.memory;
        let [for_scores, for_sums, ..] = packed;
        let for_scores = for_scores.of(packed_len::<S>([dim, keys]));
        panels::pack_columns::<S>([dim, keys], |key| head.k.row(key, dim), for_scores);
        let for_sums = for_sums.of(packed_len::<S>([keys, dim]));
        panels::pack_rows::<S>([keys, dim], |key| head.v.row(key, dim), for_sums);
        for queries in head.blocks() {
            let seen = head.seen::<S>(queries.clone());
            let block = Block::new(head, queries);
            let stride = seen.count * width::<S>();
            let scores = scores[0].of(block.rows * stride);
            let q = |i: usize| &head.q[block.row(i) * dim..][..dim];
            products_with_seen(simd, (block.rows, dim), q, (for_scores, &seen), scores);
            for (i, scores) in scores.chunks_exact_mut(stride).enumerate() {
                add_bias::<S>(scores, head.bias(block.query(i)), &seen);
                let kept = &mut self.kept[block.row(i) * KEPT_OF_ROW..][..KEPT_OF_ROW];
                let [top, total] = rows::powers(scores);
                kept.copy_from_slice(&[top, 1.0 / total]);
            }
            let numbers = (&*scores, &seen);
            let factors = (&*for_sums, Some(&*self.kept));
            write_sums_over_seen(simd, (&block, dim), numbers, factors, self.out);
        }
    }
}

/// Adds the bias of the keys that are seen; columns behind the last key are hidden from everybody.
#[inline(always)]
fn add_bias<S: Simd>(scores: &mut [f32], bias: &[f32], seen: &Seen) {
    let width = width::<S>();
    let mut scores = scores;
    for range in &seen.ranges {
        let (here, rest) = scores.split_at_mut(range.len() * width);
        let bias = &bias[range.start * width..bias.len().min(range.end * width)];
        let (there, behind) = here.split_at_mut(bias.len());
        for (score, bias) in there.iter_mut().zip(bias) {
            *score += bias;
        }
        behind.fill(f32::NEG_INFINITY);
        scores = rest;
    }
}

struct Backward<'a, 'm> {
    head: Head<'a>,
    memory: &'m mut Memory,
    kept: &'a [f32],
    grad: &'a [f32],
    out: [&'m mut [f32]; 3],
}

impl WithSimd for Backward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let head = &self.head;
        let AttentionShape { keys, dim, .. } = head.shape;
        let Memory { packed, scores } = self.memory;
        let ([k_turned, v_turned, k, q, grad], [probs, slopes]) = (packed, scores);
        let [for_q, for_k, for_v] = self.out;
        let k_turned = k_turned.of(packed_len::<S>([dim, keys]));
        panels::pack_columns::<S>([dim, keys], |key| head.k.row(key, dim), k_turned);
        let v_turned = v_turned.of(packed_len::<S>([dim, keys]));
        panels::pack_columns::<S>([dim, keys], |key| head.v.row(key, dim), v_turned);
        let k = k.of(packed_len::<S>([keys, dim]));
        panels::pack_rows::<S>([keys, dim], |key| head.k.row(key, dim), k);
        for queries in head.blocks() {
            let seen = head.seen::<S>(queries.clone());
            let block = Block::new(head, queries);
            let stride = seen.count * width::<S>();
            let probs = probs.of(block.rows * stride);
            let slopes = slopes.of(block.rows * stride);
            let row_of_q = |i: usize| &head.q[block.row(i) * dim..][..dim];
            let row_of_grad = |i: usize| &self.grad[block.row(i) * dim..][..dim];
            let sizes = (block.rows, dim);
            products_with_seen(simd, sizes, row_of_q, (k_turned, &seen), probs);
            products_with_seen(simd, sizes, row_of_grad, (v_turned, &seen), slopes);
            let pairs = probs
                .chunks_exact_mut(stride)
                .zip(slopes.chunks_exact_mut(stride));
            for (i, (probs, slopes)) in pairs.enumerate() {
                add_bias::<S>(probs, head.bias(block.query(i)), &seen);
                let at = block.row(i) * KEPT_OF_ROW;
                rows::powers_again(probs, [self.kept[at], self.kept[at + 1]]);
                rows::softmax_backward_of(slopes, probs);
            }
            write_sums_over_seen(simd, (&block, dim), (slopes, &seen), (k, None), for_q);

            let packed = packed_len::<S>([block.rows, dim]);
            let (q, grad) = (q.of(packed), grad.of(packed));
            panels::pack_rows::<S>([block.rows, dim], row_of_q, q);
            panels::pack_rows::<S>([block.rows, dim], row_of_grad, grad);
            add_for_keys(simd, (slopes, &seen), (q, dim), for_k);
            add_for_keys(simd, (probs, &seen), (grad, dim), for_v);
        }
    }
}

/// Adds to each key that is seen, `[keys, dim]`, the rows of `packed` times its column of `numbers`.
#[inline(always)]
fn add_for_keys<S: Simd>(
    simd: S,
    (numbers, seen): (&[f32], &Seen),
    (packed, dim): (&[f32], usize),
    out: &mut [f32],
) {
    let width = width::<S>();
    let (stride, keys) = (seen.count * width, out.len() / dim);
    let each = packed.len() / dim.div_ceil(width);
    for (at, panel) in packed.chunks_exact(each).enumerate() {
        let columns = [at * width, dim.min((at + 1) * width)];
        let mut from = 0;
        for range in &seen.ranges {
            let (first, last) = (range.start * width, keys.min(range.end * width));
            let mut key = first;
            while key < last {
                let numbers = (&numbers[from + key - first..], stride);
                let out = &mut out[key * dim..];
                key += match last - key {
                    ROWS.. => some_keys::<S, ROWS>(simd, numbers, panel, (out, dim), columns),
                    2.. => some_keys::<S, 2>(simd, numbers, panel, (out, dim), columns),
                    _ => some_keys::<S, 1>(simd, numbers, panel, (out, dim), columns),
                };
            }
            from += range.len() * width;
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

#[cfg(test)]
mod tests;

//! Attention of many queries, as in training, forward and backward: some queries of a key head at a time, with the keys that at least one of them
//! sees. Scores are made anew in the backward pass and are never in memory all at once (as in FlashAttention, arXiv 2205.14135).

mod products;

use std::cell::RefCell;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{AttentionShape, HIDDEN, View};
use crate::panels::{self, Scratch, packed_len, width};
use crate::rows;
use products::{add_for_keys, products_with_seen, write_sums_over_seen};

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
        for first in (0..panels).filter(|i| seen[*i]).map(|i| i * width) {
            match ranges.last_mut() {
                Some(last) if last.end == first => last.end += width,
                _ => ranges.push(first..first + width),
            }
        }
        let len = ranges.iter().map(Range::len).sum();
        Seen { ranges, len }
    }
}

/// Keys in whole panels, of which the last may go beyond the last key.
struct Seen {
    ranges: Vec<Range<usize>>,
    /// Of all ranges: numbers of a row of scores.
    len: usize,
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
            let scores = scores[0].of(block.rows * seen.len);
            let q = |i: usize| &head.q[block.row(i) * dim..][..dim];
            products_with_seen(simd, (block.rows, dim), q, (for_scores, &seen), scores);
            for (i, scores) in scores.chunks_exact_mut(seen.len).enumerate() {
                add_bias(scores, head.bias(block.query(i)), &seen);
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
fn add_bias(scores: &mut [f32], bias: &[f32], seen: &Seen) {
    let mut scores = scores;
    for range in &seen.ranges {
        let (here, rest) = scores.split_at_mut(range.len());
        let bias = &bias[range.start..bias.len().min(range.end)];
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
            let probs = probs.of(block.rows * seen.len);
            let slopes = slopes.of(block.rows * seen.len);
            let row_of_q = |i: usize| &head.q[block.row(i) * dim..][..dim];
            let row_of_grad = |i: usize| &self.grad[block.row(i) * dim..][..dim];
            let sizes = (block.rows, dim);
            products_with_seen(simd, sizes, row_of_q, (k_turned, &seen), probs);
            products_with_seen(simd, sizes, row_of_grad, (v_turned, &seen), slopes);
            let pairs = probs
                .chunks_exact_mut(seen.len)
                .zip(slopes.chunks_exact_mut(seen.len));
            for (i, (probs, slopes)) in pairs.enumerate() {
                add_bias(probs, head.bias(block.query(i)), &seen);
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

#[cfg(test)]
mod tests;

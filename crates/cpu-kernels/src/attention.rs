//! Attention of a few queries over the keys of a cache, as in decoding: the cache is read in place.

mod blocks;

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{rows, thin};

pub use blocks::{KEPT_OF_ROW, attention_backward, attention_kept};

/// The most queries of a key head for which this is the better way.
pub const MOST_QUERIES: usize = 16;

/// Rows of `dim` numbers each, `[batch, heads, rows, dim]`, somewhere in a larger piece of memory.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// From the first number of the first row on.
    pub numbers: &'a [f32],
    /// From one sequence to the next, from one head to the next, and from one row to the next.
    pub strides: [usize; 3],
}

/// The sizes of an attention.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Sequences.
    pub batch: usize,
    /// Query heads, a multiple of `kv_heads`.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// New tokens of a sequence.
    pub queries: usize,
    /// Tokens to look at, at least one.
    pub keys: usize,
    /// Width of a head.
    pub dim: usize,
}

impl AttentionShape {
    /// Rows of scores of a key head: queries of all heads that look at it.
    fn rows_of_key_head(&self) -> usize {
        self.heads / self.kv_heads * self.queries
    }
}

/// `softmax(q k^T + bias) v`, `[batch, heads, queries, dim]`. `q` is of that shape and scaled already; `bias` is
/// `[batch, 1, queries, keys]`; `k` and `v` are `[batch, kv_heads, keys, dim]`, whose rows lie one behind the other.
///
/// Made for at most [`MOST_QUERIES`] rows of `q` per key head.
pub fn attention(
    q: &[f32],
    k: View<'_>,
    v: View<'_>,
    bias: &[f32],
    shape: AttentionShape,
) -> Vec<f32> {
    let AttentionShape {
        batch,
        heads,
        kv_heads,
        queries,
        keys,
        dim,
    } = shape;
    let rows_of_q = heads / kv_heads * queries;
    let head = |of: View<'_>, i: usize| i / kv_heads * of.strides[0] + i % kv_heads * of.strides[1];
    let mut out = vec![0.0; batch * heads * queries * dim];
    let chunks = out.par_chunks_mut(rows_of_q * dim).enumerate();
    chunks.for_each(|(i, out)| {
        let bias = |query| &bias[(i / kv_heads * queries + query) * keys..][..keys];
        // Slots that only longer sequences have filled are none of this one's: it costs and gives what it would alone. Nor
        // are those that have left its window.
        let seen = (0..queries).map(|query| seen(bias(query)));
        let seen = seen.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        let seen = seen.unwrap_or(0..keys);
        let numbers = seen.start * dim..seen.end * dim;
        few_queries(
            &q[i * rows_of_q * dim..][..rows_of_q * dim],
            &k.numbers[head(k, i)..][numbers.clone()],
            &v.numbers[head(v, i)..][numbers],
            |row| &bias(row % queries)[seen.clone()],
            dim,
            out,
        );
    });
    out
}

/// A bias below this hides its key.
const HIDDEN: f32 = -5e29;

/// The keys from the first to the last one that a query sees; all of them where it sees none.
fn seen(bias: &[f32]) -> Range<usize> {
    let is_seen = |bias: &f32| *bias > HIDDEN;
    match (
        bias.iter().position(is_seen),
        bias.iter().rposition(is_seen),
    ) {
        (Some(first), Some(last)) => first..last + 1,
        _ => 0..bias.len(),
    }
}

/// What `q`, `[n, dim]`, sees in one key head: `softmax(q k^T + bias) v`, `[n, dim]`, where `k` and `v` are `[keys, dim]`
/// with at least one key, and `bias(i)` belongs to row `i` of `q`.
fn few_queries<'a>(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    bias: impl Fn(usize) -> &'a [f32],
    dim: usize,
    out: &mut [f32],
) {
    let keys = k.len() / dim;
    let mut probs = vec![0.0; q.len() / dim * keys];
    let mut scores: Vec<_> = probs.chunks_exact_mut(keys).collect();
    let k = thin::Weights {
        numbers: k,
        stride: dim,
    };
    thin::columns(q, k, dim, &mut scores);
    for (i, (probs, out)) in scores.iter_mut().zip(out.chunks_exact_mut(dim)).enumerate() {
        let bias = bias(i);
        pulp::Arch::new().dispatch(Seen {
            probs,
            bias,
            v,
            out,
        });
    }
}

/// `out = softmax(probs + bias) v`.
struct Seen<'a> {
    probs: &'a mut [f32],
    bias: &'a [f32],
    v: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Seen<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        rows::add_and_softmax(self.probs, self.bias);
        let mut at = 0;
        while at < self.out.len() {
            at += match (self.out.len() - at) / S::F32_LANES {
                4.. => self.vectors::<S, 4>(simd, at),
                1.. => self.vectors::<S, 1>(simd, at),
                0 => self.number(at),
            };
        }
    }
}

impl Seen<'_> {
    /// Vectors of `out` from number `at` on, kept in registers; says how many numbers those are.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // Closures would not be compiled for the processor at hand.
    fn vectors<S: Simd, const C: usize>(&mut self, simd: S, at: usize) -> usize {
        let mut sums = [simd.splat_f32s(0.0); C];
        let rows = self.v.chunks_exact(self.out.len());
        for (p, v) in self.probs.iter().zip(rows) {
            let (p, v) = (simd.splat_f32s(*p), &S::as_simd_f32s(&v[at..]).0[..C]);
            for c in 0..C {
                sums[c] = simd.mul_add_e_f32s(p, v[c], sums[c]);
            }
        }
        let length = C * S::F32_LANES;
        S::as_mut_simd_f32s(&mut self.out[at..at + length])
            .0
            .copy_from_slice(&sums);
        length
    }

    #[inline(always)]
    fn number(&mut self, at: usize) -> usize {
        let rows = self.v.chunks_exact(self.out.len());
        let mut sum = 0.0;
        for (p, v) in self.probs.iter().zip(rows) {
            sum += p * v[at];
        }
        self.out[at] = sum;
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::numbers;

    /// Heads of some vectors and a rest; every processor sees the same.
    #[test]
    fn vectors_and_single_numbers_see_the_same() {
        let keys = 37;
        for dim in [24, 72] {
            let (scores, bias, v) = (numbers(1, keys), numbers(2, keys), numbers(3, keys * dim));
            let run = |vector: bool| {
                let (mut probs, mut out) = (scores.clone(), vec![0.0; dim]);
                let seen = Seen {
                    probs: &mut probs,
                    bias: &bias,
                    v: &v,
                    out: &mut out,
                };
                match vector {
                    true => pulp::Arch::new().dispatch(seen),
                    false => seen.with_simd(pulp::Scalar),
                }
                out
            };
            for (vector, plain) in run(true).into_iter().zip(run(false)) {
                assert!((vector - plain).abs() < 1e-5, "{vector}, {plain}");
            }
        }
    }
}

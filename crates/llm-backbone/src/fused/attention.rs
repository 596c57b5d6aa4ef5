//! Attention of a few queries over the keys of a cache, as in decoding: the cache is read in place.

use pulp::{Simd, WithSimd};

use super::{kernels, thin};

/// The most queries of a key head for which this is the better way.
pub(super) const MOST_ROWS: usize = 16;

/// What `q`, `[n, dim]`, sees in one key head: `softmax(q k^T + bias) v`, `[n, dim]`, where `k` and `v` are `[keys, dim]`
/// with at least one key, and `bias(i)` belongs to row `i` of `q`.
pub(super) fn few_queries<'a>(
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
    let k = thin::Rows {
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
        kernels::masked_softmax(self.probs, self.bias);
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

//! Attention of a few queries over the keys of a cache, as in decoding: each number of the cache is read once, in place.

use super::{kernels, thin};

/// What `q`, `[n, dim]`, sees in one key head: `softmax(q k^T + bias) v`, `[n, dim]`, where `k` and `v` are `[keys, dim]` and
/// `bias(i)` belongs to row `i` of `q`.
pub(super) fn few_queries<'a>(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    bias: impl Fn(usize) -> &'a [f32],
    dim: usize,
    out: &mut [f32],
) {
    let (n, keys) = (q.len() / dim, k.len() / dim);
    let mut by_key = vec![0.0; keys * n];
    let k = thin::Rows {
        numbers: k,
        stride: dim,
    };
    thin::columns(q, k, dim, &mut by_key);
    let mut probs = vec![0.0; keys];
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (i, out) in out.chunks_exact_mut(dim).enumerate() {
                for (p, scores) in probs.iter_mut().zip(by_key.chunks_exact(n)) {
                    *p = scores[i];
                }
                kernels::masked_softmax(&mut probs, bias(i));
                for (p, v) in probs.iter().zip(v.chunks_exact(dim)) {
                    kernels::add_scaled(out, *p, v);
                }
            }
        },
    );
}

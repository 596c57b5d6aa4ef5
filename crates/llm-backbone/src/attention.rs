//! Scaled dot-product attention with grouped queries and an arbitrary mask.

use burn::tensor::{Bool, DType, Int, Tensor};

use crate::cache::KvCache;
use crate::fused::attention;
use crate::matrix::cast_if_needed;
use crate::rope::{Rope, RopeRows};

/// What is added to the score of a hidden key.
pub(crate) const HIDDEN: f32 = -1e30;

/// What the attention of every block takes from a batch: where its tokens are, and what they may look at.
#[derive(Debug)]
pub(crate) struct Context {
    rope: RopeRows,
    /// `[batch, 1, seq, keys]` in f32.
    bias: Tensor<4>,
}

impl Context {
    /// `positions` is `[batch, seq]`; `visible`, `[batch, 1, seq, keys]`, is true where a query may look at a key.
    pub(crate) fn new(rope: &Rope, positions: Tensor<2, Int>, visible: Tensor<4, Bool>) -> Self {
        Self {
            rope: rope.rows(positions),
            bias: bias_from_visible(visible),
        }
    }

    /// `[batch * seq, heads * head_dim]` to `[batch, heads, seq, head_dim]`.
    pub(crate) fn heads(&self, x: Tensor<2>, head_dim: usize) -> Tensor<4> {
        let [batch, _, seq, _] = self.bias.dims();
        let [_, width] = x.dims();
        x.reshape([batch, seq, width / head_dim, head_dim])
            .swap_dims(1, 2)
    }

    /// Rotates the first dimensions of queries or keys, `[batch, heads, seq, head_dim]`.
    pub(crate) fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        self.rope.rotate(x)
    }
}

/// `softmax(q k^T / sqrt(head_dim) + bias) v`, `[batch * seq, heads * head_dim]`, where earlier keys and values of the
/// block come from its `cache`, which the new ones are added to.
///
/// `q` is `[batch, heads, seq, head_dim]`; `k` and `v` are `[batch, kv_heads, seq, head_dim]`, `heads` a multiple of
/// `kv_heads`. Half-precision scores are normalised in f32.
pub(crate) fn attend(
    [q, k, v]: [Tensor<4>; 3],
    context: &Context,
    cache: Option<(usize, &mut KvCache)>,
) -> Tensor<2> {
    let (k, v) = match cache {
        Some((block, cache)) => cache.append(block, k, v),
        None => (k, v),
    };
    let [batch, heads, seq, head_dim] = q.dims();
    let q = q.mul_scalar(1.0 / (head_dim as f64).sqrt());
    attention(q, k, v, context.bias.clone())
        .swap_dims(1, 2)
        .reshape([batch * seq, heads * head_dim])
}

/// A bias to add to scores. Hidden entries get a large finite negative number, so that a row in which nothing is visible
/// stays finite.
fn bias_from_visible(visible: Tensor<4, Bool>) -> Tensor<4> {
    let bias = visible.bool_not().float().mul_scalar(HIDDEN);
    cast_if_needed(bias, DType::F32)
}

//! Scaled dot-product attention with grouped queries and an arbitrary mask.

use burn::tensor::{Bool, DType, Tensor};

use crate::fused::attention;
use crate::linear::cast_if_needed;

/// What is added to the score of a hidden key.
pub(crate) const HIDDEN: f32 = -1e30;

/// Turns "may look at" (`[batch, 1, queries, keys]`, true = visible) into a bias to add to the scores, in f32.
///
/// Hidden entries get a large finite negative number, so that a row in which nothing is visible stays finite.
pub fn bias_from_visible(visible: Tensor<4, Bool>) -> Tensor<4> {
    let bias = visible.bool_not().float().mul_scalar(HIDDEN);
    cast_if_needed(bias, DType::F32)
}

/// `softmax(q k^T / sqrt(head_dim) + bias) v`.
///
/// - `q`: `[batch, heads, seq, head_dim]`; `k`, `v`: `[batch, kv_heads, keys, head_dim]`, `heads` a multiple of `kv_heads`
/// - `bias`: `[batch, 1, seq, keys]` in f32
/// - returns `[batch * seq, heads * head_dim]`
///
/// Half-precision scores are normalised in f32.
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: &Tensor<4>) -> Tensor<2> {
    let [batch, heads, seq, head_dim] = q.dims();
    let q = q.mul_scalar(1.0 / (head_dim as f64).sqrt());
    attention(q, k, v, bias.clone())
        .swap_dims(1, 2)
        .reshape([batch * seq, heads * head_dim])
}

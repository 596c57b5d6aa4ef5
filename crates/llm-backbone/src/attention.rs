//! Scaled dot-product attention with grouped queries and an arbitrary mask.

use burn::tensor::{Bool, DType, Tensor};

use crate::fused::masked_softmax;
use crate::linear::cast_if_needed;

/// Turns "may look at" (`[batch, 1, queries, keys]`, true = visible) into a bias to add to the scores, in f32.
///
/// Hidden entries get a large finite negative number, so that a row in which nothing is visible stays finite.
pub fn bias_from_visible(visible: Tensor<4, Bool>) -> Tensor<4> {
    let bias = visible.bool_not().float().mul_scalar(-1e30);
    cast_if_needed(bias, DType::F32)
}

/// `softmax(q k^T / sqrt(head_dim) + bias) v`.
///
/// - `q`: `[batch, heads, seq, head_dim]`; `k`, `v`: `[batch, kv_heads, keys, head_dim]`, `heads` a multiple of `kv_heads`
/// - `bias`: `[batch, 1, seq, keys]` in f32
/// - returns `[batch * seq, heads * head_dim]`
///
/// Query heads that share a key head are stacked along the rows of one product, so keys are never repeated in memory.
/// Half-precision scores are normalised in f32.
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: &Tensor<4>) -> Tensor<2> {
    let [batch, heads, seq, head_dim] = q.dims();
    let [_, kv_heads, keys, _] = k.dims();
    let group = heads / kv_heads;
    let dtype = q.dtype();

    let q = q.mul_scalar(1.0 / (head_dim as f64).sqrt());
    let q = q.reshape([batch, kv_heads, group * seq, head_dim]);
    let scores = q
        .matmul(k.swap_dims(2, 3))
        .reshape([batch, heads, seq, keys]);
    let weights = masked_softmax(cast_if_needed(scores, DType::F32), bias.clone());
    let weights = cast_if_needed(weights, dtype).reshape([batch, kv_heads, group * seq, keys]);
    weights
        .matmul(v)
        .reshape([batch, heads, seq, head_dim])
        .swap_dims(1, 2)
        .reshape([batch * seq, heads * head_dim])
}

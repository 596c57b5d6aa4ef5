//! The operations composed of burn's, for devices without a kernel of ours and for types other than f32.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{DType, Slice, TensorData};

use super::FusedOps;
use crate::packed::{Through, Way};
use cpu_kernels::{Activation, StoredMatrix};

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl FusedOps for burn::backend::Cube {}

/// A matrix `[d_out, d_in]` as products have it on their right.
pub(super) fn right_side<B: FusedOps>(weight: FloatTensor<B>, way: Way) -> FloatTensor<B> {
    match way {
        Way::Forward => B::float_transpose(weight),
        Way::Backward => weight,
    }
}

/// `x W^T + scale (x A) B`, and `scale x A`, which the gradient of `B` is made of.
pub(super) fn adapted_product<B: FusedOps>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    [a, b]: [FloatTensor<B>; 2],
    scale: f32,
    through: Through,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let low = B::low_product(x.clone(), a, through.input.clone());
    let low = B::float_mul_scalar(low, scale.into());
    (
        B::frozen_product_and(x, weight, low.clone(), b, through),
        low,
    )
}

/// Query heads that share a key head are stacked along the rows of one product, so keys are never repeated in memory.
pub(super) fn attention<B: FusedOps>(
    q: FloatTensor<B>,
    k: FloatTensor<B>,
    v: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    let (shape, dtype) = (q.shape(), q.dtype());
    let probs = probabilities::<B>(q, &k, bias);
    let sums = B::product(stacked::<B>(cast::<B>(probs, dtype), &k), v);
    B::float_reshape(sums, shape)
}

/// The backward pass makes the probabilities anew, as on a CPU, and needs nothing but `q`, `k` and `v`.
pub(super) fn attention_kept<B: FusedOps>(
    q: FloatTensor<B>,
    k: FloatTensor<B>,
    v: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let nothing = bias.clone();
    (attention::<B>(q, k, v, bias), nothing)
}

pub(super) fn attention_backward<B: FusedOps>(
    [q, k, v]: [FloatTensor<B>; 3],
    bias: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let (shape, dtype) = (q.shape(), q.dtype());
    let probs = probabilities::<B>(q.clone(), &k, bias);
    let grad = stacked::<B>(grad, &k);
    let for_probs = B::product(grad.clone(), B::float_swap_dims(v, 2, 3));
    let for_probs = B::float_reshape(cast::<B>(for_probs, DType::F32), probs.shape());
    let for_scores = B::softmax_backward(probs.clone(), for_probs);
    let [probs, for_scores] = [probs, for_scores].map(|x| stacked::<B>(cast::<B>(x, dtype), &k));
    let turned = |x| B::float_swap_dims(x, 2, 3);
    let for_v = B::product(turned(probs), grad);
    let for_k = B::product(turned(for_scores.clone()), stacked::<B>(q, &k));
    let for_q = B::float_reshape(B::product(for_scores, k), shape);
    (for_q, for_k, for_v)
}

/// `softmax(q k^T + bias)` in f32, `[batch, heads, queries, keys]`.
fn probabilities<B: FusedOps>(
    q: FloatTensor<B>,
    k: &FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    let [batch, heads, queries, _] = q.shape().dims();
    let [_, _, keys, _] = k.shape().dims();
    let scores = B::product(stacked::<B>(q, k), B::float_swap_dims(k.clone(), 2, 3));
    let scores = B::float_reshape(scores, [batch, heads, queries, keys].into());
    B::masked_softmax(cast::<B>(scores, DType::F32), bias)
}

/// The rows of all query heads that look at a head of `k`: `[batch, heads, queries, width]` to `[batch, kv_heads, rows, width]`.
fn stacked<B: Backend>(x: FloatTensor<B>, k: &FloatTensor<B>) -> FloatTensor<B> {
    let [batch, heads, queries, width] = x.shape().dims();
    let [_, kv_heads, _, _] = k.shape().dims();
    B::float_reshape(
        x,
        [batch, kv_heads, heads / kv_heads * queries, width].into(),
    )
}

fn cast<B: Backend>(x: FloatTensor<B>, dtype: DType) -> FloatTensor<B> {
    match x.dtype() == dtype {
        true => x,
        false => B::float_cast(x, dtype.into()),
    }
}

pub(super) fn masked_softmax<B: Backend>(
    scores: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    B::softmax(B::float_add(scores, bias), 3)
}

pub(super) fn softmax_backward<B: Backend>(
    probs: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let weighted = B::float_mul(probs.clone(), grad);
    let total = B::float_sum_dim(weighted.clone(), 3);
    B::float_sub(weighted, B::float_mul(probs, total))
}

pub(super) fn normalise<B: Backend>(logits: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let top = B::float_max_dim(logits.clone(), 1);
    let powers = B::float_exp(B::float_sub(logits, top.clone()));
    let total = B::float_sum_dim(powers.clone(), 1);
    let log = B::float_add(top, B::float_log(total.clone()));
    (B::float_div(powers, total), log)
}

pub(super) fn gated<B: Backend>(
    gate: FloatTensor<B>,
    up: FloatTensor<B>,
    act: Activation,
) -> FloatTensor<B> {
    let open = B::sigmoid(inner::<B>(gate.clone(), act));
    B::float_mul(B::float_mul(gate, open), up)
}

pub(super) fn gated_backward<B: Backend>(
    gate: FloatTensor<B>,
    up: FloatTensor<B>,
    grad: FloatTensor<B>,
    act: Activation,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let open = B::sigmoid(inner::<B>(gate.clone(), act));
    let through = B::float_mul(gate.clone(), open.clone());
    let for_up = B::float_mul(grad.clone(), through.clone());
    // d act = open + through (1 - open) ds
    let shut_part = B::float_mul(through.clone(), open.clone());
    let half_open = B::float_sub(through, shut_part);
    let half_open = match act {
        Activation::Silu => half_open,
        Activation::GeluTanh => B::float_mul(half_open, cubic::<B>(gate, 3.0 * CUBIC)),
    };
    let slope = B::float_add(open, half_open);
    (B::float_mul(B::float_mul(grad, up), slope), for_up)
}

/// What the logistic function is taken of.
fn inner<B: Backend>(gate: FloatTensor<B>, act: Activation) -> FloatTensor<B> {
    match act {
        Activation::Silu => gate,
        Activation::GeluTanh => B::float_mul(gate.clone(), cubic::<B>(gate, CUBIC)),
    }
}

/// The factor of the cube in the tanh form of GELU.
const CUBIC: f64 = 0.044715;

/// `2 sqrt(2 / pi) (1 + factor x^2)`.
fn cubic<B: Backend>(x: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    let steep = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::SQRT_2;
    let square = B::float_mul(x.clone(), x);
    let square = B::float_mul_scalar(square, (steep * factor).into());
    B::float_add_scalar(square, steep.into())
}

pub(super) fn rms_norm<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    B::float_mul(unit_rows::<B>(x, epsilon).0, gamma)
}

pub(super) fn rms_norm_backward<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    grad: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    let (unit, rms) = unit_rows::<B>(x, epsilon);
    let inner = B::float_mul(grad, gamma);
    let along = B::float_mean_dim(B::float_mul(inner.clone(), unit.clone()), 1);
    B::float_div(B::float_sub(inner, B::float_mul(unit, along)), rms)
}

pub(super) fn rotate_halves<B: Backend>(
    x: FloatTensor<B>,
    cos: FloatTensor<B>,
    sin: FloatTensor<B>,
) -> FloatTensor<B> {
    let half = x.shape()[3] / 2;
    let part = |from: usize| {
        let all = Slice::full();
        let of_last = Slice::from(from..from + half);
        B::float_slice(x.clone(), &[all, all, all, of_last])
    };
    let turned = B::float_cat(vec![B::float_neg(part(half)), part(0)], 3);
    B::float_add(B::float_mul(x, cos), B::float_mul(turned, sin))
}

pub(super) fn stored_product<B: FusedOps>(
    x: FloatTensor<B>,
    weight: StoredMatrix,
) -> FloatTensor<B> {
    let weight = numbers::<B>(&weight, &x);
    B::product(x, B::float_transpose(weight))
}

pub(super) fn stored_product_backward<B: FusedOps>(
    grad: FloatTensor<B>,
    weight: StoredMatrix,
) -> FloatTensor<B> {
    let weight = numbers::<B>(&weight, &grad);
    B::product(grad, weight)
}

/// The numbers of a stored matrix where `like` is.
fn numbers<B: Backend>(weight: &StoredMatrix, like: &FloatTensor<B>) -> FloatTensor<B> {
    let data = TensorData::new(weight.to_vec(), weight.shape());
    B::float_from_data(data, &like.device())
}

/// Rows divided by their root mean square: `x / sqrt(mean(x^2) + epsilon)`, `[n, d]`, and that root, `[n, 1]`.
pub(super) fn unit_rows<B: Backend>(
    x: FloatTensor<B>,
    epsilon: f64,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let mean = B::float_mean_dim(B::float_mul(x.clone(), x.clone()), 1);
    let rms = B::float_sqrt(B::float_add_scalar(mean, epsilon.into()));
    (B::float_div(x, rms.clone()), rms)
}

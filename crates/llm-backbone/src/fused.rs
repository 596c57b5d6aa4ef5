//! Operations that pass over activations once where burn's building blocks pass over them several times.
//!
//! A layer with its adapter, attention, the gated unit of feed-forward layers, RMS norm and rotary positions are one node each in
//! the graph, with a backward pass of its own that keeps less in memory than a chain of small operations would. On the
//! CPU they run as products that add up and vectorised loops; elsewhere they are composed of burn's operations.

mod autodiff;
mod composed;
mod flex;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use cpu_kernels::{Activation, StoredMatrix};

use crate::packed::{PackedWeight, SharedInput, Through};

/// The operations and their derivatives, on the tensors of one backend.
#[backend_extension(Flex, Cube: cfg(any(feature = "cuda", feature = "wgpu")), Autodiff)]
pub(crate) trait FusedOps: Backend {
    /// `softmax(scores + bias)` over the last dimension; `scores` is `[batch, heads, queries, keys]`, `bias`
    /// `[batch, 1, queries, keys]`.
    fn masked_softmax(scores: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::masked_softmax::<Self>(scores, bias)
    }

    /// `softmax(q k^T + bias) v`, `[batch, heads, queries, dim]`; `q` is of that shape and scaled already, `k` and `v` are
    /// `[batch, kv_heads, keys, dim]`, and `bias` `[batch, 1, queries, keys]` in f32.
    fn attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::attention::<Self>(q, k, v, bias)
    }

    /// The same, and what [`Self::attention_backward`] needs of it besides: for each query so many numbers as it takes.
    fn attention_kept(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::attention_kept::<Self>(q, k, v, bias)
    }

    /// The gradients of `q`, `k` and `v`, from what [`Self::attention_kept`] got and kept, and the gradient of its result.
    fn attention_backward(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kept: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let _ = kept;
        composed::attention_backward::<Self>([q, k, v], bias, grad)
    }

    /// The gradient of the scores, from the probabilities and theirs.
    fn softmax_backward(probs: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::softmax_backward::<Self>(probs, grad)
    }

    /// Logits `[n, vocab]` to their softmax and the logarithm of its normaliser, `[n, 1]`.
    fn normalise(logits: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::normalise::<Self>(logits)
    }

    /// `act(gate) * up`, both `[n, d]`.
    fn gated(gate: FloatTensor<Self>, up: FloatTensor<Self>, act: Activation) -> FloatTensor<Self> {
        composed::gated::<Self>(gate, up, act)
    }

    /// The gradients of `gate` and `up`.
    fn gated_backward(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        act: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::gated_backward::<Self>(gate, up, grad, act)
    }

    /// `x / sqrt(mean(x^2) + epsilon) * gamma`; `x` is `[n, d]`, `gamma` `[1, d]`.
    fn rms_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        composed::rms_norm::<Self>(x, gamma, epsilon)
    }

    /// The gradient of `x`.
    fn rms_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        composed::rms_norm_backward::<Self>(x, gamma, grad, epsilon)
    }

    /// `x cos + turn(x) sin`, where a turn takes the halves `(a, b)` of the last dimension to `(-b, a)`; `x` is
    /// `[batch, heads, seq, dim]`, the others are `[batch, 1, seq, dim]` with equal halves.
    fn rotate_halves(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::rotate_halves::<Self>(x, cos, sin)
    }

    /// `x W^T`, `[n, d_out]` in f32, of `[n, d_in]` and a matrix of a file, `[d_out, d_in]`. Unless `exact`, `x` may be rounded to 16 bits.
    fn stored_product(
        x: FloatTensor<Self>,
        weight: StoredMatrix,
        exact: bool,
    ) -> FloatTensor<Self> {
        let _ = exact;
        composed::stored_product::<Self>(x, weight)
    }

    /// The gradient of `x`: that of the product times the matrix.
    fn stored_product_backward(grad: FloatTensor<Self>, weight: StoredMatrix) -> FloatTensor<Self> {
        composed::stored_product_backward::<Self>(grad, weight)
    }

    /// `a b` of matrices, or of as many pairs of them: the last two dimensions of each.
    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(a, b)
    }

    /// Cuts a matrix `[d_out, d_in]` for the processor's tiles, where it has them, and keeps that in `packed`; the matrix.
    fn pack(weight: FloatTensor<Self>, packed: PackedWeight) -> FloatTensor<Self> {
        let _ = packed;
        weight
    }

    /// `x W^T` or, on the way back, `x W`, of rows `x` and a frozen matrix.
    fn frozen_product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        through: Through,
    ) -> FloatTensor<Self> {
        Self::product(x, composed::right_side::<Self>(weight, through.way))
    }

    /// The same and `u v` besides, of `u`, `[n, r]`, and `v` with `r` rows.
    fn frozen_product_and(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        through: Through,
    ) -> FloatTensor<Self> {
        let product = Self::frozen_product(x, weight, through);
        Self::float_add(product, Self::product(u, v))
    }

    /// `x factor`, `[n, r]`, of `[n, d]` and `[d, r]` with a small `r`; other products have the same `input`.
    fn low_product(
        x: FloatTensor<Self>,
        factor: FloatTensor<Self>,
        input: SharedInput,
    ) -> FloatTensor<Self> {
        let _ = input;
        Self::product(x, factor)
    }

    /// `x W^T + scale (x A) B`, `[n, d_out]`, of `x`, `[n, d_in]`, a frozen matrix `[d_out, d_in]`, and an adapter's `a`, `[d_in, r]`, and `b`,
    /// `[r, d_out]`.
    fn adapted_product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        scale: f32,
        through: Through,
    ) -> FloatTensor<Self> {
        composed::adapted_product::<Self>(x, weight, [a, b], scale, through).0
    }

    /// `x W`, `[n, d_out]`, of `[n, d_in]` and `[d_in, d_out]`, made for a few rows.
    fn thin_product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(x, weight)
    }
}

thread_local! {
    static ROUNDS: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, products with stored matrices in which may be rounded on this thread: decoding, not what is scored or learnt.
pub(crate) fn rounded<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ROUNDS.set(self.0);
        }
    }
    let _before = Before(ROUNDS.replace(true));
    work()
}

/// See [`FusedOps::stored_product`]; exact but where it is [`rounded`].
pub(crate) fn stored_product(x: Tensor<2>, weight: StoredMatrix) -> Tensor<2> {
    let (x, exact) = (x.into_dispatch(), !ROUNDS.get());
    let y = <Dispatch as FusedOps>::stored_product(x, weight, exact);
    Tensor::from_dispatch(y)
}

/// `x W`, by [`FusedOps::product`]; where no gradient is asked for and `x` has a few rows, by [`FusedOps::thin_product`].
pub(crate) fn product(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    let many = x.dims()[0] > cpu_kernels::MOST_ROWS;
    let with_gradient = x.is_autodiff() || weight.is_autodiff();
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match many || with_gradient {
        true => <Dispatch as FusedOps>::product(x, weight),
        false => <Dispatch as FusedOps>::thin_product(x, weight),
    })
}

/// See [`FusedOps::pack`].
pub(crate) fn pack(weight: Tensor<2>, packed: PackedWeight) {
    <Dispatch as FusedOps>::pack(weight.into_dispatch(), packed);
}

/// See [`FusedOps::frozen_product`]; made for more than [`cpu_kernels::MOST_ROWS`] rows.
pub(crate) fn frozen_product(x: Tensor<2>, weight: Tensor<2>, through: Through) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FusedOps>::frozen_product(x, weight, through))
}

/// See [`FusedOps::adapted_product`]; as above.
pub(crate) fn adapted_product(
    x: Tensor<2>,
    weight: Tensor<2>,
    [a, b]: [Tensor<2>; 2],
    scale: f32,
    through: Through,
) -> Tensor<2> {
    let [x, weight, a, b] = [x, weight, a, b].map(Tensor::into_dispatch);
    let y = <Dispatch as FusedOps>::adapted_product(x, weight, a, b, scale, through);
    Tensor::from_dispatch(y)
}

/// See [`FusedOps::attention`].
pub(crate) fn attention(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: Tensor<4>) -> Tensor<4> {
    let [q, k, v, bias] = [q, k, v, bias].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as FusedOps>::attention(q, k, v, bias))
}

/// See [`FusedOps::normalise`]; not differentiable.
pub(crate) fn normalise(logits: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let (probs, log) = <Dispatch as FusedOps>::normalise(logits.into_dispatch());
    (Tensor::from_dispatch(probs), Tensor::from_dispatch(log))
}

/// See [`FusedOps::gated`].
pub(crate) fn gated(gate: Tensor<2>, up: Tensor<2>, act: Activation) -> Tensor<2> {
    let (gate, up) = (gate.into_dispatch(), up.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FusedOps>::gated(gate, up, act))
}

/// See [`FusedOps::rms_norm`].
pub(crate) fn rms_norm(x: Tensor<2>, gamma: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let (x, gamma) = (x.into_dispatch(), gamma.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FusedOps>::rms_norm(x, gamma, epsilon))
}

/// See [`FusedOps::rotate_halves`].
pub(crate) fn rotate_halves(x: Tensor<4>, cos: Tensor<4>, sin: Tensor<4>) -> Tensor<4> {
    let (x, cos, sin) = (x.into_dispatch(), cos.into_dispatch(), sin.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FusedOps>::rotate_halves(x, cos, sin))
}

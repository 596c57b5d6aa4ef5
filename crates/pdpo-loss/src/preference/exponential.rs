//! An exponential that f32 holds.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Beyond, the exponential goes on as its tangent: e^30 times thousands still has a square in f32, and a gradient remains.
const LARGEST_EXPONENT: f64 = 30.0;

/// `e^x`, and its tangent beyond 30, `[rows]`.
pub(super) fn exponential(x: Tensor<1>) -> Tensor<1> {
    let beyond = relu(x.clone() - LARGEST_EXPONENT);
    (x - beyond.clone()).exp() * (beyond + 1.0)
}

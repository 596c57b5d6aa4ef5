//! The logistic loss that several preference losses are made of.

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

/// `-(1 - eps) log sigma(z) - eps log sigma(-z)`, `[rows]`, with `eps` the label smoothing.
///
/// The logarithm of the sigmoid is one operation with its own gradient, `sigma(-z)`: neither the
/// value nor the gradient overflows, and the gradient at `z = 0`, where every training starts, is
/// exactly one half. (Built from `min`, `abs` and `log1p` it would not be.)
pub(super) fn logistic(logits: Tensor<1>, label_smoothing: f64) -> Tensor<1> {
    if label_smoothing == 0.0 {
        return -log_sigmoid(logits);
    }
    let eps = label_smoothing;
    -(log_sigmoid(logits.clone()) * (1.0 - eps) + log_sigmoid(-logits) * eps)
}

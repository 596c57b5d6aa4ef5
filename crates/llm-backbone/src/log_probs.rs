//! Log-probabilities of given tokens without keeping the logits of a whole batch.

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Int, Tensor};

use crate::device::is_cpu;
use crate::fused::normalise;
use crate::matrix::cast_if_needed;
use crate::model::Model;

/// Positions whose logits are in memory at a time; on a CPU so many or more, and fewer than twice as many, in equal pieces: fewer would take a
/// slower product.
const CHUNK: usize = 128;

impl Model {
    /// `log softmax(head(hidden))[target]` in f32.
    ///
    /// - `hidden`: `[n, d]`, the states that predict the targets
    /// - `targets`: `[n]`
    /// - returns `[n]`
    ///
    /// While the head is frozen and has no adapter, its value and its gradient with respect to `hidden`,
    /// `head[target] - softmax(logits) head^T`, are computed together, a piece of the positions at a time, so that no logits
    /// outlive their piece and the backward pass costs no second softmax.
    pub fn log_probs(&self, hidden: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        self.log_probs_at(hidden, targets, 1.0)
    }

    /// The same of what is sampled at a temperature, which divides the logits.
    pub fn log_probs_at(
        &self,
        hidden: Tensor<2>,
        targets: Tensor<1, Int>,
        temperature: f32,
    ) -> Tensor<1> {
        self.scored(hidden, targets, temperature, false).0
    }

    /// The same, and `log(sum over the vocabulary of p^2)` at each position, `[n]`, without gradient: how sure the model is there,
    /// whatever the target.
    pub fn log_probs_and_squares(
        &self,
        hidden: Tensor<2>,
        targets: Tensor<1, Int>,
    ) -> (Tensor<1>, Tensor<1>) {
        let (log_probs, squares) = self.scored(hidden, targets, 1.0, true);
        (log_probs, Tensor::cat(squares, 0))
    }

    /// Log-probs, and in pieces the squares, if asked for.
    fn scored(
        &self,
        hidden: Tensor<2>,
        targets: Tensor<1, Int>,
        temperature: f32,
        with_squares: bool,
    ) -> (Tensor<1>, Vec<Tensor<1>>) {
        let [n, _] = hidden.dims();
        // Logits are linear in the states, but for the bias.
        let cool = |values: Tensor<2>| match temperature == 1.0 {
            true => values,
            false => values.div_scalar(temperature),
        };
        let mut squares = Vec::new();
        let mut square = |probs: Tensor<2>| {
            if with_squares {
                let [rows, _] = probs.dims();
                squares.push(probs.square().sum_dim(1).log().reshape([rows]));
            }
        };
        if self.head_is_trainable() {
            let all = log_softmax(cool(self.logits(hidden)), 1);
            square(all.clone().without_autodiff().exp());
            let picked = all.gather(1, targets.reshape([n, 1])).reshape([n]);
            return (picked, squares);
        }
        let hidden = cool(hidden);
        let tracked = hidden.is_autodiff() && hidden.is_tracked();
        let (head, bias) = self.head();
        let head = head.as_dense(&hidden.device());
        let bias = bias.map(|bias| bias.inner().div_scalar(temperature));
        let (states, targets) = (hidden.clone().inner(), targets.inner());
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        let each = match is_cpu(&hidden.device()) {
            true => n.div_ceil((n / CHUNK).max(1)).max(1),
            false => CHUNK, // Kernels are chosen by shape there.
        };
        for start in (0..n).step_by(each) {
            let len = each.min(n - start);
            let targets = targets.clone().narrow(0, start, len);
            let logits = head.product(states.clone().narrow(0, start, len));
            let mut logits = cast_if_needed(logits, DType::F32);
            if let Some(bias) = &bias {
                logits = logits + cast_if_needed(bias.clone(), DType::F32).unsqueeze();
            }
            let column = targets.clone().reshape([len, 1]);
            let picked_logit = logits.clone().gather(1, column);
            let (probs, normaliser) = normalise(logits);
            values.push((picked_logit - normaliser).reshape([len]));
            square(probs.clone());
            if tracked {
                let expected = head.product_back(cast_if_needed(probs, head.dtype()));
                let picked = head.rows(targets).inner();
                slopes.push(cast_if_needed(picked - expected, DType::F32));
            }
        }
        let value = with_strategy_of(Tensor::cat(values, 0), &hidden);
        if !tracked {
            return (value, squares);
        }
        let slope = with_strategy_of(Tensor::cat(slopes, 0), &hidden);
        let states = with_strategy_of(cast_if_needed(states, DType::F32), &hidden);
        let change = cast_if_needed(hidden, DType::F32) - states;
        (value + (change * slope).sum_dim(1).reshape([n]), squares)
    }

    fn head_is_trainable(&self) -> bool {
        let (weight, _) = self.head();
        weight.is_trainable() || self.head_adapter().is_some()
    }
}

/// A constant that may meet `other` in a graph: burn asks for the same checkpointing strategy on both sides.
fn with_strategy_of<const D: usize, const E: usize>(
    value: Tensor<D>,
    other: &Tensor<E>,
) -> Tensor<D> {
    match other.gradient_checkpointing_strategy() {
        Some(strategy) => value
            .autodiff()
            .with_gradient_checkpointing_strategy(strategy),
        None => value,
    }
}

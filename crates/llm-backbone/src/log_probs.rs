//! Log-probabilities of given tokens without keeping the logits of a whole batch.

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Int, Tensor};

use crate::fused::normalise;
use crate::matrix::cast_if_needed;
use crate::model::Model;

/// Positions whose logits are in memory at a time.
const CHUNK: usize = 128;

impl Model {
    /// `log softmax(head(hidden))[target]` in f32.
    ///
    /// - `hidden`: `[n, d]`, the states that predict the targets
    /// - `targets`: `[n]`
    /// - returns `[n]`
    ///
    /// While the head is frozen and has no adapter, its value and its gradient with respect to `hidden`,
    /// `head[target] - softmax(logits) head^T`, are computed together, `CHUNK` positions at a time, so that no logits
    /// outlive their chunk and the backward pass costs no second softmax.
    pub fn log_probs(&self, hidden: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        let [n, _] = hidden.dims();
        if self.head_is_trainable() {
            let logits = self.logits(hidden);
            let all = log_softmax(logits, 1);
            return all.gather(1, targets.reshape([n, 1])).reshape([n]);
        }
        let tracked = hidden.is_autodiff() && hidden.is_tracked();
        let (weight, bias) = self.head();
        let weight = weight.tensor(&hidden.device()).transpose().inner();
        let bias = bias.map(Tensor::inner);
        let (states, targets) = (hidden.clone().inner(), targets.inner());
        let (mut values, mut slopes) = (Vec::new(), Vec::new());
        for start in (0..n).step_by(CHUNK) {
            let len = CHUNK.min(n - start);
            let targets = targets.clone().narrow(0, start, len);
            let logits = states.clone().narrow(0, start, len).matmul(weight.clone());
            let mut logits = cast_if_needed(logits, DType::F32);
            if let Some(bias) = &bias {
                logits = logits + cast_if_needed(bias.clone(), DType::F32).unsqueeze();
            }
            let column = targets.clone().reshape([len, 1]);
            let picked_logit = logits.clone().gather(1, column);
            let (probs, normaliser) = normalise(logits);
            values.push((picked_logit - normaliser).reshape([len]));
            if tracked {
                let expected =
                    cast_if_needed(probs, weight.dtype()).matmul(weight.clone().transpose());
                let picked = weight.clone().transpose().select(0, targets);
                slopes.push(cast_if_needed(picked - expected, DType::F32));
            }
        }
        let value = with_strategy_of(Tensor::cat(values, 0), &hidden);
        if !tracked {
            return value;
        }
        let slope = with_strategy_of(Tensor::cat(slopes, 0), &hidden);
        let states = with_strategy_of(cast_if_needed(states, DType::F32), &hidden);
        let change = cast_if_needed(hidden, DType::F32) - states;
        value + (change * slope).sum_dim(1).reshape([n])
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

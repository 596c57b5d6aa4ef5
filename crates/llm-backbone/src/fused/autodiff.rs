//! The operations in burn's graph.

use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;

use super::{FusedOps, composed};
use crate::packed::{PackedWeight, Through};
use cpu_kernels::{Activation, StoredMatrix};

impl<B: FusedOps, C: CheckpointStrategy> FusedOps for Autodiff<B, C> {
    fn attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (bias, _) = bias.into_parts();
        let ((q, q_node), (k, k_node), (v, v_node)) =
            (q.into_parts(), k.into_parts(), v.into_parts());
        let nodes = [q_node, k_node, v_node];
        match Attention.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let inputs = [q.clone(), k.clone(), v.clone(), bias.clone()];
                let (out, kept) = B::attention_kept(q, k, v, bias);
                prep.finish((inputs, kept), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(<B as FusedOps>::attention(q, k, v, bias)),
        }
    }

    fn gated(gate: FloatTensor<Self>, up: FloatTensor<Self>, act: Activation) -> FloatTensor<Self> {
        let (gate, gate_node) = gate.into_parts();
        let (up, up_node) = up.into_parts();
        let nodes = [gate_node, up_node];
        match Gated.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish((gate.clone(), up.clone(), act), B::gated(gate, up, act))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::gated(gate, up, act)),
        }
    }

    fn rms_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let nodes = [x_node, gamma_node];
        match RmsNorm.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::rms_norm(x.clone(), gamma.clone(), epsilon);
                prep.finish((x, gamma, epsilon), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::rms_norm(x, gamma, epsilon)),
        }
    }

    fn rotate_halves(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let ((cos, _), (sin, _)) = (cos.into_parts(), sin.into_parts());
        match RotateHalves.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish((cos.clone(), sin.clone()), B::rotate_halves(x, cos, sin))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::rotate_halves(x, cos, sin)),
        }
    }

    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let (a_tracked, b_tracked) = (a.is_tracked(), b.is_tracked());
        match Product
            .prepare::<C>([a.node(), b.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                // A side is needed for the gradient of the other.
                let a_kept = b_tracked.then(|| prep.checkpoint(&a));
                let b_kept = a_tracked.then(|| prep.checkpoint(&b));
                let product = B::product(a.into_primitive(), b.into_primitive());
                prep.finish((a_kept, b_kept), product)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::product(a.into_primitive(), b.into_primitive()))
            }
        }
    }

    fn pack(weight: FloatTensor<Self>, packed: PackedWeight) -> FloatTensor<Self> {
        B::pack(weight.primitive().clone(), packed);
        weight
    }

    fn frozen_product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        through: Through,
    ) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let weight = weight.into_primitive();
        match FrozenProduct
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let back = through.back();
                let y = B::frozen_product(x, weight.clone(), through);
                prep.finish((weight, back), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::frozen_product(x, weight, through)),
        }
    }

    fn adapted_product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        scale: f32,
        through: Through,
    ) -> FloatTensor<Self> {
        let [of_a, of_b] = [&a, &b].map(|factor| factor.is_tracked());
        let nodes = [x.node(), a.node(), b.node()];
        let (weight, factors) = (weight.into_primitive(), [a, b].map(|f| f.into_primitive()));
        match AdaptedProduct
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let back = through.back();
                // What the gradient of a factor is made of, where it is asked for.
                let input = of_a.then(|| prep.checkpoint(&x));
                let (y, low) = composed::adapted_product::<B>(
                    x.into_primitive(),
                    weight.clone(),
                    factors.clone(),
                    scale,
                    through,
                );
                let low = of_b.then_some(low);
                prep.finish((input, weight, factors, low, scale, back), y)
            }
            OpsKind::UnTracked(prep) => {
                let [a, b] = factors;
                let x = x.into_primitive();
                prep.finish(B::adapted_product(x, weight, a, b, scale, through))
            }
        }
    }

    fn stored_product(x: FloatTensor<Self>, weight: StoredMatrix, _: bool) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match StoredProduct
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                prep.finish(weight.clone(), B::stored_product(x, weight, true))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::stored_product(x, weight, true)),
        }
    }
}

#[derive(Debug)]
struct FrozenProduct;

impl<B: FusedOps> Backward<B, 1> for FrozenProduct {
    type State = (FloatTensor<B>, Through);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (weight, back) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::frozen_product(grad, weight, back)
        });
    }
}

/// Of `y = x W^T + low B`, where `low = scale x A`: with `high = scale grad B^T`, the gradient of `A` is `x^T high`, that of `B` `low^T grad`, and that of
/// `x` `grad W + high A^T`.
#[derive(Debug)]
struct AdaptedProduct;

impl<B: FusedOps> Backward<B, 3> for AdaptedProduct {
    /// `x`, `W`, the factors, `low`, the scale, and the way back.
    type State = (
        Option<NodeId>,
        FloatTensor<B>,
        [FloatTensor<B>; 2],
        Option<FloatTensor<B>>,
        f32,
        Through,
    );

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (x, weight, [a, b], low, scale, back) = ops.state;
        let x = x.map(|x| checkpointer.retrieve_node_output(x));
        let grad = grads.consume::<B>(&ops.node);
        let [for_x, for_a, for_b] = ops.parents;
        if let (Some(parent), Some(low)) = (for_b, low) {
            let gradient = B::product(B::float_transpose(low), grad.clone());
            grads.register::<B>(parent.id, gradient);
        }
        if for_x.is_none() && for_a.is_none() {
            return;
        }
        let high = B::low_product(grad.clone(), B::float_transpose(b), back.input.clone());
        let high = B::float_mul_scalar(high, scale.into());
        if let (Some(parent), Some(x)) = (for_a, x) {
            let gradient = B::product(B::float_transpose(x), high.clone());
            grads.register::<B>(parent.id, gradient);
        }
        if let Some(parent) = for_x {
            let gradient = B::frozen_product_and(grad, weight, high, B::float_transpose(a), back);
            grads.register::<B>(parent.id, gradient);
        }
    }
}

#[derive(Debug)]
struct Product;

impl<B: FusedOps> Backward<B, 2> for Product {
    type State = (Option<NodeId>, Option<NodeId>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (a, b) = ops.state;
        let mut transposed = |kept: Option<NodeId>| {
            kept.map(|kept| B::float_transpose(checkpointer.retrieve_node_output(kept)))
        };
        let (a, b) = (transposed(a), transposed(b));
        let grad = grads.consume::<B>(&ops.node);
        let [for_a, for_b] = ops.parents;
        if let (Some(parent), Some(b)) = (for_a, b) {
            grads.register::<B>(parent.id, B::product(grad.clone(), b));
        }
        if let (Some(parent), Some(a)) = (for_b, a) {
            grads.register::<B>(parent.id, B::product(a, grad));
        }
    }
}

#[derive(Debug)]
struct StoredProduct;

impl<B: FusedOps> Backward<B, 1> for StoredProduct {
    type State = StoredMatrix;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let weight = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::stored_product_backward(grad, weight)
        });
    }
}

#[derive(Debug)]
struct Attention;

impl<B: FusedOps> Backward<B, 3> for Attention {
    type State = ([FloatTensor<B>; 4], FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([q, k, v, bias], kept) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let (for_q, for_k, for_v) = B::attention_backward(q, k, v, bias, kept, grad);
        for (parent, gradient) in ops.parents.into_iter().zip([for_q, for_k, for_v]) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct Gated;

impl<B: FusedOps> Backward<B, 2> for Gated {
    type State = (FloatTensor<B>, FloatTensor<B>, Activation);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (gate, up, act) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let (for_gate, for_up) = B::gated_backward(gate, up, grad, act);
        let [gate, up] = ops.parents;
        for (parent, gradient) in [(gate, for_gate), (up, for_up)] {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct RmsNorm;

impl<B: FusedOps> Backward<B, 2> for RmsNorm {
    type State = (FloatTensor<B>, FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, gamma, epsilon) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [for_x, for_gamma] = ops.parents;
        if let Some(parent) = for_gamma {
            let (unit, _) = composed::unit_rows::<B>(x.clone(), epsilon);
            let rows = B::float_mul(grad.clone(), unit);
            grads.register::<B>(parent.id, B::float_sum_dim(rows, 0));
        }
        if let Some(parent) = for_x {
            let gradient = B::rms_norm_backward(x, gamma, grad, epsilon);
            grads.register::<B>(parent.id, gradient);
        }
    }
}

#[derive(Debug)]
struct RotateHalves;

impl<B: FusedOps> Backward<B, 1> for RotateHalves {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        // A rotation is undone by the opposite one.
        let (cos, sin) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::rotate_halves(grad, cos, B::float_neg(sin))
        });
    }
}

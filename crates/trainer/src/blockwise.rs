//! Gradients with the graph of one block in memory at a time (gradient checkpointing, arXiv 1604.06174).
//!
//! The forward pass keeps the input of every block and no graph. The backward pass goes through the blocks from the last to
//! the first, runs each again from its input, and continues with the gradient that arrives there.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Gradients, Tensor};
use llm_backbone::Prefix;
use tracing::trace_span;
use user_model::{RowBatch, RowGradients};

use crate::error::TrainError;
use crate::gradients::BatchGradients;
use crate::pack::{DeviceBatch, PackedBatch};
use crate::policy::Policy;
use crate::profile::{TARGET, flops};

/// The gradients of `loss`, its value, and what `loss` returns beside it. `outputs` makes of the states that predict scored tokens,
/// `[scored, d]`, what `loss` takes.
pub(crate) fn gradients<O, R>(
    policy: &Policy,
    packed: &PackedBatch,
    batch: &DeviceBatch,
    users: Option<&RowBatch>,
    outputs: impl FnOnce(Tensor<2>) -> Result<O, TrainError>,
    loss: impl FnOnce(O) -> Result<(Tensor<1>, R), TrainError>,
) -> Result<(BatchGradients, f64, R), TrainError> {
    let mut module = GradientsAccumulator::new();
    let mut add = |gradients: Gradients| {
        module.accumulate(policy, GradientsParams::from_grads(gradients, policy));
    };
    let mut in_front = policy.prefix(users).map(InFront::new);
    let leaf_of = |front: &InFront| front.leaf.clone();
    let prefix = in_front.as_ref().map(leaf_of).map(Prefix::new);
    let plain_prefix = in_front.as_ref().map(leaf_of);
    let plain_prefix = plain_prefix.map(|numbers| Prefix::new(numbers.inner()));
    let tracked = policy.model.blocks(
        batch.positions.clone(),
        batch.visible.clone(),
        prefix.as_ref(),
    );
    let embedded = tracked.enter(policy.embeddings(packed, batch, users));

    let flops = || flops::forward(&policy.model, packed);
    let span = trace_span!(target: TARGET, "forward", flops = flops()).entered();
    let plain = policy.model.valid();
    let blocks = plain.blocks(
        batch.positions.clone().inner(),
        batch.visible.clone().inner(),
        plain_prefix.as_ref(),
    );
    let mut inputs = Vec::with_capacity(blocks.count());
    let mut x = embedded.clone().inner();
    for i in 0..blocks.count() {
        inputs.push(x.clone());
        x = blocks.block(i, x);
    }
    let last = leaf(x);
    let states = tracked
        .norm(last.clone())
        .select(0, batch.predictors.clone());
    let outputs = outputs(states)?;
    span.exit();
    let (loss, report) = loss(outputs)?;
    let value = f64::from(loss.clone().into_scalar::<f32>());

    // Every block forward once more, and backward.
    let flops = || flops::blocks(&policy.model, packed) + flops::backward(&policy.model, packed);
    let _span = trace_span!(target: TARGET, "backward", flops = flops()).entered();
    let gradients = loss.backward();
    let mut slope = last.grad(&gradients);
    let mut rows = RowGradients::default();
    if let Some(users) = users {
        rows.add(users, &gradients)?; // Where a user's vector is the head.
    }
    add(gradients);
    for (i, input) in inputs.into_iter().enumerate().rev() {
        let Some(arriving) = slope else { break };
        let input = leaf(input);
        let gradients = along(tracked.block(i, input.clone()), arriving).backward();
        slope = input.grad(&gradients);
        if let Some(front) = &mut in_front {
            front.arrive(&gradients);
        }
        add(gradients);
    }
    let arriving = slope.filter(|_| embedded.is_tracked());
    let of_embedded = arriving.map(|arriving| along(embedded, arriving));
    let of_prefix = in_front.and_then(InFront::along);
    for start in of_embedded.into_iter().chain(of_prefix) {
        let gradients = start.backward();
        if let Some(users) = users {
            rows.add(users, &gradients)?;
        }
        add(gradients);
    }
    let module = module.grads();
    Ok((BatchGradients { module, rows }, value, report))
}

/// Keys and values in front of the rows, at which a gradient arrives from every block.
struct InFront {
    /// As the user model makes them, `[rows, T_u, width]`.
    numbers: Tensor<3>,
    /// The same, where the graphs of the blocks begin.
    leaf: Tensor<3>,
    arrived: Option<Tensor<3>>,
}

impl InFront {
    fn new(numbers: Tensor<3>) -> Self {
        Self {
            leaf: leaf(numbers.clone().inner()),
            numbers,
            arrived: None,
        }
    }

    /// Adds what arrives from a block.
    fn arrive(&mut self, gradients: &Gradients) {
        let found = self.leaf.grad(gradients);
        self.arrived = match (self.arrived.take(), found) {
            (Some(sum), Some(found)) => Some(sum + found),
            (sum, found) => sum.or(found),
        };
    }

    /// Where the graph of the user model goes on with the sum.
    fn along(self) -> Option<Tensor<1>> {
        let arrived = self.arrived?;
        Some(along(self.numbers, arrived))
    }
}

/// A tensor that a graph begins with.
fn leaf<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.autodiff().require_grad()
}

/// A number whose gradient with respect to `y` is `slope`.
fn along<const D: usize>(y: Tensor<D>, slope: Tensor<D>) -> Tensor<1> {
    (y * slope.autodiff()).sum()
}

//! The loss of a policy gradient on packed rows of two responses.

use burn::tensor::{Device, Tensor};
use pdpo_loss::{PolicyGradient, SampledLogProbs};
use tracing::trace_span;

use super::sample::{self, Sample};
use crate::error::TrainError;
use crate::profile::TARGET;
use crate::task::{MicroBatch, Outputs};

/// The loss of every row, `[rows]`: that of its responses, each with its weight in the batch.
pub(super) fn losses(
    gradient: &PolicyGradient,
    micro: &MicroBatch<'_>,
    outputs: Outputs,
) -> Result<Tensor<1>, TrainError> {
    let _span = trace_span!(target: TARGET, "loss").entered();
    let (mut old, mut reference) = (Vec::new(), Vec::new());
    let (mut advantages, mut weights) = (Vec::new(), Vec::new());
    let none = Sample::default();
    for row in micro.rows {
        let samples = &sample::of(row.example)?.samples;
        // In the order of scored tokens: the chosen response, then the other one.
        for side in 0..2 {
            let sample = samples.get(side).unwrap_or(&none);
            old.extend_from_slice(&sample.policy);
            reference.extend_from_slice(&sample.reference);
            advantages.push(sample.advantage as f32);
            weights.push(sample.weight as f32);
        }
    }
    let device = outputs.values.device();
    let floats = |values: &[f32]| on(&device, values);
    let membership = micro.on_device.membership.clone();
    let sampled = SampledLogProbs::new(
        outputs.values,
        floats(&old),
        Some(floats(&reference)),
        (membership, floats(&advantages)),
    )?;
    let weighed = gradient.losses(&sampled)? * floats(&weights);
    let rows = micro.rows.len();
    Ok(weighed.reshape([rows, 2]).sum_dim(1).reshape([rows]))
}

fn on(device: &Device, values: &[f32]) -> Tensor<1> {
    Tensor::from_floats(values, device)
}

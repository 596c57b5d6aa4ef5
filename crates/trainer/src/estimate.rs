//! What a run takes, counted from shapes before it starts: [`Memory`], and [`Work`] at an assumed rate.
//!
//! Counted are frozen weights, what training changes, what the graph of a step keeps, and the cache of texts that are
//! sampled. Users' own rows are on the host and not counted.

mod memory;
mod work;

use burn::tensor::Device;
use llm_backbone::config::ModelConfig;
use llm_backbone::device::is_cpu;
use llm_backbone::{Adapters, LoraConfig, Model, Outline};

use crate::config::{Dtype, TrainingSection};
use crate::error::TrainError;
use crate::policy::Policy;

pub use memory::{Memory, Step, validate_weights};
pub use work::{PER_CORE, Work, rate, steps, validations};

/// A model with its adapters, by shapes, where it is to be trained.
#[derive(Clone, Debug)]
pub struct Sketch {
    outline: Outline,
    adapters: Adapters,
    has_dropout: bool,
    /// Bytes of the frozen weights.
    frozen: u64,
    /// Whether logits are made.
    writes: bool,
    /// Whether hidden states have 16 bits.
    is_half: bool,
    /// Whether all weights are in f32, none in the blocks of a file.
    is_f32: bool,
    on_gpu: bool,
}

impl Sketch {
    /// A model that is not read yet, with adapters that are not made yet. Weights as stored count 16 bits, the most that
    /// they can have.
    ///
    /// # Errors
    /// Adapters out of range, or that the model has no place for.
    pub fn new(
        config: &ModelConfig,
        dtype: Dtype,
        lora: &LoraConfig,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let outline = Outline::of(config)?;
        Ok(Self {
            adapters: outline.adapters(lora).map_err(TrainError::of_lora)?,
            has_dropout: lora.dropout > 0.0,
            frozen: dtype.bytes().unwrap_or(2) * outline.weights() as u64,
            outline,
            writes: true,
            is_half: matches!(dtype, Dtype::Bf16 | Dtype::F16),
            is_f32: dtype == Dtype::F32,
            on_gpu: !is_cpu(device),
        })
    }

    /// A model that is there.
    ///
    /// # Errors
    /// None that a model can cause.
    pub fn of_model(model: &Model) -> Result<Self, TrainError> {
        Ok(Self {
            outline: Outline::of(model.config())?,
            adapters: model.adapter_sizes(),
            has_dropout: model.has_dropout(),
            frozen: model.num_base_bytes() as u64,
            writes: true,
            is_half: model.dtype().size() == 2,
            is_f32: model.num_base_bytes() == 4 * model.num_base_params(),
            on_gpu: !is_cpu(&model.device()),
        })
    }

    /// The same with the frozen weights of a model that is there.
    #[must_use]
    pub fn with_weights_of(self, model: &Model) -> Self {
        let frozen = model.num_base_bytes() as u64;
        Self { frozen, ..self }
    }

    /// The same as a reward model, which makes no logits.
    #[must_use]
    pub fn that_rewards(self) -> Self {
        Self {
            writes: false,
            ..self
        }
    }

    /// Frozen weights.
    pub fn weights(&self) -> usize {
        self.outline.weights()
    }

    fn config(&self) -> &ModelConfig {
        self.outline.config()
    }

    /// Weights of the head.
    fn head(&self) -> usize {
        self.config().vocab_size() * self.config().d_model()
    }

    /// The length that rows of up to `longest` tokens have on the device.
    fn padded(&self, longest: usize) -> usize {
        match self.on_gpu {
            true => longest.next_multiple_of(crate::pack::GPU_LENGTHS),
            false => longest,
        }
    }
}

/// What a training step of a policy that is there takes, where it fits; of several GPUs each has its own rows.
///
/// # Errors
/// [`TrainError::Memory`] where less is there.
pub fn validate_step(
    policy: &Policy,
    step: Step,
    training: &TrainingSection,
) -> Result<Memory, TrainError> {
    let sketch = Sketch::of_model(&policy.model)?;
    let sketch = match policy.head {
        Some(_) => sketch.that_rewards(),
        None => sketch,
    };
    let rows = match sketch.on_gpu {
        true => step.rows.min(training.micro_rows),
        false => step.rows,
    };
    let step = Step { rows, ..step };
    let memory = sketch.memory(step, (0, 0), training);
    sketch.validate(&memory, step, training)?;
    Ok(memory)
}

#[cfg(test)]
mod tests;

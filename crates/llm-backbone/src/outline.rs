//! A model by the shapes of its weights: what can be said of it before any of them is read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::tensor::Device;

use crate::config::ModelConfig;
use crate::loader::Loader;
use crate::lora::{LoraConfig, LoraError, wanted_anew, why_no_head_adapter};
use crate::model::{Costs, Model, costs};
use crate::parts::Part;
use crate::weights::WeightError;

/// Shapes by the names of their tensors.
pub(crate) type Shapes = RefCell<BTreeMap<String, Vec<usize>>>;

/// The weights of a model by name and shape.
#[derive(Clone, Debug)]
pub struct Outline {
    config: ModelConfig,
    weights: usize,
    per_token: usize,
    slots: Vec<Slot>,
    why_no_head_adapter: String,
}

/// A layer that can carry an adapter.
#[derive(Clone, Debug)]
struct Slot {
    module: String,
    embedding: bool,
    /// `[d_in, d_out]`; for an embedding `[vocab, d]`.
    shape: [usize; 2],
}

/// What adapters add to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adapters {
    /// Their weights.
    pub weights: usize,
    /// Numbers of a token, over all blocks, that go into adapters of linear layers.
    pub inputs: usize,
}

impl Outline {
    /// The weights that a model of `config` has. The families' own `load` names them, so that none is left out.
    ///
    /// # Errors
    /// None that a valid `config` can cause.
    pub fn of(config: &ModelConfig) -> Result<Self, WeightError> {
        let shapes = Shapes::default();
        let loader = Loader::of_shapes(&shapes, &Device::flex());
        let architecture = config.0.load(&loader)?;
        let shapes = shapes.borrow();
        let matrix = |module: &str| match shapes.get(&format!("{module}.weight")).map(Vec::as_slice)
        {
            Some(&[rows, columns]) => [rows, columns],
            _ => [0, 0], // invariant: `load` asked for it as a matrix
        };
        let (mut slots, mut per_token) = (Vec::new(), 0);
        for part in architecture.decoder().all_parts() {
            let shape = match part {
                Part::Linear(linear) => {
                    let [d_out, d_in] = matrix(&linear.name);
                    per_token += d_out * d_in;
                    [d_in, d_out]
                }
                Part::Embedding(embedding) => matrix(&embedding.name),
                Part::Head(_) | Part::RmsNorm(_) | Part::LayerNorm(_) => continue,
            };
            slots.push(Slot {
                module: part.name().to_owned(),
                embedding: matches!(part, Part::Embedding(_)),
                shape,
            });
        }
        let count = |shape: &Vec<usize>| shape.iter().product::<usize>();
        Ok(Self {
            config: config.clone(),
            weights: shapes.values().map(count).sum(),
            per_token,
            slots,
            why_no_head_adapter: why_no_head_adapter(architecture.decoder()),
        })
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The number of weights, as [`Model::num_base_params`](crate::Model::num_base_params).
    pub fn weights(&self) -> usize {
        self.weights
    }

    /// What a pass costs per token, as [`Model::costs`](crate::Model::costs).
    pub fn costs(&self) -> Costs {
        costs(&self.config, self.per_token)
    }

    /// What adapters of `lora` add, without being made.
    ///
    /// # Errors
    /// Settings out of range, or targets that the model does not have.
    pub fn adapters(&self, lora: &LoraConfig) -> Result<Adapters, LoraError> {
        let rules = lora.rules()?;
        let wanted = wanted_anew(
            &rules,
            self.slots.iter().collect(),
            |slot| (&slot.module, slot.embedding),
            &self.why_no_head_adapter,
        )?;
        let mut adapters = Adapters::default();
        for (slot, shape) in wanted {
            let [d_in, d_out] = slot.shape;
            adapters.weights += shape.rank * (d_in + d_out);
            if !slot.embedding {
                adapters.inputs += d_in;
            }
        }
        Ok(adapters)
    }
}

impl Model {
    /// What its adapters add.
    pub fn adapter_sizes(&self) -> Adapters {
        let inputs = self.parts().into_iter().filter_map(|part| match part {
            Part::Linear(linear) => {
                let [d_in, _] = linear.lora.as_ref()?.a.val().dims();
                Some(d_in)
            }
            _ => None,
        });
        Adapters {
            inputs: inputs.sum(),
            weights: self.num_adapter_params(),
        }
    }
}

#[cfg(test)]
mod tests;

//! A model by the shapes of its weights: what can be said of it before any of them is read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::tensor::Device;

use crate::config::ModelConfig;
use crate::loader::{Loader, validate_shape};
use crate::lora::{Kind, LoraConfig, LoraError, LoraInit, wanted_anew};
use crate::model::{Costs, HEAD, Model, costs};
use crate::weights::{WeightError, WeightSource, warn_of_unread};

/// Shapes by the names of their tensors.
pub(crate) type Shapes = RefCell<BTreeMap<String, Vec<usize>>>;

/// The weights of a model by name and shape.
#[derive(Clone, Debug)]
pub struct Outline {
    config: ModelConfig,
    /// By names.
    shapes: BTreeMap<String, Vec<usize>>,
    per_token: usize,
    slots: Vec<Slot>,
}

/// A layer that can carry an adapter.
#[derive(Clone, Debug)]
struct Slot {
    module: String,
    kind: Kind,
    /// `[d_in, d_out]`; for an embedding `[vocab, d]`.
    sides: [usize; 2],
}

/// What adapters add to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adapters {
    /// Their weights that are trained.
    pub weights: usize,
    /// Of these, the ones of the head, which meet scored positions only.
    pub head: usize,
    /// Frozen factors: what PiSSA takes of weights. They meet tokens as frozen weights do.
    pub taken: usize,
    /// Numbers of a token, over all blocks, that go into adapters of linear layers.
    pub inputs: usize,
    /// Numbers of a token, over all blocks, that magnitudes meet.
    pub outputs: usize,
}

impl Adapters {
    fn add(&mut self, kind: Kind, [d_in, d_out]: [usize; 2], one: OneAdapter) {
        self.weights += one.trained;
        self.taken += one.taken;
        match kind {
            Kind::Embedding => {}
            Kind::Head => self.head += one.trained,
            Kind::Linear => {
                self.inputs += d_in;
                self.outputs += if one.has_magnitude { d_out } else { 0 };
            }
        }
    }
}

/// One of them.
struct OneAdapter {
    trained: usize,
    taken: usize,
    has_magnitude: bool,
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
        let shapes = shapes.take();
        let matrix = |module: &str| match shapes.get(&format!("{module}.weight")).map(Vec::as_slice)
        {
            Some(&[rows, columns]) => [rows, columns],
            _ => [0, 0], // invariant: `load` asked for it as a matrix
        };
        let (mut slots, mut per_token) = (Vec::new(), 0);
        for part in architecture.decoder().all_parts() {
            let Some((kind, _)) = part.adapter() else {
                continue;
            };
            let sides = kind.sides(matrix(part.name()));
            if kind == Kind::Linear {
                per_token += sides.iter().product::<usize>();
            }
            slots.push(Slot {
                module: part.name().to_owned(),
                kind,
                sides,
            });
        }
        if architecture.decoder().head().is_none() {
            let table = matrix(&architecture.decoder().embedding().name);
            slots.push(Slot {
                module: HEAD.into(),
                kind: Kind::Head,
                sides: Kind::Head.sides(table),
            });
        }
        Ok(Self {
            config: config.clone(),
            shapes,
            per_token,
            slots,
        })
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The number of weights, as [`Model::num_base_params`](crate::Model::num_base_params).
    pub fn weights(&self) -> usize {
        let count = |shape: &Vec<usize>| shape.iter().product::<usize>();
        self.shapes.values().map(count).sum()
    }

    /// That files have every weight in its shape, and none of a further layer. No number is read, but those of a head that the
    /// configuration ties.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape, or of a layer that the configuration does not have, naming file and tensor.
    pub fn require_in(&self, source: &dyn WeightSource) -> Result<(), WeightError> {
        for (name, shape) in &self.shapes {
            validate_shape(source, name, shape)?;
        }
        let used = self.shapes.keys().cloned().collect();
        warn_of_unread(source, &used, self.config.sizes().num_layers)
    }

    /// What a pass costs per token, as [`Model::costs`](crate::Model::costs).
    pub fn costs(&self) -> Costs {
        costs(&self.config, self.per_token)
    }

    /// Bytes that [`Model::keep_packed`](crate::Model::keep_packed) takes in f32 on this processor; 0 without tiles.
    pub fn packed_bytes(&self) -> u64 {
        if !amx::is_supported() {
            return 0;
        }
        let slots = self.slots.iter();
        let through = slots.filter(|slot| slot.kind != Kind::Embedding);
        let bytes = through.map(|Slot { sides: [a, b], .. }| {
            amx::Packed::bytes([*a, *b]) + amx::Packed::bytes([*b, *a])
        });
        bytes.sum::<usize>() as u64
    }

    /// What adapters of `lora` add, without being made.
    ///
    /// # Errors
    /// Settings out of range, or targets that the model does not have.
    pub fn adapters(&self, lora: &LoraConfig) -> Result<Adapters, LoraError> {
        let rules = lora.rules()?;
        let wanted = wanted_anew(&rules, self.slots.iter().collect(), |slot| {
            (&slot.module, slot.kind)
        })?;
        let mut adapters = Adapters::default();
        for (slot, shape) in wanted {
            let [d_in, d_out] = slot.sides;
            let factors = shape.rank * (d_in + d_out);
            let gives_up =
                lora.init_lora_weights == LoraInit::Pissa && slot.kind != Kind::Embedding;
            let one = OneAdapter {
                trained: factors + if lora.use_dora { d_out } else { 0 },
                taken: if gives_up { factors } else { 0 },
                has_magnitude: lora.use_dora,
            };
            adapters.add(slot.kind, slot.sides, one);
        }
        Ok(adapters)
    }
}

impl Model {
    /// What its adapters add.
    pub fn adapter_sizes(&self) -> Adapters {
        let mut adapters = Adapters::default();
        for (_, kind, lora) in self.adapters() {
            let [[d_in, _], [_, d_out]] = [&lora.a, &lora.b].map(|factor| factor.val().dims());
            let one = OneAdapter {
                trained: lora.num_trained(),
                taken: lora.num_taken(),
                has_magnitude: lora.has_magnitude(),
            };
            adapters.add(kind, [d_in, d_out], one);
        }
        adapters
    }
}

#[cfg(test)]
mod tests;

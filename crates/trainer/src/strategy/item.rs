//! What burn-train asks for and our strategy has no use for: a model with steps, and loaders.

use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};

/// What a step or a validation reports to burn-train's metrics: the loss, `[1]`, and as `output` the numbers of
/// [`scalar`](super::scalar), `[1, numbers]`, all on the CPU.
///
/// It is one of burn-train's own items, because an item's trait has an error that burn does not re-export.
pub(super) type Item = RegressionOutput;

/// Stands where burn-train wants a model. The real one, with its optimiser, is the session's.
///
/// It holds one number, because burn-train asks its model for a device. Its steps hand the item back without gradients.
#[derive(Module, Debug)]
pub(super) struct Proxy {
    anchor: Param<Tensor<1>>,
}

impl Proxy {
    /// On the device of the real model.
    pub fn new(device: &Device) -> Self {
        Self {
            anchor: Param::from_tensor(Tensor::zeros([1], device)),
        }
    }
}

impl TrainStep for Proxy {
    type Input = Item;
    type Output = Item;

    fn step(&self, item: Item) -> TrainOutput<Item> {
        let grads = GradientsParams::new();
        TrainOutput { grads, item }
    }
}

impl InferenceStep for Proxy {
    type Input = Item;
    type Output = Item;

    fn step(&self, item: Item) -> Item {
        item
    }
}

/// A loader of nothing: the session reads its own data.
pub(super) struct NoItems;

impl DataLoader<Item> for NoItems {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Item> + 'a> {
        Box::new(Nothing)
    }

    fn num_items(&self) -> usize {
        0
    }

    fn to_device(&self, _: &Device) -> Arc<dyn DataLoader<Item>> {
        Arc::new(Self)
    }

    fn slice(&self, _: usize, _: usize) -> Arc<dyn DataLoader<Item>> {
        Arc::new(Self)
    }
}

struct Nothing;

impl Iterator for Nothing {
    type Item = Result<Item, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl DataLoaderIterator<Item> for Nothing {
    fn progress(&self) -> Progress {
        Progress::new(0, 0, None)
    }
}

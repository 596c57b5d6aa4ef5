//! A model block by block: what a forward pass runs through, also for callers that hold the graph of one block at a time.

use burn::tensor::{Bool, Int, Tensor};

use crate::attention::bias_from_visible;
use crate::cache::KvCache;
use crate::linear::cast_if_needed;
use crate::model::{Architecture, Model};
use crate::rope::RopeRows;

/// The blocks of a model on one batch. `norm(block(n - 1, ... block(0, enter(x))))` is [`Model::forward`] of `x`.
#[derive(Debug)]
pub struct Blocks<'a> {
    model: &'a Model,
    rope: RopeRows,
    bias: Tensor<4>,
}

impl Model {
    /// The blocks on a batch; `positions` and `visible` as in [`ModelInput`](crate::ModelInput).
    pub fn blocks(&self, positions: Tensor<2, Int>, visible: Tensor<4, Bool>) -> Blocks<'_> {
        let rope = match &self.arch {
            Architecture::Llama(m) => m.rope(positions),
            Architecture::GptJ(m) => m.rope(positions),
        };
        Blocks {
            model: self,
            rope,
            bias: bias_from_visible(visible),
        }
    }
}

impl Blocks<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.model.config().num_layers()
    }

    /// Embeddings `[batch, seq, d]` as the first block takes them, `[batch * seq, d]`.
    pub fn enter(&self, embeddings: Tensor<3>) -> Tensor<2> {
        let [batch, seq, d] = embeddings.dims();
        cast_if_needed(embeddings, self.model.dtype()).reshape([batch * seq, d])
    }

    /// The block of index `i`, `[batch * seq, d]` to the same.
    ///
    /// # Panics
    /// If there is no such block.
    pub fn block(&self, i: usize, x: Tensor<2>) -> Tensor<2> {
        self.cached_block(i, x, None)
    }

    /// The same, with earlier keys and values.
    pub(crate) fn cached_block(
        &self,
        i: usize,
        x: Tensor<2>,
        cache: Option<&mut KvCache>,
    ) -> Tensor<2> {
        match &self.model.arch {
            Architecture::Llama(m) => m.block(i, x, &self.rope, &self.bias, cache),
            Architecture::GptJ(m) => m.block(i, x, &self.rope, &self.bias, cache),
        }
    }

    /// The final norm.
    pub fn norm(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.model.arch {
            Architecture::Llama(m) => m.norm.forward(x),
            Architecture::GptJ(m) => m.ln_f.forward(x),
        }
    }
}

//! A model block by block: what a forward pass runs through, also for callers that hold the graph of one block at a time.

use burn::tensor::{Bool, Int, Tensor};

use crate::attention::Context;
use crate::cache::KvCache;
use crate::matrix::cast_if_needed;
use crate::model::Model;
use crate::prefix::Prefix;

/// The blocks of a model on one batch. `norm(block(n - 1, ... block(0, enter(x))))` is [`Model::forward`] of `x`.
#[derive(Debug)]
pub struct Blocks<'a> {
    model: &'a Model,
    /// One for each kind of attention.
    contexts: Vec<Context>,
    prefix: Option<&'a Prefix>,
}

impl Model {
    /// The blocks on a batch; `positions`, `visible` and `prefix` as in [`ModelInput`](crate::ModelInput).
    pub fn blocks<'a>(
        &'a self,
        positions: Tensor<2, Int>,
        visible: Tensor<4, Bool>,
        prefix: Option<&'a Prefix>,
    ) -> Blocks<'a> {
        self.cached_blocks((positions, visible), prefix, None)
    }

    /// The same behind what is in `cache`, which notes the positions of the batch where the model asks for them again.
    pub(crate) fn cached_blocks<'a>(
        &'a self,
        (positions, visible): (Tensor<2, Int>, Tensor<4, Bool>),
        prefix: Option<&'a Prefix>,
        cache: Option<&mut KvCache>,
    ) -> Blocks<'a> {
        let keys = match cache {
            Some(cache) if self.has_window() => cache.note_positions(positions.clone()),
            _ => positions.clone(),
        };
        let in_front = prefix.map_or(0, Prefix::tokens);
        let sights = self.decoder().sights();
        Blocks {
            contexts: Context::each(sights, (&positions, &keys), visible, in_front),
            prefix,
            model: self,
        }
    }
}

impl Blocks<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.model.config().sizes().num_layers
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
        let decoder = self.model.decoder();
        let context = &self.contexts[decoder.sight_of(i)];
        let Some(prefix) = self.prefix else {
            return decoder.block(i, x, context, cache);
        };
        let sizes = self.model.config().sizes();
        let in_front = prefix.block(i, [sizes.num_kv_heads, sizes.head_dim]);
        decoder.block(i, x, &context.behind(in_front), cache)
    }

    /// The final norm.
    pub fn norm(&self, x: Tensor<2>) -> Tensor<2> {
        self.model.decoder().norm(x)
    }
}

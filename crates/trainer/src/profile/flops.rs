//! The arithmetic of a pass over packed rows, in floating-point operations (a multiplication and an addition are two).
//!
//! Matrix products only; they are more than nine tenths of the work of the models this project trains.
//!
//! - A frozen weight of a block costs 2 per token forward and 2 backward (the gradient of its input; it has none itself).
//! - A weight of an adapter costs 2 forward and 4 backward; what PiSSA takes of weights costs as frozen weights do.
//! - Attention computes `q k^T` and `p v` for every token with those in front of it in its row: `4 * heads * head_dim` for each pair and
//!   block forward (a prefix is more keys for as many queries), twice that backward. What is computed differs: the CPU's blocks go a
//!   little beyond the diagonal and make scores a second time backward, but leave out what no token sees, as one response of a row of the
//!   other; a GPU computes whole squares.
//! - The head runs on scored positions only: 2 per weight for the logits, and in training 2 more at once for their
//!   gradient ([`Model::log_probs`]), so nothing is left for the backward pass. Where it has an adapter, these 2 are the backward
//!   pass's own but counted forward all the same; the adapter costs what others do, on scored positions.
//! - DoRA's norms, once a pass and not for each token, are not counted.

use llm_backbone::{Adapters, Costs, Model};

use crate::pack::PackedBatch;

/// The sizes that matter of a forward pass, padding included.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows.
    pub rows: usize,
    /// Slots of a row.
    pub seq: usize,
    /// Keys and values in front of them.
    pub prefix: usize,
    /// Positions that the head runs on.
    pub scored: usize,
}

impl From<&PackedBatch> for Shape {
    fn from(packed: &PackedBatch) -> Self {
        Self {
            rows: packed.rows,
            seq: packed.seq,
            prefix: packed.prefix,
            scored: packed.targets.len(),
        }
    }
}

/// What the arithmetic of a model depends on.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic {
    /// Of the frozen blocks.
    pub costs: Costs,
    /// Trained weights of adapters but that of the head.
    pub adapters: usize,
    /// Frozen weights of adapters.
    pub taken: usize,
    /// Weights of the head.
    pub head: usize,
    /// Weights of the head's adapter.
    pub head_adapter: usize,
}

impl Arithmetic {
    /// Of frozen blocks with adapters, and a head of so many weights.
    pub fn new(costs: Costs, adapters: Adapters, head: usize) -> Self {
        Self {
            costs,
            adapters: adapters.weights - adapters.head,
            taken: adapters.taken,
            head,
            head_adapter: adapters.head,
        }
    }
}

impl From<&Model> for Arithmetic {
    fn from(model: &Model) -> Self {
        let head = model.config().vocab_size() * model.d_model();
        Self::new(model.costs(), model.adapter_sizes(), head)
    }
}

/// A forward pass of training, the gradient of the head included.
pub fn forward(model: impl Into<Arithmetic>, shape: impl Into<Shape>) -> u64 {
    let (model, shape) = (model.into(), shape.into());
    let head = shape.scored * (4 * model.head + 2 * model.head_adapter);
    blocks(model, shape) + head as u64
}

/// All blocks forward, without the head.
pub fn blocks(model: impl Into<Arithmetic>, shape: impl Into<Shape>) -> u64 {
    let (model, shape) = (model.into(), shape.into());
    let weights = model.costs.weights + model.adapters + model.taken;
    (2 * shape.tokens() * weights + shape.attention(model.costs)) as u64
}

/// The backward pass.
pub fn backward(model: impl Into<Arithmetic>, shape: impl Into<Shape>) -> u64 {
    let (model, shape) = (model.into(), shape.into());
    let frozen = model.costs.weights + model.taken;
    let count = shape.tokens() * (2 * frozen + 4 * model.adapters);
    let head = shape.scored * 4 * model.head_adapter;
    (count + head + 2 * shape.attention(model.costs)) as u64
}

impl Shape {
    fn tokens(self) -> usize {
        self.rows * self.seq
    }

    /// Scores and sums of all blocks forward.
    fn attention(self, costs: Costs) -> usize {
        let pairs = self.rows * self.seq * (2 * self.prefix + self.seq + 1) / 2;
        4 * pairs * costs.attention_width * costs.blocks
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use burn::tensor::Device;
    use llm_backbone::config::{ModelConfig, Sizes};
    use llm_backbone::{LoraConfig, LoraInit, Targets};

    use super::*;

    /// Widths 8, two heads of 4, one of keys, feed-forward 16, vocabulary 32.
    pub(crate) fn model(blocks: usize) -> Model {
        let config = ModelConfig::from_scratch(
            Sizes {
                vocab_size: 32,
                hidden_size: 8,
                num_layers: blocks,
                num_heads: 2,
                num_kv_heads: 1,
                head_dim: 4,
                max_positions: 16,
                ties_embeddings: true,
                bos_token_id: None,
                eos_token_ids: vec![],
            },
            16,
        );
        Model::random(&config, 0, &Device::flex()).expect("a model")
    }

    const SHAPE: Shape = Shape {
        rows: 2,
        seq: 5,
        prefix: 0,
        scored: 3,
    };

    #[test]
    fn a_block_by_hand() {
        // Weights: q 64, k 32, v 32, o 64, three of 128: 576. Ten tokens at 2: 11520.
        // Attention: 2 rows * 4 * (1 + 2 + 3 + 4 + 5) * 8 = 960. Head: 3 * 4 * 256 = 3072.
        assert_eq!(forward(&model(1), SHAPE), 11520 + 960 + 3072);
        assert_eq!(backward(&model(1), SHAPE), 11520 + 1920);
    }

    #[test]
    fn a_prefix_is_more_keys_and_no_tokens() {
        let behind = Shape { prefix: 3, ..SHAPE };
        // 2 rows * 4 * 5 * 3 * 8, and twice that backward.
        assert_eq!(forward(&model(1), behind), forward(&model(1), SHAPE) + 960);
        assert_eq!(
            backward(&model(1), behind),
            backward(&model(1), SHAPE) + 1920
        );
    }

    #[test]
    fn adapters_cost_twice_as_much_backward() {
        let lora = LoraConfig {
            rank: 2,
            targets: Targets::Names(vec!["k_proj".into()]),
            ..LoraConfig::default()
        };
        let adapted = model(1).with_lora(&lora, 0).expect("adapters");
        // (8 + 4) * 2 = 24 weights, ten tokens.
        let forward_of = |model: &Model| forward(model, SHAPE);
        assert_eq!(forward_of(&adapted) - forward_of(&model(1)), 480);
        assert_eq!(
            backward(&adapted, SHAPE) - backward(&model(1), SHAPE),
            2 * 480
        );
    }

    #[test]
    fn the_heads_adapter_meets_scored_positions_and_what_pissa_takes_costs_as_frozen_weights_do() {
        let lora = LoraConfig {
            rank: 2,
            targets: Targets::Names(vec!["k_proj".into(), "lm_head".into()]),
            init_lora_weights: LoraInit::Pissa,
            ..LoraConfig::default()
        };
        let adapted = model(1).with_lora(&lora, 0).expect("adapters");
        // k_proj: 24 weights, and 24 taken, ten tokens. The head: (8 + 32) * 2 = 80 weights, three positions; what is taken of it
        // counts with the blocks'.
        let taken = 24 + 80;
        assert_eq!(
            forward(&adapted, SHAPE) - forward(&model(1), SHAPE),
            10 * 2 * (24 + taken) + 3 * 2 * 80
        );
        assert_eq!(
            backward(&adapted, SHAPE) - backward(&model(1), SHAPE),
            10 * (4 * 24 + 2 * taken) + 3 * 4 * 80
        );
    }
}

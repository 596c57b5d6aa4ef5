//! A model of SmolLM2-135M's widths with random weights and a few of its 30 blocks.

use trainer::burn::tensor::Device;
use trainer::llm_backbone::Model;
use trainer::llm_backbone::config::{ModelConfig, Sizes};

/// Blocks; times grow with them in proportion, but for embedding and head.
pub const BLOCKS: usize = 4;

/// `d_model`.
pub const WIDTH: usize = 576;

pub fn random(device: &Device) -> Model {
    let config = ModelConfig::from_scratch(
        Sizes {
            vocab_size: 49152,
            hidden_size: WIDTH,
            num_layers: BLOCKS,
            num_heads: 9,
            num_kv_heads: 3,
            head_dim: 64,
            max_positions: 2048,
            ties_embeddings: true,
            bos_token_id: Some(1),
            eos_token_ids: vec![2],
        },
        1536,
    );
    let model = Model::random(&config, 0, device).expect("a valid configuration");
    model.frozen()
}

//! A Llama of SmolLM2-135M's widths with random weights and a few of its 30 blocks.

use trainer::burn::tensor::Device;
use trainer::llm_backbone::Model;
use trainer::llm_backbone::config::{LlamaConfig, ModelConfig};

/// Blocks; times grow with them in proportion, but for embedding and head.
pub const BLOCKS: usize = 4;

/// `d_model`.
pub const WIDTH: usize = 576;

pub fn random(device: &Device) -> Model {
    let config = ModelConfig::Llama(LlamaConfig {
        vocab_size: 49152,
        hidden_size: WIDTH,
        intermediate_size: 1536,
        num_hidden_layers: BLOCKS,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        head_dim: 64,
        rms_norm_eps: 1e-5,
        rope_theta: 100_000.0,
        rope_scaling: None,
        max_position_embeddings: 2048,
        tie_word_embeddings: true,
        bos_token_id: Some(1),
        eos_token_ids: vec![2],
    });
    let model = Model::random(&config, 0, device).expect("a valid configuration");
    model.frozen()
}

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ConfigError, LARGEST_DEPTH, LARGEST_SIZE};
use super::{check_ids, check_positive, check_size, key_error};

/// Shape of a GPT-J model. Field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GptJConfig {
    /// Rows of the embedding matrix.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Number of blocks.
    pub n_layer: usize,
    /// Attention heads; each is `n_embd / n_head` wide.
    pub n_head: usize,
    /// Width inside the MLP, `4 * n_embd` unless the file says otherwise.
    pub n_inner: usize,
    /// Leading dimensions of a head that are rotated.
    pub rotary_dim: usize,
    /// Longest sequence, in positions.
    pub n_positions: usize,
    /// Epsilon of LayerNorm.
    pub layer_norm_epsilon: f64,
    /// Whether the LM head is the embedding matrix.
    pub tie_word_embeddings: bool,
    /// Id that starts a sequence.
    pub bos_token_id: Option<u32>,
    /// Ids that end a sequence.
    pub eos_token_ids: Vec<u32>,
}

impl GptJConfig {
    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.n_embd / self.n_head.max(1)
    }

    /// The `config.json` of this model.
    pub fn to_hf_json(&self) -> Value {
        json!({
            "architectures": ["GPTJForCausalLM"],
            "model_type": "gptj",
            "vocab_size": self.vocab_size,
            "n_embd": self.n_embd,
            "n_layer": self.n_layer,
            "n_head": self.n_head,
            "n_inner": self.n_inner,
            "rotary_dim": self.rotary_dim,
            "n_positions": self.n_positions,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "activation_function": "gelu_new",
            "tie_word_embeddings": self.tie_word_embeddings,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": super::json::eos_value(&self.eos_token_ids),
            "torch_dtype": "float32",
        })
    }

    pub(super) fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("n_embd", self.n_embd),
            ("n_head", self.n_head),
            ("n_inner", self.n_inner),
            ("rotary_dim", self.rotary_dim),
            ("n_positions", self.n_positions),
        ] {
            check_size(file, key, value, LARGEST_SIZE)?;
        }
        check_size(file, "n_layer", self.n_layer, LARGEST_DEPTH)?;
        check_positive(file, "layer_norm_epsilon", self.layer_norm_epsilon)?;
        if !self.n_embd.is_multiple_of(self.n_head) {
            let expected = format!("a divisor of n_embd {}", self.n_embd);
            return Err(key_error(file, "n_head", self.n_head, expected));
        }
        if !self.rotary_dim.is_multiple_of(2) || self.rotary_dim > self.head_dim() {
            let expected = format!(
                "an even number of at most n_embd / n_head = {}",
                self.head_dim()
            );
            return Err(key_error(file, "rotary_dim", self.rotary_dim, expected));
        }
        check_ids(
            file,
            self.vocab_size,
            self.bos_token_id,
            &self.eos_token_ids,
        )
    }
}

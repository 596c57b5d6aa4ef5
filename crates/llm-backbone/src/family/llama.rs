//! Llama (arXiv 2302.13971; grouped queries as in Llama 2, RoPE scaling as in Llama 3).
//!
//! Also runs models that share the architecture, such as SmolLM2. The decoder is in `gated.rs`, which other families do
//! otherwise in parts. The converter for GGUF files reorders the rows of q and k.

use serde_json::{Value, json};

use super::Facts;
use crate::config::keys::Keys;
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, Sizes};
use crate::gated::{Defaults, GatedFamily, GatedShape, Plan};
use crate::gated::{gguf_names, llama_heads, refuse_gguf_window, require_silu};
use crate::gguf::GgufFile;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

/// Shape of a Llama.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LlamaConfig {
    shape: GatedShape,
}

impl LlamaConfig {
    pub(super) fn from_scratch(sizes: Sizes, intermediate_size: usize) -> Self {
        let shape = GatedShape {
            sizes,
            intermediate_size,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: None,
        };
        Self { shape }
    }

    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        refuse_gguf_window(file, "llama")?;
        let shape = GatedShape::from_gguf(file, "llama")?;
        Ok(Self { shape })
    }
}

impl GatedFamily for LlamaConfig {
    const FACTS: Facts = Facts {
        model_type: "llama",
        class: "LlamaForCausalLM",
        spelling: &Spelling::USUAL,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be_false("attention_bias")?;
        keys.must_be_false("mlp_bias")?;
        require_silu(keys)?;
        let shape = GatedShape::from_hf(keys, &Spelling::USUAL, Defaults::USUAL)?;
        Ok(Self { shape })
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            permuted_heads: llama_heads,
            ..gguf_names("llama", Self::from_gguf)
        }
    }

    fn shape(&self) -> &GatedShape {
        &self.shape
    }

    fn shape_mut(&mut self) -> &mut GatedShape {
        &mut self.shape
    }

    fn own_keys(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("hidden_act", json!("silu")),
            ("attention_bias", json!(false)),
            ("mlp_bias", json!(false)),
        ]
    }

    fn plan(&self) -> Plan {
        Plan::of(&self.shape)
    }
}

//! Qwen3, dense (arXiv 2505.09388; `transformers` class `Qwen3ForCausalLM`).
//!
//! As Llama (`gated.rs`), but the width of a head is a size of its own, and queries and keys go through a norm over the numbers
//! of each head before they are rotated. Later blocks may have a sliding window, as those of Qwen2. A GGUF file holds rows in the order of Hugging Face.

use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::config::ConfigError;
use crate::config::keys::Keys;
use crate::config::sizes::Spelling;
use crate::gated::{BEFORE, LINEAR, QK_NORMS, gguf_names, refuse_gguf_window, require_silu};
use crate::gated::{Defaults, GatedFamily, GatedShape, LaterWindow, Plan, QkNorms};
use crate::gguf::GgufFile;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

const SPELLING: Spelling = Spelling {
    default_head_dim: Some(128),
    default_max_positions: Some(32_768),
    ..Spelling::USUAL
};

/// Shape of a Qwen3.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Qwen3Config {
    shape: GatedShape,
    window: LaterWindow,
}

impl Qwen3Config {
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        refuse_gguf_window(file, "qwen3")?;
        let shape = GatedShape::from_gguf(file, "qwen3")?;
        let window = LaterWindow::none(shape.sizes.num_layers);
        Ok(Self { shape, window })
    }
}

impl GatedFamily for Qwen3Config {
    const FACTS: Facts = Facts {
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        spelling: &SPELLING,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be_false("attention_bias")?;
        require_silu(keys)?;
        let shape = GatedShape::from_hf(keys, &SPELLING, Defaults::USUAL)?;
        let window = LaterWindow::from_hf(keys, shape.sizes.num_layers)?;
        Ok(Self { shape, window })
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            inside: &[BEFORE, QK_NORMS, LINEAR],
            ..gguf_names("qwen3", Self::from_gguf)
        }
    }

    fn shape(&self) -> &GatedShape {
        &self.shape
    }

    fn shape_mut(&mut self) -> &mut GatedShape {
        &mut self.shape
    }

    fn own_keys(&self) -> Vec<(&'static str, Value)> {
        let mut keys = vec![
            ("hidden_act", json!("silu")),
            ("attention_bias", json!(false)),
        ];
        keys.extend(self.window.to_hf());
        keys
    }

    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        self.window.validate(file, self.shape.sizes.num_layers)
    }

    fn plan(&self) -> Plan {
        self.window.of(Plan {
            qk_norms: QkNorms::EachHead,
            ..Plan::of(&self.shape)
        })
    }
}

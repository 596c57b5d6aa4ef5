//! Qwen2 and Qwen2.5, dense (arXiv 2407.10671, 2412.15115; `transformers` class `Qwen2ForCausalLM`).
//!
//! As Llama (`gated.rs`), but the layers of queries, keys and values have biases, and blocks from the one of index
//! `max_window_layers` on may have a sliding window. A GGUF file holds rows in the order of Hugging Face.

use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::config::ConfigError;
use crate::config::keys::Keys;
use crate::config::sizes::Spelling;
use crate::gated::{Defaults, GatedFamily, GatedShape, LaterWindow, Plan};
use crate::gated::{K, Q, V, gguf_names, refuse_gguf_window, require_silu};
use crate::gguf::GgufFile;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

const SPELLING: Spelling = Spelling {
    default_max_positions: Some(32_768),
    ..Spelling::USUAL
};

/// Shape of a Qwen2.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Qwen2Config {
    shape: GatedShape,
    window: LaterWindow,
}

impl Qwen2Config {
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        refuse_gguf_window(file, "qwen2")?;
        let shape = GatedShape::from_gguf(file, "qwen2")?;
        let window = LaterWindow::none(shape.sizes.num_layers);
        Ok(Self { shape, window })
    }
}

impl GatedFamily for Qwen2Config {
    const FACTS: Facts = Facts {
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        spelling: &SPELLING,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        require_silu(keys)?;
        let shape = GatedShape::from_hf(keys, &SPELLING, Defaults::USUAL)?;
        let window = LaterWindow::from_hf(keys, shape.sizes.num_layers)?;
        Ok(Self { shape, window })
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            biased: &[Q, K, V],
            ..gguf_names("qwen2", Self::from_gguf)
        }
    }

    fn shape(&self) -> &GatedShape {
        &self.shape
    }

    fn shape_mut(&mut self) -> &mut GatedShape {
        &mut self.shape
    }

    fn own_keys(&self) -> Vec<(&'static str, Value)> {
        let mut keys = vec![("hidden_act", json!("silu"))];
        keys.extend(self.window.to_hf());
        keys
    }

    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        self.window.validate(file, self.shape.sizes.num_layers)
    }

    fn plan(&self) -> Plan {
        self.window.of(Plan {
            qkv_biased: true,
            ..Plan::of(&self.shape)
        })
    }
}

//! Mistral (arXiv 2310.06825; `transformers` class `MistralForCausalLM`).
//!
//! As Llama (`gated.rs`), but the width of a head may be a size of its own, and a token may see no further back than a sliding
//! window, in every block. The converter for GGUF files writes it as `llama`; a file of that architecture that names a window
//! is one of these, any other is read as a Llama, which computes the same.

use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::config::keys::Keys;
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, LARGEST_SIZE, validate_size};
use crate::gated::{Defaults, GatedFamily, GatedShape, Plan};
use crate::gated::{gguf_names, gguf_window, llama_heads, require_silu};
use crate::gguf::GgufFile;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

const SPELLING: Spelling = Spelling {
    default_max_positions: Some(4096 * 32),
    ..Spelling::USUAL
};

/// Shape of a Mistral.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MistralConfig {
    shape: GatedShape,
    /// Positions that a token sees, its own among them; none where it sees all.
    sliding_window: Option<usize>,
}

impl MistralConfig {
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        Ok(Self {
            shape: GatedShape::from_gguf(file, "llama")?,
            sliding_window: gguf_window(file, "llama")?,
        })
    }
}

impl GatedFamily for MistralConfig {
    const FACTS: Facts = Facts {
        model_type: "mistral",
        class: "MistralForCausalLM",
        spelling: &SPELLING,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        require_silu(keys)?;
        let sliding_window = match keys.optional_size("sliding_window")? {
            // Later versions say `null`; the first one did not need to say anything.
            None if keys.is_null("sliding_window") => None,
            None => Some(4096),
            window => window,
        };
        Ok(Self {
            shape: GatedShape::from_hf(keys, &SPELLING, Defaults::USUAL)?,
            sliding_window,
        })
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            known_by: Some("llama.attention.sliding_window"),
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
            ("sliding_window", json!(self.sliding_window)),
        ]
    }

    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        self.sliding_window.map_or(Ok(()), |window| {
            validate_size(file, "sliding_window", window, LARGEST_SIZE)
        })
    }

    fn plan(&self) -> Plan {
        Plan::of(&self.shape).within(self.sliding_window)
    }
}

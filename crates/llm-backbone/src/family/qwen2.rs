//! Qwen2 and Qwen2.5, dense (arXiv 2407.10671, 2412.15115; `transformers` class `Qwen2ForCausalLM`).
//!
//! As Llama (`gated.rs`), but the layers of queries, keys and values have biases, and blocks from the one of index
//! `max_window_layers` on may have a sliding window. A GGUF file holds rows in the order of Hugging Face.

use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::config::keys::Keys;
use crate::config::layers::{each, sliding_from_hf, sliding_to_hf, validate_sliding};
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, LARGEST_SIZE, validate_size};
use crate::gated::{Defaults, GatedFamily, GatedShape, Plan};
use crate::gated::{K, Q, V, gguf_names, refuse_gguf_window};
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
    /// Positions that a token sees in blocks with a sliding window; none where no block has one.
    sliding_window: Option<usize>,
    /// Which blocks have it.
    sliding: Vec<bool>,
}

impl Qwen2Config {
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        refuse_gguf_window(file, "qwen2")?;
        let shape = GatedShape::from_gguf(file, "qwen2")?;
        let sliding = each(shape.sizes.num_layers, |_| false);
        Ok(Self {
            shape,
            sliding_window: None,
            sliding,
        })
    }
}

impl GatedFamily for Qwen2Config {
    const FACTS: Facts = Facts {
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        spelling: &SPELLING,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be("hidden_act", "silu")?;
        let shape = GatedShape::from_hf(keys, &SPELLING, Defaults::USUAL)?;
        let window = keys.optional_size("sliding_window")?;
        let sliding_window = match keys.flag("use_sliding_window")? {
            true if keys.is_null("sliding_window") => None,
            true => Some(window.unwrap_or(4096)),
            false => None,
        };
        let first = keys.optional_size("max_window_layers")?.unwrap_or(28);
        let by_number = |i| sliding_window.is_some() && i >= first;
        let sliding = sliding_from_hf(keys, shape.sizes.num_layers, by_number)?;
        Ok(Self {
            shape,
            sliding_window,
            sliding,
        })
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
        vec![
            ("hidden_act", json!("silu")),
            ("use_sliding_window", json!(self.sliding_window.is_some())),
            ("sliding_window", json!(self.sliding_window)),
            sliding_to_hf(&self.sliding),
        ]
    }

    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        if let Some(window) = self.sliding_window {
            validate_size(file, "sliding_window", window, LARGEST_SIZE)?;
        }
        validate_sliding(file, &self.sliding, self.shape.sizes.num_layers)
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan {
            qkv_biased: true,
            ..Plan::of(&self.shape)
        };
        if self.sliding_window.is_some() {
            let near = plan.sights[0].clone().within(self.sliding_window);
            plan.sights.push(near);
            plan.sight_of = self.sliding.iter().copied().map(usize::from).collect();
        }
        plan
    }
}

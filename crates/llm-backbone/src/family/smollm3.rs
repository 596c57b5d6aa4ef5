//! SmolLM3 (`transformers` class `SmolLM3ForCausalLM`).
//!
//! As Llama (`gated.rs`), but some blocks, every fourth as published, have no rotary positions (arXiv 2501.18795). The
//! converter for GGUF files reorders the rows of q and k in all blocks.

use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::config::ConfigError;
use crate::config::keys::Keys;
use crate::config::layers::{each, sliding_from_hf, validate_each};
use crate::config::sizes::Spelling;
use crate::gated::{Defaults, GatedFamily, GatedShape, Plan, SightPlan};
use crate::gated::{NO_PADDING, gguf_names, llama_heads, refuse_gguf_window, require_silu};
use crate::gguf::GgufFile;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

const SPELLING: Spelling = Spelling {
    default_max_positions: Some(32_768),
    default_tied: true,
    ..Spelling::USUAL
};

/// The last of so many blocks has no rotary positions, where nothing else is said.
const INTERVAL: usize = 4;

const ROTATED: &str = "no_rope_layers";

/// Shape of a SmolLM3.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SmolLm3Config {
    shape: GatedShape,
    /// Which blocks have rotary positions: `no_rope_layers`, which has a 1 for those that do.
    rotated: Vec<bool>,
}

impl SmolLm3Config {
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        refuse_gguf_window(file, "smollm3")?;
        let shape = GatedShape::from_gguf(file, "smollm3")?;
        let rotated = each(shape.sizes.num_layers, by_interval(INTERVAL));
        Ok(Self { shape, rotated })
    }
}

fn by_interval(interval: usize) -> impl Fn(usize) -> bool {
    let interval = interval.max(1);
    move |i| !(i + 1).is_multiple_of(interval)
}

impl GatedFamily for SmolLm3Config {
    const FACTS: Facts = Facts {
        model_type: "smollm3",
        class: "SmolLM3ForCausalLM",
        spelling: &SPELLING,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be_false("attention_bias")?;
        keys.must_be_false("mlp_bias")?;
        keys.must_be_false("use_sliding_window")?;
        require_silu(keys)?;
        const DEFAULTS: Defaults = Defaults {
            rope_theta: 2e6,
            ..Defaults::USUAL
        };
        let shape = GatedShape::from_hf(keys, &SPELLING, DEFAULTS)?;
        let blocks = shape.sizes.num_layers;
        if sliding_from_hf(keys, blocks, |_| false)?.contains(&true) {
            let expected = "`full_attention` (nothing else is supported)";
            return Err(keys.error("layer_types", "`sliding_attention`", expected));
        }
        let interval = keys.optional_size("no_rope_layer_interval")?;
        let rotated = match keys.json_value(ROTATED) {
            None => each(blocks, by_interval(interval.unwrap_or(INTERVAL))),
            // More entries than blocks are never looked at.
            Some(Value::Array(list)) => list
                .iter()
                .take(blocks)
                .map(|value| match value.as_u64() {
                    Some(flag @ (0 | 1)) => Ok(flag == 1),
                    _ => Err(keys.error(ROTATED, value, "a list of 0 and 1")),
                })
                .collect::<Result<_, _>>()?,
            Some(other) => return Err(keys.error(ROTATED, other, "a list of 0 and 1")),
        };
        Ok(Self { shape, rotated })
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            permuted_heads: llama_heads,
            ..gguf_names("smollm3", Self::from_gguf)
        }
    }

    fn shape(&self) -> &GatedShape {
        &self.shape
    }

    fn shape_mut(&mut self) -> &mut GatedShape {
        &mut self.shape
    }

    fn own_keys(&self) -> Vec<(&'static str, Value)> {
        let rotated: Vec<u8> = self.rotated.iter().copied().map(u8::from).collect();
        vec![
            ("hidden_act", json!("silu")),
            ("attention_bias", json!(false)),
            ("mlp_bias", json!(false)),
            ("use_sliding_window", json!(false)),
            (ROTATED, json!(rotated)),
            NO_PADDING,
        ]
    }

    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        let blocks = self.shape.sizes.num_layers;
        validate_each(file, ROTATED, self.rotated.len(), blocks)
    }

    fn plan(&self) -> Plan {
        let rotated = SightPlan {
            rotation: Some(self.shape.rotation()),
            window: None,
        };
        let without = SightPlan {
            rotation: None,
            window: None,
        };
        Plan {
            sights: vec![without, rotated],
            sight_of: self.rotated.iter().copied().map(usize::from).collect(),
            ..Plan::of(&self.shape)
        }
    }
}

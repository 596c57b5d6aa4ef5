//! OLMo 2 (arXiv 2501.00656; `transformers` class `Olmo2ForCausalLM`).
//!
//! As Llama (`gated.rs`), but the norms of a block stand behind its two halves, and queries and keys go through a norm over the
//! numbers of all heads together. A GGUF file holds rows in the order of Hugging Face.

use serde_json::{Value, json};

use super::Facts;
use crate::config::ConfigError;
use crate::config::keys::Keys;
use crate::config::sizes::Spelling;
use crate::gated::{BlockNorms, Defaults, GatedFamily, GatedShape, Plan, QkNorms};
use crate::gated::{LINEAR, MLP_NORM, NO_PADDING, QK_NORMS, gguf_names};
use crate::gated::{refuse_gguf_window, require_silu};
use crate::gguf::GgufFile;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

const AFTER_MLP: &str = "post_feedforward_layernorm";

/// Shape of an OLMo 2.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Olmo2Config {
    shape: GatedShape,
}

impl Olmo2Config {
    /// OLMo 3 goes by the same architecture; it has a sliding window.
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        refuse_gguf_window(file, "olmo2")?;
        let shape = GatedShape::from_gguf(file, "olmo2")?;
        Ok(Self { shape })
    }
}

impl GatedFamily for Olmo2Config {
    const FACTS: Facts = Facts {
        model_type: "olmo2",
        class: "Olmo2ForCausalLM",
        spelling: &Spelling::USUAL,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be_false("attention_bias")?;
        require_silu(keys)?;
        const DEFAULTS: Defaults = Defaults {
            rms_norm_eps: 1e-5,
            ..Defaults::USUAL
        };
        let shape = GatedShape::from_hf(keys, &Spelling::USUAL, DEFAULTS)?;
        Ok(Self { shape })
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            inside: &[
                &[
                    (MLP_NORM, "post_attention_norm"),
                    (AFTER_MLP, "post_ffw_norm"),
                ],
                QK_NORMS,
                LINEAR,
            ],
            ..gguf_names("olmo2", Self::from_gguf)
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
            NO_PADDING,
        ]
    }

    fn plan(&self) -> Plan {
        Plan {
            norms: BlockNorms {
                before_attention: None,
                after_attention: Some(MLP_NORM),
                before_mlp: None,
                after_mlp: Some(AFTER_MLP),
            },
            qk_norms: QkNorms::AllHeads,
            ..Plan::of(&self.shape)
        }
    }
}

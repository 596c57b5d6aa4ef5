//! Gemma 3, text (arXiv 2503.19786; `transformers` class `Gemma3ForCausalLM`).
//!
//! The decoder of `gated.rs` with much of its own: norms in front of and behind both halves of a block, which multiply by one
//! more than their weights; norms of each head's queries and keys; GELU in the place of SiLU; token embeddings times
//! `sqrt(d)`; a scale of queries by name. Local blocks have a sliding window and a rotary base of their own, global ones see
//! all. Soft tokens enter where scaled embeddings do, so they are as large as these.
//!
//! A GGUF file (`gemma3`) holds the weights of norms with the one added, and rows in the order of Hugging Face.

use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::config::keys::Keys;
use crate::config::layers::{each, sliding_from_hf, sliding_to_hf, validate_sliding};
use crate::config::rope::RopeKeys;
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, LARGEST_SIZE, validate_positive, validate_size};
use crate::gated::{ATTENTION_NORM, LINEAR, MLP_NORM, QK_NORMS, gguf_names, gguf_window};
use crate::gated::{BlockNorms, Defaults, GatedFamily, GatedShape, Plan, QkNorms, SightPlan};
use crate::gguf::GgufFile;
use crate::rope::stretch::Stretch;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;
use cpu_kernels::Activation;

#[cfg(test)]
mod tests;

const BEFORE_MLP: &str = "pre_feedforward_layernorm";
const AFTER_MLP: &str = "post_feedforward_layernorm";

const SPELLING: Spelling = Spelling {
    default_head_dim: Some(256),
    default_max_positions: Some(131_072),
    default_tied: true,
    ..Spelling::USUAL
};

/// Blocks from one global one to the next, where nothing else is said.
const PATTERN: usize = 6;

/// Base of local rotary frequencies, where nothing else is said.
const LOCAL_THETA: f64 = 10_000.0;

/// Shape of a Gemma 3. `rope_theta` and its scaling are those of global blocks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gemma3Config {
    shape: GatedShape,
    /// Base of the rotary frequencies of local blocks.
    rope_local_base_freq: f64,
    /// Positions that a token sees in local blocks.
    sliding_window: usize,
    /// Which blocks are local.
    sliding: Vec<bool>,
    /// Queries are divided by its root.
    query_pre_attn_scalar: f64,
}

impl Gemma3Config {
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        keys.must_be_null("gemma3.attn_logit_softcapping")?;
        keys.must_be_null("gemma3.final_logit_softcapping")?;
        let pattern = keys.optional_size("gemma3.attention.sliding_window_pattern")?;
        let mut shape = GatedShape::from_gguf(file, "gemma3")?;
        // The second names are those of Ollama's converter.
        let [global, local] = [
            ["gemma3.rope.freq_base", "gemma3.rope.global.freq_base"],
            ["gemma3.rope.freq_base_swa", "gemma3.rope.local.freq_base"],
        ];
        let theta = |[name, other]: [&str; 2]| match keys.optional_number(name)? {
            None => keys.optional_number(other),
            theta => Ok(theta),
        };
        let nothing = || keys.error(global[0], "nothing", "a number");
        shape.rope_theta = theta(global)?.ok_or_else(nothing)?;
        let local_theta = theta(local)?;
        let sizes = &shape.sizes;
        // No key names the scale; llama.cpp knows the model with 27 billion weights by its 62 blocks.
        let scalar = match sizes.num_layers {
            62 => sizes.hidden_size / sizes.num_heads.max(1),
            _ => sizes.head_dim,
        };
        let window = gguf_window(file, "gemma3")?;
        Ok(Self {
            rope_local_base_freq: local_theta.unwrap_or(LOCAL_THETA),
            sliding: match window {
                Some(_) => each(sizes.num_layers, by_pattern(pattern)),
                None => each(sizes.num_layers, |_| false),
            },
            sliding_window: window.unwrap_or(sizes.max_positions),
            query_pre_attn_scalar: scalar as f64,
            shape,
        })
    }
}

/// The last of each `pattern` blocks is global.
fn by_pattern(pattern: Option<usize>) -> impl Fn(usize) -> bool {
    let pattern = pattern.unwrap_or(PATTERN).max(1);
    move |i| !(i + 1).is_multiple_of(pattern)
}

/// `transformers` takes nothing but a whole number where the value is one.
fn whole(number: f64) -> Value {
    match number.fract() == 0.0 {
        true => json!(number as u64),
        false => json!(number),
    }
}

impl GatedFamily for Gemma3Config {
    const FACTS: Facts = Facts {
        model_type: "gemma3_text",
        class: "Gemma3ForCausalLM",
        spelling: &SPELLING,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be_false("attention_bias")?;
        keys.must_be_false("use_bidirectional_attention")?;
        keys.must_be("hidden_activation", "gelu_pytorch_tanh")?;
        keys.must_be_null("attn_logit_softcapping")?;
        keys.must_be_null("final_logit_softcapping")?;
        const DEFAULTS: Defaults = Defaults {
            rope_theta: 1e6,
            ..Defaults::USUAL
        };
        let global = RopeKeys::of_layers(keys, "full_attention", Stretch::SUPPORTED)?;
        global.require_whole_heads(keys)?;
        let rope = (global.theta, Stretch::from_hf(keys, &global)?);
        let shape = GatedShape::with_rope(keys, &SPELLING, DEFAULTS, rope)?;
        let local = RopeKeys::of_layers(keys, "sliding_attention", "`default`")?;
        local.require_whole_heads(keys)?;
        let local_theta = match local.of_these_layers {
            true => local.unstretched(keys)?,
            false => keys.optional_number("rope_local_base_freq")?,
        };
        let pattern = match keys.optional_size("sliding_window_pattern")? {
            None => keys.optional_size("_sliding_window_pattern")?,
            pattern => pattern,
        };
        let sliding = sliding_from_hf(keys, shape.sizes.num_layers, by_pattern(pattern))?;
        let scalar = keys.optional_number("query_pre_attn_scalar")?;
        Ok(Self {
            shape,
            rope_local_base_freq: local_theta.unwrap_or(LOCAL_THETA),
            sliding_window: keys.optional_size("sliding_window")?.unwrap_or(4096),
            sliding,
            query_pre_attn_scalar: scalar.unwrap_or(256.0),
        })
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            inside: &[
                &[
                    (ATTENTION_NORM, "attn_norm"),
                    (MLP_NORM, "post_attention_norm"),
                    (BEFORE_MLP, "ffn_norm"),
                    (AFTER_MLP, "post_ffw_norm"),
                ],
                QK_NORMS,
                LINEAR,
            ],
            norms_above_one: true,
            ..gguf_names("gemma3", Self::from_gguf)
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
            ("hidden_activation", json!("gelu_pytorch_tanh")),
            ("attention_bias", json!(false)),
            ("attn_logit_softcapping", Value::Null),
            ("final_logit_softcapping", Value::Null),
            ("rope_local_base_freq", json!(self.rope_local_base_freq)),
            ("query_pre_attn_scalar", whole(self.query_pre_attn_scalar)),
            ("sliding_window", json!(self.sliding_window)),
            sliding_to_hf(&self.sliding),
        ]
    }

    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        validate_positive(file, "rope_local_base_freq", self.rope_local_base_freq)?;
        validate_positive(file, "query_pre_attn_scalar", self.query_pre_attn_scalar)?;
        validate_size(file, "sliding_window", self.sliding_window, LARGEST_SIZE)?;
        validate_sliding(file, &self.sliding, self.shape.sizes.num_layers)
    }

    fn plan(&self) -> Plan {
        let global = SightPlan {
            rotation: Some(self.shape.rotation()),
            window: None,
        };
        let local = SightPlan {
            rotation: Some(self.shape.unstretched(self.rope_local_base_freq)),
            window: Some(self.sliding_window),
        };
        Plan {
            norms: BlockNorms {
                before_attention: Some(ATTENTION_NORM),
                after_attention: Some(MLP_NORM),
                before_mlp: Some(BEFORE_MLP),
                after_mlp: Some(AFTER_MLP),
            },
            norms_above_one: true,
            qk_norms: QkNorms::EachHead,
            score_scale: 1.0 / self.query_pre_attn_scalar.sqrt(),
            act: Activation::GeluTanh,
            embedding_scale: Some((self.shape.sizes.hidden_size as f64).sqrt() as f32),
            sights: vec![global, local],
            sight_of: self.sliding.iter().copied().map(usize::from).collect(),
            ..Plan::of(&self.shape)
        }
    }
}

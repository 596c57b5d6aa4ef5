//! Qwen3, dense (arXiv 2505.09388; `transformers` class `Qwen3ForCausalLM`), top to bottom.
//!
//! As Llama, but the width of a head is a size of its own, and queries and keys go through a norm over the numbers of each
//! head before they are rotated. A GGUF file holds them in the order of Hugging Face.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde_json::{Map, Value, json};

use super::{Decoder, DecoderConfig, Facts};
use crate::attention::{Context, attend};
use crate::cache::KvCache;
use crate::config::keys::Keys;
use crate::config::rope::RopeKeys;
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, LARGEST_SIZE, Sizes};
use crate::config::{key_error, validate_positive, validate_size};
use crate::gguf::GgufFile;
use crate::linear::{Embedding, Head, Linear};
use crate::loader::Loader;
use crate::mlp::GatedMlp;
use crate::model::HEAD;
use crate::norm::RmsNorm;
use crate::parts::parts;
use crate::rope::{Pairing, Rope, inverse_frequencies};
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

const EMBED: &str = "model.embed_tokens";
const NORM: &str = "model.norm";
const BLOCKS: &str = "model.layers";
const ATTENTION_NORM: &str = "input_layernorm";
const Q: &str = "self_attn.q_proj";
const Q_NORM: &str = "self_attn.q_norm";
const K: &str = "self_attn.k_proj";
const K_NORM: &str = "self_attn.k_norm";
const V: &str = "self_attn.v_proj";
const O: &str = "self_attn.o_proj";
const MLP_NORM: &str = "post_attention_layernorm";
const GATE: &str = "mlp.gate_proj";
const UP: &str = "mlp.up_proj";
const DOWN: &str = "mlp.down_proj";

const SPELLING: Spelling = Spelling {
    default_head_dim: Some(128),
    default_max_positions: Some(32_768),
    ..Spelling::USUAL
};

/// Shape of a Qwen3. Field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Qwen3Config {
    sizes: Sizes,
    /// Width inside the gated MLP.
    intermediate_size: usize,
    /// Epsilon of RMSNorm.
    rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    rope_theta: f64,
}

impl Qwen3Config {
    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        Ok(Self {
            sizes: Sizes::from_gguf(file, "qwen3")?,
            intermediate_size: keys.size("qwen3.feed_forward_length")?,
            rms_norm_eps: keys.number("qwen3.attention.layer_norm_rms_epsilon")?,
            rope_theta: keys
                .optional_number("qwen3.rope.freq_base")?
                .unwrap_or(10_000.0),
        })
    }
}

impl DecoderConfig for Qwen3Config {
    type Decoder = Qwen3;

    fn facts() -> Facts {
        Facts {
            model_type: "qwen3",
            class: "Qwen3ForCausalLM",
            spelling: &SPELLING,
        }
    }

    fn from_hf(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be_false("attention_bias")?;
        keys.must_be_false("use_sliding_window")?;
        keys.must_be("hidden_act", "silu")?;
        const SUPPORTED: &str = "`default`";
        let rope = RopeKeys::from_hf(keys, SUPPORTED)?;
        if let Some(scaling) = &rope.scaling {
            return Err(scaling.refuse(keys, SUPPORTED));
        }
        Ok(Self {
            sizes: Sizes::from_hf(keys, &SPELLING)?,
            intermediate_size: keys.size("intermediate_size")?,
            rms_norm_eps: keys.optional_number("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: rope.theta.unwrap_or(10_000.0),
        })
    }

    fn gguf() -> Option<GgufNames<Self>> {
        Some(GgufNames {
            architecture: "qwen3",
            read: Self::from_gguf,
            outside: &[
                (EMBED, "token_embd"),
                (NORM, "output_norm"),
                (HEAD, "output"),
            ],
            blocks: BLOCKS,
            inside: &[
                (ATTENTION_NORM, "attn_norm"),
                (Q, "attn_q"),
                (Q_NORM, "attn_q_norm"),
                (K, "attn_k"),
                (K_NORM, "attn_k_norm"),
                (V, "attn_v"),
                (O, "attn_output"),
                (MLP_NORM, "ffn_norm"),
                (GATE, "ffn_gate"),
                (UP, "ffn_up"),
                (DOWN, "ffn_down"),
            ],
            no_weights: &[],
            permuted_heads: |_, _| None,
        })
    }

    fn load(&self, weights: &Loader<'_>) -> Result<Qwen3, WeightError> {
        let Sizes {
            vocab_size: vocab,
            hidden_size: d,
            ..
        } = self.sizes;
        let layers = weights.blocks(BLOCKS, self.sizes.num_layers, |weights| {
            Qwen3Layer::load(self, weights)
        })?;
        let lm_head = match self.sizes.ties_embeddings {
            true => None,
            false => Some(weights.head(HEAD, [d, vocab])?),
        };
        let frequencies = inverse_frequencies(self.sizes.head_dim, self.rope_theta);
        let positions = self.sizes.max_positions;
        let device = weights.device();
        Ok(Qwen3 {
            embed_tokens: weights.embedding(EMBED, [vocab, d])?,
            layers,
            norm: weights.rms_norm(NORM, d, self.rms_norm_eps)?,
            lm_head,
            rope: Rope::new(&frequencies, positions, Pairing::HalfSplit, device),
        })
    }

    fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    fn sizes_mut(&mut self) -> &mut Sizes {
        &mut self.sizes
    }

    fn to_hf(&self) -> Map<String, Value> {
        let keys = [
            ("intermediate_size", json!(self.intermediate_size)),
            ("hidden_act", json!("silu")),
            ("rms_norm_eps", json!(self.rms_norm_eps)),
            ("rope_theta", json!(self.rope_theta)),
            ("rope_scaling", Value::Null),
            ("attention_bias", json!(false)),
            ("use_sliding_window", json!(false)),
        ];
        keys.map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect()
    }

    fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        let inner = self.intermediate_size;
        validate_size(file, "intermediate_size", inner, LARGEST_SIZE)?;
        validate_positive(file, "rms_norm_eps", self.rms_norm_eps)?;
        validate_positive(file, "rope_theta", self.rope_theta)?;
        let head_dim = self.sizes.head_dim;
        if !head_dim.is_multiple_of(2) {
            return Err(key_error(file, "head_dim", head_dim, "an even number"));
        }
        Ok(())
    }

    fn activations_per_token(&self, keys: usize) -> usize {
        let (queries, key) = (self.sizes.query_width(), self.sizes.key_width());
        // Queries and keys once more: their norms look at them again.
        let attention = 3 * queries + 3 * key + self.sizes.num_heads * keys;
        4 * self.sizes.hidden_size + attention + 3 * self.intermediate_size
    }
}

/// A decoder of `num_hidden_layers` blocks between an embedding and a head.
#[derive(Module, Debug)]
pub(crate) struct Qwen3 {
    embed_tokens: Embedding,
    layers: Vec<Qwen3Layer>,
    norm: RmsNorm,
    /// Absent where tied to the embedding.
    lm_head: Option<Head>,
    rope: Rope,
}

parts!(Qwen3: embed_tokens, layers, norm, lm_head);

impl Decoder for Qwen3 {
    fn embedding(&self) -> &Embedding {
        &self.embed_tokens
    }

    fn head(&self) -> Option<&Head> {
        self.lm_head.as_ref()
    }

    fn head_mut(&mut self) -> &mut Option<Head> {
        &mut self.lm_head
    }

    fn rope(&self) -> &Rope {
        &self.rope
    }

    fn device(&self) -> Device {
        self.norm.device()
    }

    fn block(
        &self,
        i: usize,
        x: Tensor<2>,
        context: &Context,
        cache: Option<&mut KvCache>,
    ) -> Tensor<2> {
        self.layers[i].forward(x, context, cache.map(|cache| (i, cache)))
    }

    fn norm(&self, x: Tensor<2>) -> Tensor<2> {
        self.norm.forward(x)
    }
}

/// `h = x + attention(norm(x)); y = h + mlp(norm(h))`.
#[derive(Module, Debug)]
pub(crate) struct Qwen3Layer {
    input_layernorm: RmsNorm,
    self_attn: Qwen3Attention,
    post_attention_layernorm: RmsNorm,
    mlp: GatedMlp,
}

parts!(Qwen3Layer: input_layernorm, self_attn, post_attention_layernorm, mlp);

impl Qwen3Layer {
    fn load(config: &Qwen3Config, weights: &Loader<'_>) -> Result<Self, WeightError> {
        let (d, epsilon) = (config.sizes.hidden_size, config.rms_norm_eps);
        let inner = config.intermediate_size;
        Ok(Self {
            input_layernorm: weights.rms_norm(ATTENTION_NORM, d, epsilon)?,
            self_attn: Qwen3Attention::load(config, weights)?,
            post_attention_layernorm: weights.rms_norm(MLP_NORM, d, epsilon)?,
            mlp: GatedMlp::load(weights, [GATE, UP, DOWN], [d, inner])?,
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let normed = self.input_layernorm.forward(x.clone());
        let h = x + self.self_attn.forward(normed, context, cache);
        let normed = self.post_attention_layernorm.forward(h.clone());
        h + self.mlp.forward(normed)
    }
}

/// Attention with rotary positions, grouped queries, and a norm of each head's queries and keys.
#[derive(Module, Debug)]
pub(crate) struct Qwen3Attention {
    /// `[d, heads * head_dim]`.
    q_proj: Linear,
    /// `[head_dim]`.
    q_norm: RmsNorm,
    /// `[d, kv_heads * head_dim]`.
    k_proj: Linear,
    /// `[head_dim]`.
    k_norm: RmsNorm,
    /// `[d, kv_heads * head_dim]`.
    v_proj: Linear,
    /// `[heads * head_dim, d]`.
    o_proj: Linear,
    head_dim: usize,
}

parts!(Qwen3Attention: q_proj, q_norm, k_proj, k_norm, v_proj, o_proj);

impl Qwen3Attention {
    fn load(config: &Qwen3Config, weights: &Loader<'_>) -> Result<Self, WeightError> {
        let sizes = &config.sizes;
        let (d, head_dim) = (sizes.hidden_size, sizes.head_dim);
        let (queries, keys) = (sizes.query_width(), sizes.key_width());
        Ok(Self {
            q_proj: weights.linear(Q, [d, queries])?,
            q_norm: weights.rms_norm(Q_NORM, head_dim, config.rms_norm_eps)?,
            k_proj: weights.linear(K, [d, keys])?,
            k_norm: weights.rms_norm(K_NORM, head_dim, config.rms_norm_eps)?,
            v_proj: weights.linear(V, [d, keys])?,
            o_proj: weights.linear(O, [queries, d])?,
            head_dim,
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let q = self.normed(self.q_proj.forward(x.clone()), &self.q_norm);
        let k = self.normed(self.k_proj.forward(x.clone()), &self.k_norm);
        let v = self.v_proj.forward(x);
        let [q, k, v] = [q, k, v].map(|y| context.heads(y, self.head_dim));
        let qkv = [context.rotate(q), context.rotate(k), v];
        self.o_proj.forward(attend(qkv, context, cache))
    }

    /// Each head by itself, `[n, heads * head_dim]` to the same.
    fn normed(&self, x: Tensor<2>, norm: &RmsNorm) -> Tensor<2> {
        let [n, width] = x.dims();
        let heads = x.reshape([n * width / self.head_dim, self.head_dim]);
        norm.forward(heads).reshape([n, width])
    }
}

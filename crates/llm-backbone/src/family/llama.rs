//! Llama (arXiv 2302.13971; grouped queries as in Llama 2, RoPE scaling as in Llama 3), top to bottom.
//!
//! Also runs models that share the architecture, such as SmolLM2. Weights live in the Hugging Face layout.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
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
const K: &str = "self_attn.k_proj";
const V: &str = "self_attn.v_proj";
const O: &str = "self_attn.o_proj";
const MLP_NORM: &str = "post_attention_layernorm";
const GATE: &str = "mlp.gate_proj";
const UP: &str = "mlp.up_proj";
const DOWN: &str = "mlp.down_proj";

/// The tensor of a GGUF file that holds the divisors of Llama 3's rotary frequencies.
const ROPE_DIVISORS: &str = "rope_freqs.weight";

/// Shape of a Llama. Field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LlamaConfig {
    sizes: Sizes,
    /// Width inside the gated MLP.
    intermediate_size: usize,
    /// Epsilon of RMSNorm.
    rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    rope_theta: f64,
    /// Llama 3 stretching of the rotary frequencies, if the model uses it.
    rope_scaling: Option<Llama3Scaling>,
}

impl LlamaConfig {
    pub(super) fn from_scratch(sizes: Sizes, intermediate_size: usize) -> Self {
        Self {
            sizes,
            intermediate_size,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: None,
        }
    }

    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        let mut config = Self {
            sizes: Sizes::from_gguf(file, "llama")?,
            intermediate_size: keys.size("llama.feed_forward_length")?,
            rms_norm_eps: keys.number("llama.attention.layer_norm_rms_epsilon")?,
            rope_theta: keys
                .optional_number("llama.rope.freq_base")?
                .unwrap_or(10_000.0),
            rope_scaling: None,
        };
        config.rope_scaling = Llama3Scaling::from_gguf(file, &config)?;
        Ok(config)
    }

    /// The heads of a module whose rows a GGUF file has in another order.
    fn permuted_heads(&self, module: &str) -> Option<usize> {
        match module {
            Q => Some(self.sizes.num_heads),
            K => Some(self.sizes.num_kv_heads),
            _ => None,
        }
    }
}

impl DecoderConfig for LlamaConfig {
    type Decoder = Llama;

    fn facts() -> Facts {
        Facts {
            model_type: "llama",
            class: "LlamaForCausalLM",
            spelling: &Spelling::USUAL,
        }
    }

    fn from_hf(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be_false("attention_bias")?;
        keys.must_be_false("mlp_bias")?;
        keys.must_be("hidden_act", "silu")?;
        const SUPPORTED: &str = "`default` or `llama3`";
        let rope = RopeKeys::from_hf(keys, SUPPORTED)?;
        let rope_scaling = match &rope.scaling {
            None => None,
            Some(scaling) if scaling.kind == "llama3" => {
                let numbers = Llama3Scaling::deserialize(scaling.table);
                let expected = "the four numbers of `llama3`";
                Some(numbers.map_err(|error| keys.error(scaling.key, error, expected))?)
            }
            Some(scaling) => return Err(scaling.refuse(keys, SUPPORTED)),
        };
        Ok(Self {
            sizes: Sizes::from_hf(keys, &Spelling::USUAL)?,
            intermediate_size: keys.size("intermediate_size")?,
            rms_norm_eps: keys.optional_number("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: rope.theta.unwrap_or(10_000.0),
            rope_scaling,
        })
    }

    fn gguf() -> Option<GgufNames<Self>> {
        Some(GgufNames {
            architecture: "llama",
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
                (K, "attn_k"),
                (V, "attn_v"),
                (O, "attn_output"),
                (MLP_NORM, "ffn_norm"),
                (GATE, "ffn_gate"),
                (UP, "ffn_up"),
                (DOWN, "ffn_down"),
            ],
            no_weights: &[ROPE_DIVISORS],
            permuted_heads: Self::permuted_heads,
        })
    }

    fn load(&self, weights: &Loader<'_>) -> Result<Llama, WeightError> {
        let Sizes {
            vocab_size: vocab,
            hidden_size: d,
            ..
        } = self.sizes;
        let layers = weights.blocks(BLOCKS, self.sizes.num_layers, |weights| {
            LlamaLayer::load(self, weights)
        })?;
        let lm_head = match self.sizes.ties_embeddings {
            true => None,
            false => Some(weights.head(HEAD, [d, vocab])?),
        };
        let mut frequencies = inverse_frequencies(self.sizes.head_dim, self.rope_theta);
        if let Some(scaling) = &self.rope_scaling {
            let divisors = scaling.divisors(self.rope_theta, self.sizes.head_dim);
            for (frequency, divisor) in frequencies.iter_mut().zip(divisors) {
                *frequency /= divisor;
            }
        }
        let positions = self.sizes.max_positions;
        let device = weights.device();
        Ok(Llama {
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
        let scaling = self.rope_scaling.map(|scaling| {
            json!({
                "rope_type": "llama3",
                "factor": scaling.factor,
                "low_freq_factor": scaling.low_freq_factor,
                "high_freq_factor": scaling.high_freq_factor,
                "original_max_position_embeddings": scaling.original_max_position_embeddings,
            })
        });
        let keys = [
            ("intermediate_size", json!(self.intermediate_size)),
            ("hidden_act", json!("silu")),
            ("rms_norm_eps", json!(self.rms_norm_eps)),
            ("rope_theta", json!(self.rope_theta)),
            ("rope_scaling", json!(scaling)),
            ("attention_bias", json!(false)),
            ("mlp_bias", json!(false)),
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
        self.rope_scaling
            .as_ref()
            .map_or(Ok(()), |scaling| scaling.validate(file))
    }

    fn activations_per_token(&self, keys: usize) -> usize {
        let (queries, key) = (self.sizes.query_width(), self.sizes.key_width());
        let attention = 2 * queries + 2 * key + self.sizes.num_heads * keys;
        4 * self.sizes.hidden_size + attention + 3 * self.intermediate_size
    }
}

/// Llama 3 RoPE scaling: low frequencies are divided by `factor`, high ones kept, those between interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Llama3Scaling {
    /// Divisor of the low frequencies.
    factor: f64,
    /// Wavelengths above `original_max_position_embeddings / low_freq_factor` count as low frequencies.
    low_freq_factor: f64,
    /// Wavelengths below `original_max_position_embeddings / high_freq_factor` count as high frequencies.
    high_freq_factor: f64,
    /// Context length before stretching.
    original_max_position_embeddings: usize,
}

impl Llama3Scaling {
    /// The divisor of each rotary frequency, `[head_dim / 2]`.
    ///
    /// The rule is that of `transformers` (`_compute_llama3_parameters`); a GGUF file stores exactly these numbers as
    /// `rope_freqs.weight`.
    fn divisors(&self, rope_theta: f64, head_dim: usize) -> Vec<f64> {
        let original = self.original_max_position_embeddings as f64;
        let divisor = |frequency: f64| {
            let wavelength = std::f64::consts::TAU / frequency;
            if wavelength < original / self.high_freq_factor {
                1.0
            } else if wavelength > original / self.low_freq_factor {
                self.factor
            } else {
                let smooth = (original / wavelength - self.low_freq_factor)
                    / (self.high_freq_factor - self.low_freq_factor);
                1.0 / ((1.0 - smooth) / self.factor + smooth)
            }
        };
        let frequencies = inverse_frequencies(head_dim, rope_theta);
        frequencies.into_iter().map(divisor).collect()
    }

    /// What the divisors in a GGUF file come from.
    ///
    /// Every published Llama 3 uses frequency factors 1 and 4 over an original context of 8192; only `factor` differs. So
    /// the largest divisor is the factor, and the rest must then agree.
    fn from_gguf(file: &GgufFile, config: &LlamaConfig) -> Result<Option<Self>, WeightError> {
        let Some(tensor) = file.tensor(ROPE_DIVISORS) else {
            return Ok(None);
        };
        let stored = file.read(tensor)?;
        let scaling = Self {
            factor: stored.iter().copied().fold(1.0, f32::max).into(),
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        let expected = scaling.divisors(config.rope_theta, config.sizes.head_dim);
        let agrees = |(stored, expected): (&f32, &f64)| {
            (f64::from(*stored) - expected).abs() <= 1e-3 * expected.abs()
        };
        if stored.len() == expected.len() && stored.iter().zip(&expected).all(agrees) {
            return Ok((scaling.factor > 1.0).then_some(scaling));
        }
        Err(WeightError::unsupported(
            file.path(),
            format!("tensor `{ROPE_DIVISORS}`"),
            format!("other divisors (largest {})", scaling.factor),
            "those of Llama 3 (frequency factors 1 and 4, original context 8192)",
        ))
    }

    fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        validate_positive(file, "rope_scaling.factor", self.factor)?;
        validate_positive(file, "rope_scaling.low_freq_factor", self.low_freq_factor)?;
        let high = "rope_scaling.high_freq_factor";
        validate_positive(file, high, self.high_freq_factor)?;
        validate_size(
            file,
            "rope_scaling.original_max_position_embeddings",
            self.original_max_position_embeddings,
            LARGEST_SIZE,
        )?;
        if self.high_freq_factor <= self.low_freq_factor {
            let expected = format!("more than low_freq_factor {}", self.low_freq_factor);
            return Err(key_error(file, high, self.high_freq_factor, expected));
        }
        Ok(())
    }
}

/// A decoder of `num_hidden_layers` blocks between an embedding and a head.
#[derive(Module, Debug)]
pub(crate) struct Llama {
    embed_tokens: Embedding,
    layers: Vec<LlamaLayer>,
    norm: RmsNorm,
    /// Absent where tied to the embedding.
    lm_head: Option<Head>,
    rope: Rope,
}

parts!(Llama: embed_tokens, layers, norm, lm_head);

impl Decoder for Llama {
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
pub(crate) struct LlamaLayer {
    input_layernorm: RmsNorm,
    self_attn: LlamaAttention,
    post_attention_layernorm: RmsNorm,
    mlp: GatedMlp,
}

parts!(LlamaLayer: input_layernorm, self_attn, post_attention_layernorm, mlp);

impl LlamaLayer {
    fn load(config: &LlamaConfig, weights: &Loader<'_>) -> Result<Self, WeightError> {
        let (d, epsilon) = (config.sizes.hidden_size, config.rms_norm_eps);
        let inner = config.intermediate_size;
        Ok(Self {
            input_layernorm: weights.rms_norm(ATTENTION_NORM, d, epsilon)?,
            self_attn: LlamaAttention::load(&config.sizes, weights)?,
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

/// Attention with rotary positions and grouped queries.
#[derive(Module, Debug)]
pub(crate) struct LlamaAttention {
    /// `[d, heads * head_dim]`.
    q_proj: Linear,
    /// `[d, kv_heads * head_dim]`.
    k_proj: Linear,
    /// `[d, kv_heads * head_dim]`.
    v_proj: Linear,
    /// `[heads * head_dim, d]`.
    o_proj: Linear,
    head_dim: usize,
}

parts!(LlamaAttention: q_proj, k_proj, v_proj, o_proj);

impl LlamaAttention {
    fn load(sizes: &Sizes, weights: &Loader<'_>) -> Result<Self, WeightError> {
        let d = sizes.hidden_size;
        let (queries, keys) = (sizes.query_width(), sizes.key_width());
        Ok(Self {
            q_proj: weights.linear(Q, [d, queries])?,
            k_proj: weights.linear(K, [d, keys])?,
            v_proj: weights.linear(V, [d, keys])?,
            o_proj: weights.linear(O, [queries, d])?,
            head_dim: sizes.head_dim,
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let heads = |y| context.heads(y, self.head_dim);
        let q = context.rotate(heads(self.q_proj.forward(x.clone())));
        let k = context.rotate(heads(self.k_proj.forward(x.clone())));
        let v = heads(self.v_proj.forward(x));
        self.o_proj.forward(attend([q, k, v], context, cache))
    }
}

//! GPT-J (kingoflolz/mesh-transformer-jax; `transformers` class `GPTJForCausalLM`), top to bottom.
//!
//! One norm feeds attention and feed-forward, whose outputs are added to the stream together. Rotary positions turn
//! adjacent pairs of the first `rotary_dim` dimensions of each head. The feed-forward layers and the head have biases.
//! No convention for GGUF files is in use.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::gelu_approximate;
use burn::tensor::{Device, Tensor};
use cpu_kernels::KEPT_OF_ROW;
use serde_json::{Map, Value, json};

use super::{Decoder, DecoderConfig, Facts};
use crate::attention::{Context, Sight, attend, usual_scale};
use crate::cache::KvCache;
use crate::config::keys::Keys;
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, LARGEST_SIZE, Sizes};
use crate::config::{key_error, validate_positive, validate_size};
use crate::linear::{Embedding, Head, Linear};
use crate::loader::Loader;
use crate::model::HEAD;
use crate::norm::LayerNorm;
use crate::packed::SharedInput;
use crate::parts::parts;
use crate::rope::{Pairing, Rope, inverse_frequencies};
use crate::weights::WeightError;

#[cfg(test)]
mod tests;

const EMBED: &str = "transformer.wte";
const NORM: &str = "transformer.ln_f";
const BLOCKS: &str = "transformer.h";
const BLOCK_NORM: &str = "ln_1";
const Q: &str = "attn.q_proj";
const K: &str = "attn.k_proj";
const V: &str = "attn.v_proj";
const OUT: &str = "attn.out_proj";
const FC_IN: &str = "mlp.fc_in";
const FC_OUT: &str = "mlp.fc_out";

const SPELLING: Spelling = Spelling {
    hidden_size: "n_embd",
    num_layers: "n_layer",
    num_heads: "n_head",
    num_kv_heads: None,
    head_dim: None,
    default_head_dim: None,
    max_positions: "n_positions",
    default_max_positions: None,
    default_tied: false,
};

/// Shape of a GPT-J. Field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GptJConfig {
    sizes: Sizes,
    /// Width inside the MLP, `4 * n_embd` unless the file says otherwise.
    n_inner: usize,
    /// Leading dimensions of a head that are rotated.
    rotary_dim: usize,
    /// Epsilon of LayerNorm.
    layer_norm_epsilon: f64,
}

impl DecoderConfig for GptJConfig {
    type Decoder = GptJ;

    fn facts() -> Facts {
        Facts {
            model_type: "gptj",
            class: "GPTJForCausalLM",
            spelling: &SPELLING,
        }
    }

    fn from_hf(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        keys.must_be("activation_function", "gelu_new")?;
        let sizes = Sizes::from_hf(keys, &SPELLING)?;
        let epsilon = keys.optional_number("layer_norm_epsilon")?;
        Ok(Self {
            n_inner: keys
                .optional_size("n_inner")?
                .unwrap_or(sizes.hidden_size.saturating_mul(4)),
            rotary_dim: keys.size("rotary_dim")?,
            layer_norm_epsilon: epsilon.unwrap_or(1e-5),
            sizes,
        })
    }

    fn load(&self, weights: &Loader<'_>) -> Result<GptJ, WeightError> {
        let Sizes {
            vocab_size: vocab,
            hidden_size: d,
            ..
        } = self.sizes;
        let h = weights.blocks(BLOCKS, self.sizes.num_layers, |weights| {
            GptJBlock::load(self, weights)
        })?;
        let lm_head = match self.sizes.ties_embeddings {
            true => None,
            false => Some(weights.head_with_bias(HEAD, [d, vocab])?),
        };
        let frequencies = inverse_frequencies(self.rotary_dim, 10000.0);
        let positions = self.sizes.max_positions;
        let device = weights.device();
        let rope = Rope::new(&frequencies, positions, Pairing::Interleaved, device);
        Ok(GptJ {
            wte: weights.embedding(EMBED, [vocab, d])?,
            h,
            ln_f: weights.layer_norm(NORM, d, self.layer_norm_epsilon)?,
            lm_head,
            sights: vec![Sight::whole(rope)],
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
            ("n_inner", json!(self.n_inner)),
            ("rotary_dim", json!(self.rotary_dim)),
            ("layer_norm_epsilon", json!(self.layer_norm_epsilon)),
            ("activation_function", json!("gelu_new")),
        ];
        keys.map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect()
    }

    fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        validate_size(file, "n_inner", self.n_inner, LARGEST_SIZE)?;
        validate_size(file, "rotary_dim", self.rotary_dim, LARGEST_SIZE)?;
        validate_positive(file, "layer_norm_epsilon", self.layer_norm_epsilon)?;
        let head_dim = self.sizes.head_dim;
        if !self.rotary_dim.is_multiple_of(2) || self.rotary_dim > head_dim {
            let expected = format!("an even number of at most n_embd / n_head = {head_dim}");
            return Err(key_error(file, "rotary_dim", self.rotary_dim, expected));
        }
        Ok(())
    }

    fn activations_per_token(&self) -> usize {
        let d = self.sizes.hidden_size;
        let attention = 5 * d + KEPT_OF_ROW * self.sizes.num_heads;
        4 * d + attention + 6 * self.n_inner
    }
}

/// A decoder of `n_layer` parallel blocks between an embedding and a head.
#[derive(Module, Debug)]
pub(crate) struct GptJ {
    wte: Embedding,
    h: Vec<GptJBlock>,
    ln_f: LayerNorm,
    /// With bias; absent where tied to the embedding.
    lm_head: Option<Head>,
    sights: Vec<Sight>,
}

parts!(GptJ: wte, h, ln_f, lm_head);

impl Decoder for GptJ {
    fn embedding(&self) -> &Embedding {
        &self.wte
    }

    fn head(&self) -> Option<&Head> {
        self.lm_head.as_ref()
    }

    fn head_mut(&mut self) -> &mut Option<Head> {
        &mut self.lm_head
    }

    fn sights(&self) -> &[Sight] {
        &self.sights
    }

    fn device(&self) -> Device {
        self.ln_f.device()
    }

    fn block(
        &self,
        i: usize,
        x: Tensor<2>,
        context: &Context,
        cache: Option<&mut KvCache>,
    ) -> Tensor<2> {
        self.h[i].forward(x, context, cache.map(|cache| (i, cache)))
    }

    fn norm(&self, x: Tensor<2>) -> Tensor<2> {
        self.ln_f.forward(x)
    }
}

/// `y = x + attention(norm(x)) + mlp(norm(x))`.
#[derive(Module, Debug)]
pub(crate) struct GptJBlock {
    ln_1: LayerNorm,
    attn: GptJAttention,
    mlp: GptJMlp,
}

parts!(GptJBlock: ln_1, attn, mlp);

impl GptJBlock {
    fn load(config: &GptJConfig, weights: &Loader<'_>) -> Result<Self, WeightError> {
        let (d, inner) = (config.sizes.hidden_size, config.n_inner);
        Ok(Self {
            ln_1: weights.layer_norm(BLOCK_NORM, d, config.layer_norm_epsilon)?,
            attn: GptJAttention {
                q_proj: weights.linear(Q, [d, d])?,
                k_proj: weights.linear(K, [d, d])?,
                v_proj: weights.linear(V, [d, d])?,
                out_proj: weights.linear(OUT, [d, d])?,
                head_dim: config.sizes.head_dim,
            },
            mlp: GptJMlp {
                fc_in: weights.linear_with_bias(FC_IN, [d, inner])?,
                fc_out: weights.linear_with_bias(FC_OUT, [inner, d])?,
            },
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let normed = self.ln_1.forward(x.clone());
        let attended = self.attn.forward(normed.clone(), context, cache);
        x + attended + self.mlp.forward(normed)
    }
}

/// Attention with partial, interleaved rotary positions; no biases.
#[derive(Module, Debug)]
pub(crate) struct GptJAttention {
    /// `[d, d]`.
    q_proj: Linear,
    /// `[d, d]`.
    k_proj: Linear,
    /// `[d, d]`.
    v_proj: Linear,
    /// `[d, d]`.
    out_proj: Linear,
    head_dim: usize,
}

parts!(GptJAttention: q_proj, k_proj, v_proj, out_proj);

impl GptJAttention {
    fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let input = SharedInput::default();
        let layers = [&self.q_proj, &self.k_proj, &self.v_proj];
        let [q, k, v] = layers.map(|layer| {
            let y = layer.forward_of(x.clone(), &input);
            context.heads(y, self.head_dim)
        });
        let (q, k) = (context.rotate(q), context.rotate(k));
        let scale = usual_scale(self.head_dim);
        let seen = attend([q, k, v], scale, context, cache);
        self.out_proj.forward(seen)
    }
}

/// `fc_out(gelu(fc_in(x)))` with the tanh form of GELU.
#[derive(Module, Debug)]
pub(crate) struct GptJMlp {
    /// `[d, inner]`.
    fc_in: Linear,
    /// `[inner, d]`.
    fc_out: Linear,
}

parts!(GptJMlp: fc_in, fc_out);

impl GptJMlp {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.fc_out.forward(gelu_approximate(self.fc_in.forward(x)))
    }
}

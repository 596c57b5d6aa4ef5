//! Llama (arXiv 2302.13971; grouped queries as in Llama 2, RoPE scaling as in Llama 3), top to bottom.
//!
//! Also runs models that share the architecture, such as SmolLM2. Weights live in the Hugging Face layout, transposed.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor};

use crate::attention::attend;
use crate::cache::KvCache;
use crate::config::LlamaConfig;
use crate::fused::{rms_norm, swiglu};
use crate::linear::{Embedding, Layer, Linear, Matrix, Part, cast_if_needed, frozen};
use crate::model::Weights;
use crate::rope::{Pairing, Rope, RopeRows, inverse_frequencies};
use crate::weights::WeightError;

/// A decoder of `num_hidden_layers` blocks between an embedding and a head.
#[derive(Module, Debug)]
pub struct Llama {
    /// `[vocab, d]`; also the head where the two are tied.
    pub embed_tokens: Embedding,
    /// The blocks.
    pub layers: Vec<LlamaLayer>,
    /// The final norm.
    pub norm: RmsNorm,
    /// `[d, vocab]`; absent where tied to the embedding.
    pub lm_head: Option<Linear>,
    rope: Rope,
}

/// `x / sqrt(mean(x^2) + epsilon) * gamma`, computed in f32.
#[derive(Module, Debug)]
pub struct RmsNorm {
    gamma: Param<Tensor<1>>,
    epsilon: f64,
}

/// `h = x + attention(norm(x)); y = h + mlp(norm(h))`.
#[derive(Module, Debug)]
pub struct LlamaLayer {
    input_layernorm: RmsNorm,
    /// Attention.
    pub self_attn: LlamaAttention,
    post_attention_layernorm: RmsNorm,
    /// Feed-forward.
    pub mlp: LlamaMlp,
}

/// Attention with rotary positions and grouped queries.
#[derive(Module, Debug)]
pub struct LlamaAttention {
    /// `[d, heads * head_dim]`.
    pub q_proj: Linear,
    /// `[d, kv_heads * head_dim]`.
    pub k_proj: Linear,
    /// `[d, kv_heads * head_dim]`.
    pub v_proj: Linear,
    /// `[heads * head_dim, d]`.
    pub o_proj: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

/// `down(silu(gate(x)) * up(x))`.
#[derive(Module, Debug)]
pub struct LlamaMlp {
    /// `[d, intermediate]`.
    pub gate_proj: Linear,
    /// `[d, intermediate]`.
    pub up_proj: Linear,
    /// `[intermediate, d]`.
    pub down_proj: Linear,
}

impl Llama {
    /// Reads the weights of `config` from `weights`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape, naming file and tensor.
    pub fn load(
        config: &LlamaConfig,
        weights: &Weights<'_>,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let (d, vocab) = (config.hidden_size, config.vocab_size);
        let norm = |name: String| -> Result<RmsNorm, WeightError> {
            Ok(RmsNorm {
                gamma: frozen(weights.vector(&name, d)?),
                epsilon: config.rms_norm_eps,
            })
        };
        let layers = (0..config.num_hidden_layers)
            .map(|i| {
                let p = format!("model.layers.{i}");
                Ok(LlamaLayer {
                    input_layernorm: norm(format!("{p}.input_layernorm.weight"))?,
                    self_attn: LlamaAttention::load(config, weights, &format!("{p}.self_attn"))?,
                    post_attention_layernorm: norm(format!("{p}.post_attention_layernorm.weight"))?,
                    mlp: LlamaMlp::load(config, weights, &format!("{p}.mlp"))?,
                })
            })
            .collect::<Result<_, WeightError>>()?;
        let lm_head = if config.tie_word_embeddings {
            None
        } else {
            Some(weights.linear("lm_head", [d, vocab], false)?)
        };
        let mut frequencies = inverse_frequencies(config.head_dim, config.rope_theta);
        if let Some(scaling) = &config.rope_scaling {
            let divisors = scaling.divisors(config.rope_theta, config.head_dim);
            for (frequency, divisor) in frequencies.iter_mut().zip(divisors) {
                *frequency /= divisor;
            }
        }
        let positions = config.max_position_embeddings;
        Ok(Self {
            embed_tokens: Embedding::new(weights.matrix("model.embed_tokens.weight", [vocab, d])?),
            layers,
            norm: norm("model.norm.weight".into())?,
            lm_head,
            rope: Rope::new(&frequencies, positions, Pairing::HalfSplit, device),
        })
    }

    /// Cosines and sines of `positions`, `[batch, seq]`.
    pub(crate) fn rope(&self, positions: Tensor<2, Int>) -> RopeRows {
        self.rope.rows(positions)
    }

    /// The block of index `i`, `[batch * seq, d]` to the same; `bias` is `[batch, 1, seq, keys]` in f32.
    pub(crate) fn block(
        &self,
        i: usize,
        x: Tensor<2>,
        rope: &RopeRows,
        bias: &Tensor<4>,
        cache: Option<&mut KvCache>,
    ) -> Tensor<2> {
        self.layers[i].forward(x, rope, bias, cache.map(|cache| (i, cache)))
    }

    /// The head's matrix, `[vocab, d]`.
    pub(crate) fn head(&self) -> &Matrix {
        match &self.lm_head {
            Some(head) => &head.weight,
            None => &self.embed_tokens.weight,
        }
    }

    /// The device of the weights.
    pub(crate) fn device(&self) -> Device {
        self.norm.gamma.val().device()
    }

    /// Every layer an adapter can be put on, with its Hugging Face module name.
    pub(crate) fn layers(&mut self) -> Vec<(String, Layer<'_>)> {
        let mut all = vec![(
            "model.embed_tokens".to_string(),
            Layer::Embedding(&mut self.embed_tokens),
        )];
        for (i, layer) in self.layers.iter_mut().enumerate() {
            let (attn, mlp) = (&mut layer.self_attn, &mut layer.mlp);
            for (name, linear) in [
                ("self_attn.q_proj", &mut attn.q_proj),
                ("self_attn.k_proj", &mut attn.k_proj),
                ("self_attn.v_proj", &mut attn.v_proj),
                ("self_attn.o_proj", &mut attn.o_proj),
                ("mlp.gate_proj", &mut mlp.gate_proj),
                ("mlp.up_proj", &mut mlp.up_proj),
                ("mlp.down_proj", &mut mlp.down_proj),
            ] {
                all.push((format!("model.layers.{i}.{name}"), Layer::Linear(linear)));
            }
        }
        all
    }

    /// Every weight with its Hugging Face name, for export.
    pub(crate) fn parts(&self) -> Vec<(String, Part<'_>)> {
        let mut all = vec![(
            "model.embed_tokens.weight".to_string(),
            Part::Matrix(&self.embed_tokens.weight),
        )];
        for (i, l) in self.layers.iter().enumerate() {
            let p = format!("model.layers.{i}");
            for (name, linear) in [
                ("self_attn.q_proj", &l.self_attn.q_proj),
                ("self_attn.k_proj", &l.self_attn.k_proj),
                ("self_attn.v_proj", &l.self_attn.v_proj),
                ("self_attn.o_proj", &l.self_attn.o_proj),
                ("mlp.gate_proj", &l.mlp.gate_proj),
                ("mlp.up_proj", &l.mlp.up_proj),
                ("mlp.down_proj", &l.mlp.down_proj),
            ] {
                all.push((format!("{p}.{name}.weight"), Part::Matrix(&linear.weight)));
            }
            for (name, norm) in [
                ("input_layernorm", &l.input_layernorm),
                ("post_attention_layernorm", &l.post_attention_layernorm),
            ] {
                all.push((format!("{p}.{name}.weight"), Part::Vector(&norm.gamma)));
            }
        }
        all.push(("model.norm.weight".into(), Part::Vector(&self.norm.gamma)));
        if let Some(head) = &self.lm_head {
            all.push(("lm_head.weight".into(), Part::Matrix(&head.weight)));
        }
        all
    }
}

impl RmsNorm {
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let dtype = x.dtype();
        let [x, gamma] = [x, self.gamma.val().unsqueeze()].map(|t| cast_if_needed(t, DType::F32));
        cast_if_needed(rms_norm(x, gamma, self.epsilon), dtype)
    }
}

impl LlamaLayer {
    fn forward(
        &self,
        x: Tensor<2>,
        rope: &RopeRows,
        bias: &Tensor<4>,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let attended =
            self.self_attn
                .forward(self.input_layernorm.forward(x.clone()), rope, bias, cache);
        let h = x + attended;
        let fed = self
            .mlp
            .forward(self.post_attention_layernorm.forward(h.clone()));
        h + fed
    }
}

impl LlamaAttention {
    fn load(config: &LlamaConfig, weights: &Weights<'_>, p: &str) -> Result<Self, WeightError> {
        let (d, head_dim) = (config.hidden_size, config.head_dim);
        let (heads, kv_heads) = (config.num_attention_heads, config.num_key_value_heads);
        let linear = |name: &str, shape| weights.linear(&format!("{p}.{name}"), shape, false);
        Ok(Self {
            q_proj: linear("q_proj", [d, heads * head_dim])?,
            k_proj: linear("k_proj", [d, kv_heads * head_dim])?,
            v_proj: linear("v_proj", [d, kv_heads * head_dim])?,
            o_proj: linear("o_proj", [heads * head_dim, d])?,
            heads,
            kv_heads,
            head_dim,
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        rope: &RopeRows,
        bias: &Tensor<4>,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let [batch, _, seq, _] = bias.dims();
        let split = |y: Tensor<2>, heads| {
            y.reshape([batch, seq, heads, self.head_dim])
                .swap_dims(1, 2)
        };
        let q = rope.rotate(split(self.q_proj.forward(x.clone()), self.heads));
        let k = rope.rotate(split(self.k_proj.forward(x.clone()), self.kv_heads));
        let v = split(self.v_proj.forward(x), self.kv_heads);
        let (k, v) = match cache {
            Some((layer, cache)) => cache.append(layer, k, v),
            None => (k, v),
        };
        self.o_proj.forward(attend(q, k, v, bias))
    }
}

impl LlamaMlp {
    fn load(config: &LlamaConfig, weights: &Weights<'_>, p: &str) -> Result<Self, WeightError> {
        let (d, m) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            gate_proj: weights.linear(&format!("{p}.gate_proj"), [d, m], false)?,
            up_proj: weights.linear(&format!("{p}.up_proj"), [d, m], false)?,
            down_proj: weights.linear(&format!("{p}.down_proj"), [m, d], false)?,
        })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate = self.gate_proj.forward(x.clone());
        let up = self.up_proj.forward(x);
        self.down_proj.forward(swiglu(gate, up))
    }
}

//! GPT-J (kingoflolz/mesh-transformer-jax; `transformers` class `GPTJForCausalLM`), top to bottom.
//!
//! One norm feeds attention and feed-forward, whose outputs are added to the stream together. Rotary positions turn
//! adjacent pairs of the first `rotary_dim` dimensions of each head. The feed-forward layers and the head have biases.

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::nn::LayerNormConfig;
use burn::tensor::activation::gelu_approximate;
use burn::tensor::{Device, Int, Tensor};

use crate::attention::attend;
use crate::cache::KvCache;
use crate::config::GptJConfig;
use crate::linear::{Embedding, Layer, Linear, Matrix, Part, frozen};
use crate::model::Weights;
use crate::rope::{Pairing, Rope, RopeRows, inverse_frequencies};
use crate::weights::WeightError;

/// A decoder of `n_layer` parallel blocks between an embedding and a head.
#[derive(Module, Debug)]
pub struct GptJ {
    /// `[vocab, d]`.
    pub wte: Embedding,
    /// The blocks.
    pub h: Vec<GptJBlock>,
    pub(crate) ln_f: LayerNorm,
    /// `[d, vocab]` with bias; absent where tied to the embedding.
    pub lm_head: Option<Linear>,
    rope: Rope,
}

/// `y = x + attention(norm(x)) + mlp(norm(x))`.
#[derive(Module, Debug)]
pub struct GptJBlock {
    ln_1: LayerNorm,
    /// Attention.
    pub attn: GptJAttention,
    /// Feed-forward.
    pub mlp: GptJMlp,
}

/// Attention with partial, interleaved rotary positions; no biases.
#[derive(Module, Debug)]
pub struct GptJAttention {
    /// `[d, d]`.
    pub q_proj: Linear,
    /// `[d, d]`.
    pub k_proj: Linear,
    /// `[d, d]`.
    pub v_proj: Linear,
    /// `[d, d]`.
    pub out_proj: Linear,
    heads: usize,
}

/// `fc_out(gelu(fc_in(x)))` with the tanh form of GELU.
#[derive(Module, Debug)]
pub struct GptJMlp {
    /// `[d, inner]`.
    pub fc_in: Linear,
    /// `[inner, d]`.
    pub fc_out: Linear,
}

impl GptJ {
    /// Reads the weights of `config` from `weights`.
    ///
    /// # Errors
    /// A missing tensor or one of another shape, naming file and tensor.
    pub fn load(
        config: &GptJConfig,
        weights: &Weights<'_>,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let (d, vocab) = (config.n_embd, config.vocab_size);
        let norm = |name: String| -> Result<LayerNorm, WeightError> {
            let mut norm = LayerNormConfig::new(d)
                .with_epsilon(config.layer_norm_epsilon)
                .init(device);
            norm.gamma = frozen(weights.vector(&format!("{name}.weight"), d)?);
            norm.beta = Some(frozen(weights.vector(&format!("{name}.bias"), d)?));
            Ok(norm)
        };
        let h = (0..config.n_layer)
            .map(|i| {
                let p = format!("transformer.h.{i}");
                let attn = |name: &str| weights.linear(&format!("{p}.attn.{name}"), [d, d], false);
                Ok(GptJBlock {
                    ln_1: norm(format!("{p}.ln_1"))?,
                    attn: GptJAttention {
                        q_proj: attn("q_proj")?,
                        k_proj: attn("k_proj")?,
                        v_proj: attn("v_proj")?,
                        out_proj: attn("out_proj")?,
                        heads: config.n_head,
                    },
                    mlp: GptJMlp {
                        fc_in: weights.linear(
                            &format!("{p}.mlp.fc_in"),
                            [d, config.n_inner],
                            true,
                        )?,
                        fc_out: weights.linear(
                            &format!("{p}.mlp.fc_out"),
                            [config.n_inner, d],
                            true,
                        )?,
                    },
                })
            })
            .collect::<Result<_, WeightError>>()?;
        let lm_head = if config.tie_word_embeddings {
            None
        } else {
            Some(weights.linear("lm_head", [d, vocab], true)?)
        };
        let frequencies = inverse_frequencies(config.rotary_dim, 10000.0);
        Ok(Self {
            wte: Embedding::new(weights.matrix("transformer.wte.weight", [vocab, d])?),
            h,
            ln_f: norm("transformer.ln_f".into())?,
            lm_head,
            rope: Rope::new(
                &frequencies,
                config.n_positions,
                Pairing::Interleaved,
                device,
            ),
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
        self.h[i].forward(x, rope, bias, cache.map(|cache| (i, cache)))
    }

    /// The head's matrix, `[vocab, d]`, and its bias.
    pub(crate) fn head(&self) -> (&Matrix, Option<Tensor<1>>) {
        match &self.lm_head {
            Some(head) => (&head.weight, head.bias.as_ref().map(Param::val)),
            None => (&self.wte.weight, None),
        }
    }

    /// The device of the weights.
    pub(crate) fn device(&self) -> Device {
        self.ln_f.gamma.val().device()
    }

    /// Every layer an adapter can be put on, with its Hugging Face module name.
    pub(crate) fn layers(&mut self) -> Vec<(String, Layer<'_>)> {
        let mut all = vec![(
            "transformer.wte".to_string(),
            Layer::Embedding(&mut self.wte),
        )];
        for (i, block) in self.h.iter_mut().enumerate() {
            let (attn, mlp) = (&mut block.attn, &mut block.mlp);
            for (name, linear) in [
                ("attn.q_proj", &mut attn.q_proj),
                ("attn.k_proj", &mut attn.k_proj),
                ("attn.v_proj", &mut attn.v_proj),
                ("attn.out_proj", &mut attn.out_proj),
                ("mlp.fc_in", &mut mlp.fc_in),
                ("mlp.fc_out", &mut mlp.fc_out),
            ] {
                all.push((format!("transformer.h.{i}.{name}"), Layer::Linear(linear)));
            }
        }
        all
    }

    /// Every weight with its Hugging Face name, for export.
    pub(crate) fn parts(&self) -> Vec<(String, Part<'_>)> {
        let mut all = vec![(
            "transformer.wte.weight".to_string(),
            Part::Matrix(&self.wte.weight),
        )];
        let mut linears = Vec::new();
        for (i, block) in self.h.iter().enumerate() {
            let (attn, mlp) = (&block.attn, &block.mlp);
            for (name, linear) in [
                ("attn.q_proj", &attn.q_proj),
                ("attn.k_proj", &attn.k_proj),
                ("attn.v_proj", &attn.v_proj),
                ("attn.out_proj", &attn.out_proj),
                ("mlp.fc_in", &mlp.fc_in),
                ("mlp.fc_out", &mlp.fc_out),
            ] {
                linears.push((format!("transformer.h.{i}.{name}"), linear));
            }
        }
        if let Some(head) = &self.lm_head {
            linears.push(("lm_head".to_string(), head));
        }
        for (name, linear) in linears {
            all.push((format!("{name}.weight"), Part::Matrix(&linear.weight)));
            if let Some(bias) = &linear.bias {
                all.push((format!("{name}.bias"), Part::Vector(bias)));
            }
        }
        let norms = self
            .h
            .iter()
            .enumerate()
            .map(|(i, block)| (format!("transformer.h.{i}.ln_1"), &block.ln_1))
            .chain([("transformer.ln_f".to_string(), &self.ln_f)]);
        for (name, norm) in norms {
            all.push((format!("{name}.weight"), Part::Vector(&norm.gamma)));
            if let Some(beta) = &norm.beta {
                all.push((format!("{name}.bias"), Part::Vector(beta)));
            }
        }
        all
    }
}

impl GptJBlock {
    fn forward(
        &self,
        x: Tensor<2>,
        rope: &RopeRows,
        bias: &Tensor<4>,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let normed = self.ln_1.forward(x.clone());
        let attended = self.attn.forward(normed.clone(), rope, bias, cache);
        x + attended + self.mlp.forward(normed)
    }
}

impl GptJAttention {
    fn forward(
        &self,
        x: Tensor<2>,
        rope: &RopeRows,
        bias: &Tensor<4>,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let [batch, _, seq, _] = bias.dims();
        let [_, d] = x.dims();
        let split = |y: Tensor<2>| {
            y.reshape([batch, seq, self.heads, d / self.heads])
                .swap_dims(1, 2)
        };
        let q = rope.rotate(split(self.q_proj.forward(x.clone())));
        let k = rope.rotate(split(self.k_proj.forward(x.clone())));
        let v = split(self.v_proj.forward(x));
        let (k, v) = match cache {
            Some((layer, cache)) => cache.append(layer, k, v),
            None => (k, v),
        };
        self.out_proj.forward(attend(q, k, v, bias))
    }
}

impl GptJMlp {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.fc_out.forward(gelu_approximate(self.fc_in.forward(x)))
    }
}

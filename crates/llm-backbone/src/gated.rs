//! The decoder that most families are: blocks of attention with rotary positions and of a gated feed-forward layer, between
//! an embedding and a head. It began with Llama (arXiv 2302.13971).
//!
//! What one family does otherwise, its file says in a [`Plan`]; here and in `gated/block.rs` is what is done.

mod block;
mod later_window;
mod names;
mod shape;

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cpu_kernels::{Activation, KEPT_OF_ROW};
use serde_json::{Map, Value};

use crate::attention::{Context, Sight, usual_scale};
use crate::cache::KvCache;
use crate::config::keys::Keys;
use crate::config::{ConfigError, Sizes};
use crate::family::{Decoder, DecoderConfig, Facts};
use crate::linear::{Embedding, Head};
use crate::loader::Loader;
use crate::model::HEAD;
use crate::norm::RmsNorm;
use crate::parts::parts;
use crate::rope::{Pairing, Rope};
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

pub(crate) use block::GatedBlock;
pub(crate) use later_window::LaterWindow;
pub(crate) use names::*;
pub(crate) use shape::{Defaults, GatedShape, NO_PADDING, gguf_window};
pub(crate) use shape::{refuse_gguf_window, require_silu};

/// A family whose models are [`GatedDecoder`]s.
pub(crate) trait GatedFamily: Sized {
    /// What names the family.
    const FACTS: Facts;

    /// Reads a `config.json`.
    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError>;

    /// How a GGUF file holds such a model.
    fn names() -> GgufNames<Self>;

    /// What all these families have.
    fn shape(&self) -> &GatedShape;

    /// The same, to be changed.
    fn shape_mut(&mut self) -> &mut GatedShape;

    /// The keys of a `config.json` that only this family has, or writes otherwise.
    fn own_keys(&self) -> Vec<(&'static str, Value)>;

    /// Refuses what makes no model, beside the shape; `file` appears in errors only.
    fn check(&self, _file: &Path) -> Result<(), ConfigError> {
        Ok(())
    }

    /// How its blocks are built.
    fn plan(&self) -> Plan;
}

/// How the blocks of a family are built.
pub(crate) struct Plan {
    /// The norms around the two halves of a block.
    pub(crate) norms: BlockNorms,
    /// Whether norms multiply by one more than their weights.
    pub(crate) norms_above_one: bool,
    /// The layers of queries, keys and values, or the one layer of them all.
    pub(crate) qkv: &'static [&'static str],
    /// Whether these have biases.
    pub(crate) qkv_biased: bool,
    /// The norms of queries and keys.
    pub(crate) qk_norms: QkNorms,
    /// What scores are multiplied with.
    pub(crate) score_scale: f64,
    /// The layers of gate and up, or the one layer of both.
    pub(crate) gate_up: &'static [&'static str],
    /// What is done to the gate.
    pub(crate) act: Activation,
    /// What token embeddings are multiplied with.
    pub(crate) embedding_scale: Option<f32>,
    /// The kinds of attention.
    pub(crate) sights: Vec<SightPlan>,
    /// Which of them each block has.
    pub(crate) sight_of: Vec<usize>,
}

/// The names of the norms around the two halves of a block: `h = x + after(attention(before(x)))`, and the same with the
/// feed-forward layer.
#[derive(Clone, Copy)]
pub(crate) struct BlockNorms {
    pub(crate) before_attention: Option<&'static str>,
    pub(crate) after_attention: Option<&'static str>,
    pub(crate) before_mlp: Option<&'static str>,
    pub(crate) after_mlp: Option<&'static str>,
}

/// Norms of queries and keys, before they are rotated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum QkNorms {
    None,
    /// Of the numbers of each head by itself.
    EachHead,
    /// Of the numbers of all heads together.
    AllHeads,
}

/// One kind of attention.
#[derive(Clone)]
pub(crate) struct SightPlan {
    /// None where queries and keys are not rotated.
    pub(crate) rotation: Option<Rotation>,
    /// Positions that a token sees, its own among them; none where it sees all.
    pub(crate) window: Option<usize>,
}

/// How queries and keys are rotated.
#[derive(Clone)]
pub(crate) struct Rotation {
    /// One for each rotated pair: fewer than half the width of a head where only its first dimensions are rotated.
    pub(crate) frequencies: Vec<f64>,
    /// What rotated numbers are multiplied with.
    pub(crate) stretched: f64,
}

impl Plan {
    /// Llama's: a norm in front of each half of a block, no biases, everything rotated, nothing out of sight.
    pub(crate) fn of(shape: &GatedShape) -> Self {
        Self {
            norms: BlockNorms {
                before_attention: Some(ATTENTION_NORM),
                after_attention: None,
                before_mlp: Some(MLP_NORM),
                after_mlp: None,
            },
            norms_above_one: false,
            qkv: &[Q, K, V],
            qkv_biased: false,
            qk_norms: QkNorms::None,
            score_scale: usual_scale(shape.sizes.head_dim),
            gate_up: &[GATE, UP],
            act: Activation::Silu,
            embedding_scale: None,
            sights: vec![SightPlan {
                rotation: Some(shape.rotation()),
                window: None,
            }],
            sight_of: vec![0; shape.sizes.num_layers],
        }
    }

    /// The same where all blocks look back `window` positions at most.
    pub(crate) fn within(mut self, window: Option<usize>) -> Self {
        let sights = self.sights.into_iter();
        self.sights = sights.map(|sight| sight.within(window)).collect();
        self
    }

    fn sights(&self, positions: usize, device: &Device) -> Vec<Sight> {
        let rope = |rotation: &Rotation| {
            let rope = Rope::new(&rotation.frequencies, positions, Pairing::HalfSplit, device);
            match rotation.stretched == 1.0 {
                true => rope,
                false => rope.stretched(rotation.stretched),
            }
        };
        let of = |plan: &SightPlan| Sight {
            rope: plan.rotation.as_ref().map(rope),
            // Nothing is that far back.
            window: plan.window.filter(|window| *window < positions),
        };
        self.sights.iter().map(of).collect()
    }

    /// A norm of the family.
    fn norm(
        &self,
        weights: &Loader<'_>,
        name: &str,
        (d, epsilon): (usize, f64),
    ) -> Result<RmsNorm, WeightError> {
        match self.norms_above_one {
            true => weights.rms_norm_above_one(name, d, epsilon),
            false => weights.rms_norm(name, d, epsilon),
        }
    }
}

impl SightPlan {
    /// The same with a sliding window.
    pub(crate) fn within(self, window: Option<usize>) -> Self {
        Self { window, ..self }
    }
}

impl BlockNorms {
    fn count(&self) -> usize {
        let before = [self.before_attention, self.before_mlp];
        let after = [self.after_attention, self.after_mlp];
        before.iter().chain(&after).flatten().count()
    }
}

impl<F: GatedFamily> DecoderConfig for F {
    type Decoder = GatedDecoder;

    fn facts() -> Facts {
        F::FACTS
    }

    fn from_hf(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        F::read(keys)
    }

    fn gguf() -> Option<GgufNames<Self>> {
        Some(F::names())
    }

    fn load(&self, weights: &Loader<'_>) -> Result<GatedDecoder, WeightError> {
        let (plan, shape) = (self.plan(), self.shape());
        let sizes = &shape.sizes;
        let (vocab, d) = (sizes.vocab_size, sizes.hidden_size);
        let layers = weights.blocks(BLOCKS, sizes.num_layers, |weights| {
            GatedBlock::load(&plan, shape, weights)
        })?;
        let lm_head = match sizes.ties_embeddings {
            true => None,
            false => Some(weights.head(HEAD, [d, vocab])?),
        };
        let mut embed_tokens = weights.embedding(EMBED, [vocab, d])?;
        embed_tokens.scale = plan.embedding_scale;
        Ok(GatedDecoder {
            embed_tokens,
            layers,
            norm: plan.norm(weights, NORM, (d, shape.rms_norm_eps))?,
            lm_head,
            sights: plan.sights(sizes.max_positions, weights.device()),
            sight_of: plan.sight_of,
        })
    }

    fn sizes(&self) -> &Sizes {
        &self.shape().sizes
    }

    fn sizes_mut(&mut self) -> &mut Sizes {
        &mut self.shape_mut().sizes
    }

    fn to_hf(&self) -> Map<String, Value> {
        let keys = self.shape().to_hf().into_iter().chain(self.own_keys());
        keys.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        self.shape().validate(file)?;
        self.check(file)
    }

    fn activations_per_token(&self) -> usize {
        let (plan, shape) = (self.plan(), self.shape());
        let sizes = &shape.sizes;
        let (queries, key) = (sizes.query_width(), sizes.key_width());
        // Each half keeps what goes in, and what each of its norms makes.
        let stream = (2 + plan.norms.count()) * sizes.hidden_size;
        // Norms of queries and keys look at them again.
        let looks = if plan.qk_norms == QkNorms::None { 2 } else { 3 };
        let attention = looks * (queries + key) + KEPT_OF_ROW * sizes.num_heads;
        stream + attention + 3 * shape.intermediate_size
    }
}

/// A decoder of `num_hidden_layers` blocks between an embedding and a head.
#[derive(Module, Debug)]
pub(crate) struct GatedDecoder {
    embed_tokens: Embedding,
    layers: Vec<GatedBlock>,
    norm: RmsNorm,
    /// Absent where tied to the embedding.
    lm_head: Option<Head>,
    sights: Vec<Sight>,
    #[module(skip)]
    sight_of: Vec<usize>,
}

parts!(GatedDecoder: embed_tokens, layers, norm, lm_head);

impl Decoder for GatedDecoder {
    fn embedding(&self) -> &Embedding {
        &self.embed_tokens
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

    fn sight_of(&self, i: usize) -> usize {
        self.sight_of[i]
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

//! One type for all families: load, embed, forward, head.

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor};

use crate::cache::KvCache;
use crate::config::ModelConfig;
use crate::family::{Architecture, Decoder};
use crate::linear::Head;
use crate::loader::Loader;
use crate::lora::Lora;
use crate::matrix::{Matrix, are_enough, cast_if_needed, settle};
use crate::packed::SharedInput;
use crate::parts::{Part, PartMut, Weight};
use crate::prefix::Prefix;
use crate::weights::{WeightError, WeightSource, warn_of_unread};

/// The name of the head, the same in every family.
pub(crate) const HEAD: &str = "lm_head";

/// A causal language model with its configuration.
#[derive(Module, Debug)]
pub struct Model {
    architecture: Architecture,
    #[module(skip)]
    config: ModelConfig,
}

/// What a forward pass takes. Nothing about order or causality is assumed: position ids and mask say it all. Where a model has a
/// sliding window, it hides keys whose positions are too far behind that of a query.
#[derive(Debug)]
pub struct ModelInput<'a> {
    /// `[batch, seq, d]`: token embeddings, with soft tokens wherever the caller put them.
    pub embeddings: Tensor<3>,
    /// `[batch, seq]`: position ids.
    pub positions: Tensor<2, Int>,
    /// `[batch, 1, seq, keys]`: true where a query (row) may look at a key (column). `keys` counts the cached slots
    /// and the new ones.
    pub visible: Tensor<4, Bool>,
    /// Keys and values in front of all others, which every token sees and which `visible` does not count. They go into no cache.
    pub prefix: Option<&'a Prefix>,
    /// Earlier keys and values; the new ones are appended.
    pub cache: Option<&'a mut KvCache>,
}

/// How the matrices of a model are kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As tensors of this type, which products have too.
    Dense(DType),
    /// As the file stores them, where that is shorter than 32 bits a number: quantised blocks of a GGUF file, or halves.
    /// Products are in f32, with the very numbers that [`Precision::Dense`] in f32 would read from the file; only for one to
    /// three rows, as in decoding, and Q4_0, Q4_1 or Q8_0, these are rounded to 16 bits first. For the CPU: on a GPU the
    /// numbers go there for every product.
    Stored,
}

impl Precision {
    /// The type of tensors that are not kept as stored.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::Dense(dtype) => dtype,
            Self::Stored => DType::F32,
        }
    }
}

impl From<DType> for Precision {
    fn from(dtype: DType) -> Self {
        Self::Dense(dtype)
    }
}

impl Model {
    /// Builds the model of `config` with the weights of `source`, kept in `precision`.
    ///
    /// # Errors
    /// A tensor that is missing, unreadable, of another shape, of zeros only, or of a layer that `config` does not have, naming
    /// file and tensor.
    pub fn load(
        config: &ModelConfig,
        source: &dyn WeightSource,
        precision: impl Into<Precision>,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let model = Self::build(config, &Loader::of_files(source, precision.into(), device))?;
        let used = model.weights().into_iter().map(|(name, _)| name).collect();
        warn_of_unread(source, &used, config.sizes().num_layers)?;
        Ok(model)
    }

    /// A model from scratch: matrices from `N(0, 1 / d_in)`, embeddings from `N(0, 0.05^2)`, norms 1, biases 0.
    ///
    /// # Errors
    /// None that a valid `config` can cause.
    pub fn random(config: &ModelConfig, seed: u64, device: &Device) -> Result<Self, WeightError> {
        Self::build(config, &Loader::random(seed, device))
    }

    /// A model of the same distributions whose weights are drawn on its device, which takes no time and cannot be repeated: to
    /// measure speed and memory with.
    ///
    /// # Errors
    /// None that a valid `config` can cause.
    pub fn noise(
        config: &ModelConfig,
        precision: impl Into<Precision>,
        device: &Device,
    ) -> Result<Self, WeightError> {
        Self::build(config, &Loader::noise(precision.into(), device))
    }

    fn build(config: &ModelConfig, weights: &Loader<'_>) -> Result<Self, WeightError> {
        Ok(Self {
            architecture: config.0.load(weights)?,
            config: config.clone(),
        })
    }

    /// Opens a Hugging Face directory or a GGUF file and loads it in f32.
    ///
    /// # Errors
    /// As [`Model::load`], or a path that holds no model.
    pub fn open(path: &Path, device: &Device) -> Result<Self, WeightError> {
        let (config, source) = crate::weights::open(path)?;
        Self::load(&config, source.as_ref(), DType::F32, device)
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The width `d` of token embeddings.
    pub fn d_model(&self) -> usize {
        self.config.d_model()
    }

    /// The type that weights and hidden states have.
    pub fn dtype(&self) -> DType {
        self.decoder().embedding().weight.dtype()
    }

    /// The device that the weights are on.
    pub fn device(&self) -> Device {
        self.decoder().device()
    }

    pub(crate) fn decoder(&self) -> &dyn Decoder {
        self.architecture.decoder()
    }

    /// Every module with weights.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        self.decoder().all_parts()
    }

    /// Every module with weights, to be changed.
    pub(crate) fn parts_mut(&mut self) -> Vec<PartMut<'_>> {
        self.architecture.decoder_mut().all_parts_mut()
    }

    /// `[batch, seq]` token ids to `[batch, seq, d]`, at the scale that the first block takes them.
    pub fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.decoder().embedding().forward(ids)
    }

    /// What [`Model::embed`] makes of every token without adapters, `[vocab, d]` in f32: the source of vocabulary
    /// initialisation. Soft tokens are of this scale, which in some families is not that of the embedding matrix.
    pub fn vocabulary(&self) -> Tensor<2> {
        let embedding = self.decoder().embedding();
        let rows = embedding.scaled(embedding.weight.tensor(&self.device()));
        cast_if_needed(rows, DType::F32)
    }

    /// Hidden states after the final norm, `[batch, seq, d]`.
    pub fn forward(&self, input: ModelInput<'_>) -> Tensor<3> {
        let [batch, seq, d] = input.embeddings.dims();
        let mut cache = input.cache;
        let mask = (input.positions, input.visible);
        let blocks = self.cached_blocks(mask, input.prefix, cache.as_deref_mut());
        let mut x = blocks.enter(input.embeddings);
        for i in 0..blocks.count() {
            x = blocks.cached_block(i, x, cache.as_deref_mut());
        }
        if let Some(cache) = cache {
            cache.advance(seq);
        }
        blocks.norm(x).reshape([batch, seq, d])
    }

    /// The head, `[vocab, d]`, and its bias.
    pub(crate) fn head(&self) -> (&Matrix, Option<Tensor<1>>) {
        let head = self.decoder().head();
        let own = head.and_then(|head| head.weight.as_ref());
        let bias = head.and_then(|head| head.bias.as_ref());
        let weight = own.unwrap_or(&self.decoder().embedding().weight);
        (weight, bias.map(Param::val))
    }

    /// The adapter of the head.
    pub(crate) fn head_adapter(&self) -> Option<&Lora> {
        self.decoder().head()?.lora.as_ref()
    }

    /// Whether the head is the embedding's matrix.
    pub(crate) fn is_tied(&self) -> bool {
        let head = self.decoder().head();
        head.is_none_or(|head| head.weight.is_none())
    }

    /// Whether some block sees only so far back.
    pub(crate) fn has_window(&self) -> bool {
        let sights = self.decoder().sights();
        sights.iter().any(|sight| sight.window.is_some())
    }

    /// Logits in f32: `[n, d]` to `[n, vocab]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = self.head();
        let logits = match self.head_adapter() {
            Some(lora) => lora.product(hidden, weight, &SharedInput::default()),
            None => weight.product(hidden),
        };
        let logits = cast_if_needed(logits, DType::F32);
        match bias {
            Some(bias) => logits + cast_if_needed(bias, DType::F32).unsqueeze(),
            None => logits,
        }
    }

    /// An empty cache for `batch` rows of at most `capacity` slots.
    pub fn cache(&self, batch: usize, capacity: usize) -> KvCache {
        let sizes = self.config.sizes();
        let shape = [batch, sizes.num_kv_heads, capacity, sizes.head_dim];
        KvCache::new(sizes.num_layers, shape, self.dtype(), &self.device())
    }

    /// Makes every weight trainable (full fine-tuning, for models made from scratch).
    pub fn trainable(self) -> Self {
        self.set_require_grad(true)
    }

    /// Freezes every weight, adapters included.
    pub fn frozen(self) -> Self {
        self.set_require_grad(false)
    }

    /// The model with its adapters folded into its weights and frozen.
    ///
    /// An adapter of the embedding belongs to the embedding alone, and one of the head to the head: where the two were one matrix, they
    /// are two afterwards.
    pub fn merged(mut self) -> Self {
        if self.decoder().embedding().lora.is_some() || self.head_adapter().is_some() {
            self.untie();
        }
        let mut merged = Vec::new();
        for part in self.parts_mut() {
            merged.extend(match part {
                PartMut::Linear(linear) => linear.merge(),
                PartMut::Embedding(embedding) => embedding.merge(),
                PartMut::Head(head) => head.merge(),
                PartMut::RmsNorm(_) | PartMut::LayerNorm(_) => None,
            });
            if are_enough(&merged) {
                settle(std::mem::take(&mut merged));
            }
        }
        settle(merged);
        self
    }

    /// Gives a model whose head is the embedding's matrix a head of its own, of the same numbers.
    pub(crate) fn untie(&mut self) {
        if !self.is_tied() {
            return;
        }
        self.show_head();
        let decoder = self.architecture.decoder_mut();
        let weight = decoder.embedding().weight.clone();
        if let Some(head) = decoder.head_mut() {
            head.weight = Some(weight);
        }
        self.config.sizes_mut().ties_embeddings = false;
    }

    /// Makes a module of a head that is the embedding's matrix, so that it can carry an adapter.
    pub(crate) fn show_head(&mut self) {
        let head = self.architecture.decoder_mut().head_mut();
        head.get_or_insert_with(|| Head {
            name: HEAD.into(),
            weight: None,
            bias: None,
            lora: None,
        });
    }

    /// Undoes [`show_head`](Self::show_head) where it carries none.
    pub(crate) fn hide_head(&mut self) {
        let head = self.architecture.decoder_mut().head_mut();
        head.take_if(|head| head.weight.is_none() && head.lora.is_none());
    }

    /// The model without its adapters.
    pub fn without_adapters(mut self) -> Self {
        for part in self.parts_mut() {
            match part {
                PartMut::Linear(linear) => linear.lora = None,
                PartMut::Embedding(embedding) => embedding.lora = None,
                PartMut::Head(head) => head.lora = None,
                PartMut::RmsNorm(_) | PartMut::LayerNorm(_) => {}
            }
        }
        self.hide_head();
        self
    }

    /// The number of weights without adapters.
    pub fn num_base_params(&self) -> usize {
        let weights = self.weights().into_iter();
        weights
            .map(|(_, weight)| weight.shape().iter().product::<usize>())
            .sum()
    }

    /// Bytes that these take in memory.
    pub fn num_base_bytes(&self) -> usize {
        let bytes = |(_, weight): (String, Weight<'_>)| match weight {
            Weight::Matrix(matrix) => matrix.bytes(),
            Weight::Vector(vector) => {
                let value: Tensor<1> = vector.val();
                value.dims()[0] * value.dtype().size()
            }
        };
        self.weights().into_iter().map(bytes).sum()
    }

    /// Every tensor with its Hugging Face name, without those of adapters.
    pub(crate) fn weights(&self) -> Vec<(String, Weight<'_>)> {
        self.parts().iter().flat_map(Part::weights).collect()
    }

    /// Every weight with its Hugging Face name, shape and values in f32, in a fixed order, one at a time.
    pub fn export(&self) -> impl Iterator<Item = (String, Vec<usize>, Vec<f32>)> + '_ {
        let device = self.device();
        self.weights().into_iter().map(move |(name, weight)| {
            let values = match weight {
                Weight::Matrix(matrix) => host(matrix.tensor(&device)),
                Weight::Vector(vector) => host(vector.val()),
            };
            (name, weight.shape(), values)
        })
    }

    /// Cuts its frozen matrices in f32 for the tiles of the processor, where it has them, and keeps that, for all copies of it too. Products
    /// of few rows take as long to cut a matrix as to multiply. [`Outline::packed_bytes`](crate::Outline::packed_bytes) tells what it takes.
    pub fn keep_packed(&self) {
        for part in self.parts() {
            match part {
                Part::Linear(linear) => linear.weight.keep_packed(),
                Part::Head(_) | Part::Embedding(_) | Part::RmsNorm(_) | Part::LayerNorm(_) => {}
            }
        }
        self.head().0.keep_packed();
    }

    /// What a pass costs per token.
    pub fn costs(&self) -> Costs {
        costs(&self.config, self.decoder().weights_per_token())
    }
}

/// What a pass costs per token that meets so many weights of blocks.
pub(crate) fn costs(config: &ModelConfig, weights: usize) -> Costs {
    let sizes = config.sizes();
    Costs {
        blocks: sizes.num_layers,
        weights,
        heads: sizes.num_heads,
        attention_width: sizes.query_width(),
    }
}

/// What a forward pass costs per token, in the numbers of which arithmetic is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Blocks.
    pub blocks: usize,
    /// Frozen weights of all blocks that a token meets in products.
    pub weights: usize,
    /// Query heads of a block.
    pub heads: usize,
    /// Numbers of a token's queries in a block; each meets every key twice, for scores and for sums.
    pub attention_width: usize,
}

/// The values of a tensor in f32 on the host.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

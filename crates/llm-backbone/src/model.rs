//! One type for both families: load, embed, forward, head.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};

use crate::cache::KvCache;
use crate::config::ModelConfig;
use crate::gptj::GptJ;
use crate::linear::{Embedding, Layer, Linear, Matrix, Part, cast_if_needed};
use crate::llama::Llama;
use crate::random::{named_rng, normal};
use crate::weights::{WeightError, WeightSource};

/// The architecture and its weights.
#[derive(Module, Debug)]
pub enum Architecture {
    /// Llama and its relatives.
    Llama(Llama),
    /// GPT-J.
    GptJ(GptJ),
}

/// A causal language model with its configuration.
#[derive(Module, Debug)]
pub struct Model {
    /// The weights.
    pub arch: Architecture,
    #[module(skip)]
    config: ModelConfig,
}

/// What a forward pass takes. Nothing about order or causality is assumed: position ids and mask say it all.
#[derive(Debug)]
pub struct ModelInput<'a> {
    /// `[batch, seq, d]`: token embeddings, with soft tokens wherever the caller put them.
    pub embeddings: Tensor<3>,
    /// `[batch, seq]`: position ids.
    pub positions: Tensor<2, Int>,
    /// `[batch, 1, seq, keys]`: true where a query (row) may look at a key (column). `keys` counts the cached slots
    /// and the new ones.
    pub visible: Tensor<4, Bool>,
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
    fn dtype(self) -> DType {
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

/// Gives named weights as tensors of one type on one device.
pub struct Weights<'a> {
    from: Origin<'a>,
    precision: Precision,
    device: Device,
}

/// Where weights come from.
enum Origin<'a> {
    Files(&'a dyn WeightSource),
    /// Initial values of a model that is made from scratch: a pure function of seed and name.
    Random(u64),
}

impl<'a> Weights<'a> {
    /// Reads from `source`.
    pub fn new(source: &'a dyn WeightSource, precision: Precision, device: &Device) -> Self {
        Self {
            from: Origin::Files(source),
            precision,
            device: device.clone(),
        }
    }

    fn tensor<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Tensor<D>, WeightError> {
        let values = match self.from {
            Origin::Files(source) => {
                self.check(source, name, &shape)?;
                source.read(name)?
            }
            Origin::Random(seed) => initial(name, &shape, seed),
        };
        let tensor = Tensor::from_data(TensorData::new(values, shape), (&self.device, DType::F32));
        Ok(cast_if_needed(tensor, self.precision.dtype()))
    }

    /// A vector `[d]`.
    ///
    /// # Errors
    /// Missing, of another shape, or unreadable.
    pub fn vector(&self, name: &str, d: usize) -> Result<Tensor<1>, WeightError> {
        self.tensor(name, [d])
    }

    /// A matrix in the layout of the file.
    ///
    /// # Errors
    /// Missing, of another shape, or unreadable.
    pub fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Matrix, WeightError> {
        if let (Origin::Files(source), Precision::Stored) = (&self.from, self.precision) {
            self.check(*source, name, &shape)?;
            if let Some(stored) = source.stored(name)? {
                return Ok(Matrix::stored(stored));
            }
        }
        Ok(Matrix::dense(self.tensor(name, shape)?))
    }

    fn check(
        &self,
        source: &dyn WeightSource,
        name: &str,
        shape: &[usize],
    ) -> Result<(), WeightError> {
        let found = source.shape(name)?;
        if found == shape {
            return Ok(());
        }
        Err(WeightError::Malformed {
            file: source.path().to_path_buf(),
            item: format!("tensor `{name}`"),
            found: format!("shape {found:?}"),
            expected: format!("{shape:?}"),
        })
    }

    /// A linear layer of the weights `[d_out, d_in]`.
    ///
    /// # Errors
    /// Missing, of another shape, or unreadable.
    pub fn linear(
        &self,
        name: &str,
        [d_in, d_out]: [usize; 2],
        bias: bool,
    ) -> Result<Linear, WeightError> {
        let weight = self.matrix(&format!("{name}.weight"), [d_out, d_in])?;
        let bias = if bias {
            Some(self.vector(&format!("{name}.bias"), d_out)?)
        } else {
            None
        };
        Ok(Linear::new(weight, bias))
    }
}

impl Model {
    /// Builds the model of `config` with the weights of `source`, kept in `precision`.
    ///
    /// # Errors
    /// A tensor that is missing, unreadable, or of another shape, naming file and tensor.
    pub fn load(
        config: &ModelConfig,
        source: &dyn WeightSource,
        precision: impl Into<Precision>,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let weights = Weights::new(source, precision.into(), device);
        Self::build(config, &weights, device)
    }

    /// A model from scratch: matrices from `N(0, 1 / d_in)`, embeddings from `N(0, 0.05^2)`, norms 1, biases 0.
    ///
    /// # Errors
    /// None that a valid `config` can cause.
    pub fn random(config: &ModelConfig, seed: u64, device: &Device) -> Result<Self, WeightError> {
        let weights = Weights {
            from: Origin::Random(seed),
            precision: Precision::Dense(DType::F32),
            device: device.clone(),
        };
        Self::build(config, &weights, device)
    }

    fn build(
        config: &ModelConfig,
        weights: &Weights<'_>,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let arch = match config {
            ModelConfig::Llama(c) => Architecture::Llama(Llama::load(c, weights, device)?),
            ModelConfig::GptJ(c) => Architecture::GptJ(GptJ::load(c, weights, device)?),
        };
        Ok(Self {
            arch,
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
        self.config.hidden_size()
    }

    /// The type that weights and hidden states have.
    pub fn dtype(&self) -> DType {
        self.embedding().weight.dtype()
    }

    /// The device that the weights are on.
    pub fn device(&self) -> Device {
        match &self.arch {
            Architecture::Llama(m) => m.device(),
            Architecture::GptJ(m) => m.device(),
        }
    }

    fn embedding(&self) -> &Embedding {
        match &self.arch {
            Architecture::Llama(m) => &m.embed_tokens,
            Architecture::GptJ(m) => &m.wte,
        }
    }

    /// Every layer an adapter can be put on, with its Hugging Face module name.
    pub(crate) fn layers(&mut self) -> Vec<(String, Layer<'_>)> {
        match &mut self.arch {
            Architecture::Llama(m) => m.layers(),
            Architecture::GptJ(m) => m.layers(),
        }
    }

    /// `[batch, seq]` token ids to `[batch, seq, d]`.
    pub fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        self.embedding().forward(ids)
    }

    /// The token embedding matrix, `[vocab, d]` in f32: the source of vocabulary initialisation.
    pub fn vocabulary(&self) -> Tensor<2> {
        cast_if_needed(self.embedding().weight.tensor(&self.device()), DType::F32)
    }

    /// Hidden states after the final norm, `[batch, seq, d]`.
    pub fn forward(&self, input: ModelInput<'_>) -> Tensor<3> {
        let [batch, seq, d] = input.embeddings.dims();
        let blocks = self.blocks(input.positions, input.visible);
        let mut x = blocks.enter(input.embeddings);
        let mut cache = input.cache;
        for i in 0..blocks.count() {
            x = blocks.cached_block(i, x, cache.as_deref_mut());
        }
        if let Some(cache) = cache {
            cache.advance(seq);
        }
        blocks.norm(x).reshape([batch, seq, d])
    }

    /// The head, `[vocab, d]`, and its bias.
    pub fn head(&self) -> (&Matrix, Option<Tensor<1>>) {
        match &self.arch {
            Architecture::Llama(m) => (m.head(), None),
            Architecture::GptJ(m) => m.head(),
        }
    }

    /// Logits in f32: `[n, d]` to `[n, vocab]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = self.head();
        let logits = cast_if_needed(weight.product(hidden), DType::F32);
        match bias {
            Some(bias) => logits + cast_if_needed(bias, DType::F32).unsqueeze(),
            None => logits,
        }
    }

    /// An empty cache for `batch` rows of at most `capacity` slots.
    pub fn cache(&self, batch: usize, capacity: usize) -> KvCache {
        let (kv_heads, head_dim) = match &self.config {
            ModelConfig::Llama(c) => (c.num_key_value_heads, c.head_dim),
            ModelConfig::GptJ(c) => (c.n_head, c.head_dim()),
        };
        let layers = self.config.num_layers();
        let shape = [batch, kv_heads, capacity, head_dim];
        KvCache::new(layers, shape, self.dtype(), &self.device())
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
    pub fn merged(mut self) -> Self {
        for (_, layer) in self.layers() {
            match layer {
                Layer::Linear(linear) => *linear = linear.clone().merged(),
                Layer::Embedding(embedding) => *embedding = embedding.clone().merged(),
            }
        }
        self
    }

    /// The model without its adapters.
    pub fn without_adapters(mut self) -> Self {
        for (_, layer) in self.layers() {
            match layer {
                Layer::Linear(linear) => linear.lora = None,
                Layer::Embedding(embedding) => embedding.lora = None,
            }
        }
        self
    }

    /// The number of weights without adapters.
    pub fn num_base_params(&self) -> usize {
        let parts = self.parts().into_iter();
        parts
            .map(|(_, part)| part.shape().iter().product::<usize>())
            .sum()
    }

    fn parts(&self) -> Vec<(String, Part<'_>)> {
        match &self.arch {
            Architecture::Llama(m) => m.parts(),
            Architecture::GptJ(m) => m.parts(),
        }
    }

    /// Every weight with its Hugging Face name, shape and values in f32, in a fixed order, one at a time.
    pub fn export(&self) -> impl Iterator<Item = (String, Vec<usize>, Vec<f32>)> + '_ {
        let device = self.device();
        self.parts().into_iter().map(move |(name, part)| {
            let values = match part {
                Part::Matrix(matrix) => host(matrix.tensor(&device)),
                Part::Vector(vector) => host(vector.val()),
            };
            (name, part.shape(), values)
        })
    }
}

/// Initial values; see [`Model::random`].
fn initial(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    let count = shape.iter().product();
    match shape {
        [_] if name.ends_with("bias") => vec![0.0; count],
        [_] => vec![1.0; count],
        _ => {
            let embedding = name.contains("embed_tokens") || name.contains("wte");
            let d_in = shape.last().copied().unwrap_or(1).max(1);
            let std = if embedding {
                0.05
            } else {
                1.0 / (d_in as f32).sqrt()
            };
            let mut rng = named_rng(seed, name);
            (0..count).map(|_| std * normal(&mut rng)).collect()
        }
    }
}

/// The values of a tensor in f32 on the host.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap_or_default() // invariant: every float type converts to f32
}

//! Low-rank adapters (LoRA, arXiv 2106.09685) and their PEFT directory.
//!
//! burn's own `apply_lora` composes the full weight in every forward pass, which costs a full weight gradient. Here the
//! low-rank path is added to the layer's output; values and gradients equal those of `peft`.

mod names;
mod rules;
mod targets;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use burn::module::{Module, Param, ParamId};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::matrix::cast_if_needed;
use crate::model::{HEAD, Model, host};
use crate::parts::{Part, PartMut};
use crate::random::{fnv1a, named_rng, normal};
use crate::weights::WeightError;
pub(crate) use names::{wanted_anew, why_no_head_adapter};
pub(crate) use rules::{Layers, Pattern, Rules, Shape};
pub use targets::Targets;
pub(crate) use targets::{Matcher, ends_in};

/// Size and place of the adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// The rank `r`.
    pub rank: usize,
    /// The scale is `alpha / rank`.
    pub alpha: f64,
    /// The probability of dropping an input of the low-rank path in training.
    pub dropout: f64,
    /// Which layers.
    pub targets: Targets,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: Targets::AllLinear,
        }
    }
}

/// Ranks that are accepted: far above every use, far below overflow.
pub(crate) const RANKS: RangeInclusive<usize> = 1..=65_536;

impl LoraConfig {
    /// Refuses sizes and shares out of range.
    ///
    /// # Errors
    /// [`LoraError::Config`] for the first.
    pub fn validate(&self) -> Result<(), LoraError> {
        let error = |key, found: String, expected| {
            Err(LoraError::Config {
                key,
                found,
                expected,
            })
        };
        if !RANKS.contains(&self.rank) {
            return error("rank", self.rank.to_string(), "1 to 65536");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return error("dropout", self.dropout.to_string(), "a number in [0, 1)");
        }
        if !self.alpha.is_finite() {
            return error("alpha", self.alpha.to_string(), "a finite number");
        }
        Ok(())
    }

    /// What these settings say of every module.
    pub(crate) fn rules(&self) -> Result<Rules, LoraError> {
        self.validate()?;
        Ok(Rules::plain(self.clone(), Matcher::new(&self.targets)?))
    }
}

/// What can go wrong with adapters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoraError {
    /// No module matched.
    #[error(
        "LoRA targets {targets:?} match no module of this model; it has, for example, {example}{}",
        targets.hint()
    )]
    NoTarget {
        /// What was asked for.
        targets: Targets,
        /// A module that exists.
        example: String,
    },
    /// A name in a list that no module has, or one that carries no adapter.
    #[error("LoRA target `{target}`: {problem}")]
    Target {
        /// The name.
        target: String,
        /// Why not, and which there are.
        problem: String,
    },
    /// A text that should be a regular expression.
    #[error("LoRA target `{pattern}` is no regular expression: {problem}")]
    Pattern {
        /// The text.
        pattern: String,
        /// Why not.
        problem: String,
    },
    /// A key of `adapter_config.json` asks for something that is not read.
    #[error("{file}: key `{key}`: found {found}; {problem}")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// Why it is not read, and what to do.
        problem: String,
    },
    /// A nonsensical size.
    #[error("LoRA {key} is {found}, expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The range.
        expected: &'static str,
    },
    /// A file of tensors that cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A tensor of an adapter file does not fit.
    #[error("{file}: tensor {tensor}: {problem}")]
    Tensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Found and expected.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{file}: {problem}")]
    Format {
        /// The file.
        file: String,
        /// Why.
        problem: String,
    },
}

/// The two factors of one adapter.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[d_in, r]`.
    pub a: Param<Tensor<2>>,
    /// `[r, d_out]`.
    pub b: Param<Tensor<2>>,
    scale: f64,
    dropout: Dropout,
}

impl Lora {
    /// The rank, and what `lora_alpha` is where `lora_alpha / r` is the scale.
    pub(crate) fn rank_and_alpha(&self) -> (usize, f64) {
        let [_, rank] = self.a.val().dims();
        (rank, self.scale * rank as f64)
    }
}

impl Lora {
    /// `scale * (dropout(x) A) B` in f32, cast back to the type of `x`. `x` is `[n, d_in]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let dtype = x.dtype();
        let x = self.dropout.forward(cast_if_needed(x, DType::F32));
        let y = x
            .matmul(self.a.val())
            .mul_scalar(self.scale)
            .matmul(self.b.val());
        cast_if_needed(y, dtype)
    }

    /// `scale * A[ids] B`, the adapter of an embedding, cast to the type of the embedding's own rows: `[n]` to `[n, d]`.
    pub(crate) fn rows(&self, ids: Tensor<1, Int>, dtype: DType) -> Tensor<2> {
        let rows = self.a.val().select(0, ids);
        let rows = rows.mul_scalar(self.scale).matmul(self.b.val());
        cast_if_needed(rows, dtype)
    }

    /// `scale * A B`, `[d_in, d_out]`.
    pub(crate) fn delta(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()).mul_scalar(self.scale)
    }
}

/// A parameter id that is a pure function of the module's name, so that optimiser states saved by one process find
/// their parameters in another.
pub fn stable_id(name: &str) -> ParamId {
    ParamId::from(fnv1a(name.as_bytes()))
}

/// One module that can carry an adapter.
struct Slot<'a> {
    module: String,
    embedding: bool,
    /// `[d_in, d_out]`, for an embedding `[vocab, d]`.
    shape: [usize; 2],
    device: Device,
    lora: &'a mut Option<Lora>,
}

impl<'a> Slot<'a> {
    /// Its module, and whether it is an embedding.
    fn named(&self) -> (&str, bool) {
        (&self.module, self.embedding)
    }

    /// None where the module carries no adapter.
    fn new(module: PartMut<'a>, device: Device) -> Option<Self> {
        match module {
            PartMut::Linear(linear) => {
                let [d_out, d_in] = linear.weight.shape();
                Some(Self {
                    module: linear.name.clone(),
                    embedding: false,
                    shape: [d_in, d_out],
                    device,
                    lora: &mut linear.lora,
                })
            }
            PartMut::Embedding(embedding) => Some(Self {
                module: embedding.name.clone(),
                embedding: true,
                shape: embedding.weight.shape(),
                device,
                lora: &mut embedding.lora,
            }),
            PartMut::Head(_) | PartMut::RmsNorm(_) | PartMut::LayerNorm(_) => None,
        }
    }

    /// Attaches factors given as `[d_in, r]` and `[r, d_out]`.
    fn attach(&mut self, shape: Shape, a: Vec<f32>, b: Vec<f32>) {
        let [d_in, d_out] = self.shape;
        let r = shape.rank;
        let param = |factor: &str, values: Vec<f32>, shape: [usize; 2]| {
            let data = TensorData::new(values, shape);
            let value = Tensor::from_data(data, (&self.device, DType::F32));
            let id = stable_id(&format!("{}.{factor}", self.module));
            Param::initialized(id, value).set_require_grad(true)
        };
        *self.lora = Some(Lora {
            a: param("lora_A", a, [d_in, r]),
            b: param("lora_B", b, [r, d_out]),
            scale: shape.scale,
            dropout: DropoutConfig::new(shape.dropout).init(),
        });
    }

    /// `peft`'s initialisation: A uniform within `1 / sqrt(d_in)` and B zero; for an embedding A zero and B normal.
    fn initial(&self, rank: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let [d_in, d_out] = self.shape;
        let mut rng = named_rng(seed, &self.module);
        if self.embedding {
            let b = (0..rank * d_out).map(|_| normal(&mut rng)).collect();
            (vec![0.0; d_in * rank], b)
        } else {
            let bound = 1.0 / (d_in as f32).sqrt();
            let a = (0..d_in * rank)
                .map(|_| rng.random_range(-bound..bound))
                .collect();
            (a, vec![0.0; rank * d_out])
        }
    }
}

/// The names of the two factors of a module in a PEFT file.
fn peft_names(module: &str, embedding: bool) -> [String; 2] {
    let names = match embedding {
        true => ["lora_embedding_A", "lora_embedding_B"],
        false => ["lora_A.weight", "lora_B.weight"],
    };
    names.map(|name| format!("{PEFT_PREFIX}{module}.{name}"))
}

/// What stands in front of every name in a PEFT file.
pub(crate) const PEFT_PREFIX: &str = "base_model.model.";

/// Tensors by name: shape and values.
pub(crate) type NamedTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

impl Model {
    fn slots(&mut self) -> Vec<Slot<'_>> {
        let device = self.device();
        self.parts_mut()
            .into_iter()
            .filter_map(|module| Slot::new(module, device.clone()))
            .collect()
    }

    /// The adapters, each with the names of its factors in a PEFT file.
    fn adapters(&self) -> impl Iterator<Item = ([String; 2], &Lora)> {
        self.parts().into_iter().filter_map(|part| match part {
            Part::Linear(linear) => {
                let lora = linear.lora.as_ref()?;
                Some((peft_names(&linear.name, false), lora))
            }
            Part::Embedding(embedding) => {
                let lora = embedding.lora.as_ref()?;
                Some((peft_names(&embedding.name, true), lora))
            }
            _ => None,
        })
    }

    /// Attaches new adapters, initialised as `peft` does (the model's output is unchanged), and freezes the rest.
    ///
    /// # Errors
    /// A rank of zero, a dropout outside `[0, 1)`, targets that match nothing, or one of several names that matches nothing.
    pub fn with_lora(self, config: &LoraConfig, seed: u64) -> Result<Self, LoraError> {
        let rules = config.rules()?;
        let mut model = self.frozen();
        let why_no_head = why_no_head_adapter(model.decoder());
        let wanted = wanted_anew(&rules, model.slots(), Slot::named, &why_no_head)?;
        for (mut slot, shape) in wanted {
            let (a, b) = slot.initial(shape.rank, seed);
            slot.attach(shape, a, b);
        }
        Ok(model)
    }

    /// The adapters as PEFT tensors: name, shape, values. `A` is `[r, d_in]` and `B` is `[d_out, r]`.
    pub fn adapter_tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let tensor = |(name, factor): (String, &Param<Tensor<2>>)| {
            let value = factor.val().transpose();
            (name, value.dims().to_vec(), host(value))
        };
        self.adapters()
            .flat_map(|(names, lora)| names.into_iter().zip([&lora.a, &lora.b]).map(tensor))
            .collect()
    }

    /// Attaches adapters with the given values, as [`Model::adapter_tensors`] returns them.
    ///
    /// # Errors
    /// A tensor that is missing, left over, or of another shape; `origin` names the file in the message.
    pub fn with_adapter_tensors(
        self,
        config: &LoraConfig,
        origin: &str,
        tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, LoraError> {
        let tensors = tensors
            .into_iter()
            .map(|(name, shape, values)| (name, (shape, values)))
            .collect();
        self.with_factors(&config.rules()?, origin, tensors)
    }

    /// Attaches the adapters that `rules` ask for; every tensor must belong to one.
    pub(crate) fn with_factors(
        self,
        rules: &Rules,
        origin: &str,
        mut tensors: NamedTensors,
    ) -> Result<Self, LoraError> {
        let error = |tensor: &str, problem: String| LoraError::Tensor {
            file: origin.into(),
            tensor: tensor.into(),
            problem,
        };
        let mut model = self.frozen();
        let why_no_head = why_no_head_adapter(model.decoder());
        let wanted = names::wanted(rules, model.slots(), Slot::named, &why_no_head)?;
        for (mut slot, shape) in wanted {
            let [d_in, d_out] = slot.shape;
            let [a_name, b_name] = peft_names(&slot.module, slot.embedding);
            let mut take = |name: &str, rows: usize, columns: usize| {
                let (found, values) = tensors.remove(name).ok_or_else(|| {
                    let problem = "missing, though the configuration targets its module";
                    error(name, problem.into())
                })?;
                if found != [rows, columns] {
                    let problem = format!(
                        "found shape {found:?}, expected [{rows}, {columns}] (rank {})",
                        shape.rank
                    );
                    return Err(error(name, problem));
                }
                Ok(transposed(&values, rows, columns))
            };
            let a = take(&a_name, shape.rank, d_in)?;
            let b = take(&b_name, d_out, shape.rank)?;
            slot.attach(shape, a, b);
        }
        match tensors.keys().next() {
            Some(name) => Err(error(name, model.no_place(name))),
            None => Ok(model),
        }
    }

    /// Why a tensor of an adapter file belongs nowhere.
    fn no_place(&self, name: &str) -> String {
        let (module, _) = name.split_once(".lora_").unwrap_or((name, ""));
        let module = module.strip_prefix(PEFT_PREFIX).unwrap_or(module);
        let part = self.parts().into_iter().find(|part| part.name() == module);
        match part {
            _ if module == HEAD => why_no_head_adapter(self.decoder()),
            Some(Part::Linear(_) | Part::Embedding(_)) => {
                "the configuration does not target its module".into()
            }
            _ => "this model has no place for it".into(),
        }
    }

    /// Whether a training forward pass draws random numbers.
    pub fn has_dropout(&self) -> bool {
        self.adapters().any(|(_, lora)| lora.dropout.prob > 0.0)
    }

    /// The number of adapter weights.
    pub fn num_adapter_params(&self) -> usize {
        let count = |factor: &Param<Tensor<2>>| factor.val().shape().num_elements();
        self.adapters()
            .map(|(_, lora)| count(&lora.a) + count(&lora.b))
            .sum()
    }
}

/// `[rows, columns]` row by row to `[columns, rows]` row by row.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| values[r * columns + c]))
        .collect()
}

//! Low-rank adapters (LoRA, arXiv 2106.09685) and their PEFT directory.
//!
//! burn's own `apply_lora` composes the full weight in every forward pass, which costs a full weight gradient. Here the
//! low-rank path is added to the layer's output; values and gradients equal those of `peft`.
//!
//! Variants are settings of one adapter: the scale (rsLoRA), a magnitude for each output (DoRA), where the factors begin (PiSSA), and
//! which of the two learns faster (LoRA+).

mod adapter;
mod attach;
mod error;
mod names;
mod pissa;
mod rules;
mod targets;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use burn::module::ParamId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::random::fnv1a;
pub use adapter::Lora;
pub(crate) use attach::Taken;
pub use error::LoraError;
pub(crate) use names::wanted_anew;
pub(crate) use rules::{Kind, Layers, Pattern, Rules};
pub use targets::Targets;
pub(crate) use targets::{Matcher, ends_in};

/// Size, place and kind of the adapters. Keys that `peft` has too are called as there.
///
/// What makes plain LoRA is not written, so that runs that knew nothing else can be told to be the same and go on.
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
    /// The scale is `alpha / sqrt(rank)` (rsLoRA, arXiv 2312.03732).
    #[serde(skip_serializing_if = "is_default")]
    pub use_rslora: bool,
    /// Each output has a magnitude that is learnt, and the factors change the direction of its weights (DoRA, arXiv 2402.09353).
    #[serde(skip_serializing_if = "is_default")]
    pub use_dora: bool,
    /// Where the factors begin.
    #[serde(skip_serializing_if = "is_default")]
    pub init_lora_weights: LoraInit,
    /// The rate of B over that of A (LoRA+, arXiv 2402.12354), at least 1. As in `peft` it is the rate of magnitudes too; the factors
    /// of an embedding, whose inputs are single tokens, have the rate of A.
    #[serde(skip_serializing_if = "is_one")]
    pub loraplus_lr_ratio: f64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: Targets::AllLinear,
            use_rslora: false,
            use_dora: false,
            init_lora_weights: LoraInit::Kaiming,
            loraplus_lr_ratio: 1.0,
        }
    }
}

/// Where factors begin. In a file it is `true` or the text `pissa`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoraInit {
    /// One factor is zero and the other random, so that the model is as it was.
    #[default]
    Kaiming,
    /// The factors are the weight's largest singular values and vectors, which the frozen weight gives up (PiSSA, arXiv 2404.02948).
    /// Those of embeddings begin as ever.
    Pissa,
}

/// Its name in files.
const PISSA: &str = "pissa";

impl Serialize for LoraInit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kaiming => serializer.serialize_bool(true),
            Self::Pissa => serializer.serialize_str(PISSA),
        }
    }
}

impl<'de> Deserialize<'de> for LoraInit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected `true` or `\"pissa\"`")]
        enum Written {
            Flag(bool),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Flag(true) => Ok(Self::Kaiming),
            Written::Text(text) if text.eq_ignore_ascii_case(PISSA) => Ok(Self::Pissa),
            Written::Flag(flag) => Err(unknown_init(&flag)),
            Written::Text(text) => Err(unknown_init(&text)),
        }
    }
}

fn unknown_init<E: serde::de::Error>(found: &dyn std::fmt::Debug) -> E {
    E::custom(format!("found {found:?}, expected `true` or `\"pissa\"`"))
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
        let starts_with_roots = self.init_lora_weights == LoraInit::Pissa;
        if starts_with_roots && self.alpha <= 0.0 {
            let expected = "a number above 0 with init_lora_weights = \"pissa\"";
            return error("alpha", self.alpha.to_string(), expected);
        }
        let ratio = self.loraplus_lr_ratio;
        if !(1.0..=1e6).contains(&ratio) {
            let expected = "a number of 1 to 1e6";
            return error("loraplus_lr_ratio", ratio.to_string(), expected);
        }
        Ok(())
    }

    /// What these settings say of every module.
    pub(crate) fn rules(&self) -> Result<Rules, LoraError> {
        self.validate()?;
        Ok(Rules::plain(self.clone(), Matcher::new(&self.targets)?))
    }

    /// The scale of the low-rank path of an adapter of this rank and alpha.
    fn scale(&self, rank: usize, alpha: f64) -> f64 {
        alpha / self.divisor(rank)
    }

    /// What alpha is divided by.
    fn divisor(&self, rank: usize) -> f64 {
        match self.use_rslora {
            true => (rank as f64).sqrt(),
            false => rank as f64,
        }
    }

    /// The settings of the adapters as they are written: what PiSSA takes of a weight is written as further ranks, so that they fit the
    /// model as it was.
    pub(crate) fn as_written(&self) -> Self {
        if self.init_lora_weights == LoraInit::Kaiming {
            return self.clone();
        }
        let rank = 2 * self.rank;
        Self {
            rank,
            alpha: self.alpha * self.divisor(rank) / self.divisor(self.rank),
            init_lora_weights: LoraInit::Kaiming,
            ..self.clone()
        }
    }

    /// What `lora_alpha` is where so many ranks have this scale.
    pub(crate) fn alpha_of(&self, rank: usize, scale: f64) -> f64 {
        scale * self.divisor(rank)
    }
}

/// A parameter id that is a pure function of the module's name, so that optimiser states saved by one process find
/// their parameters in another.
pub fn stable_id(name: &str) -> ParamId {
    ParamId::from(fnv1a(name.as_bytes()))
}

/// What stands in front of every name in a PEFT file.
pub(crate) const PEFT_PREFIX: &str = "base_model.model.";

/// Tensors by name: shape and values.
pub(crate) type NamedTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

//! How rotary frequencies are stretched, so that a model reads longer texts than it was first trained on.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::inverse_frequencies;
use crate::config::keys::Keys;
use crate::config::rope::RopeKeys;
use crate::config::{ConfigError, LARGEST_SIZE, key_error, validate_positive, validate_size};
use crate::gguf::GgufFile;
use crate::weights::WeightError;

/// The tensor of a GGUF file that holds the divisors of Llama 3's rotary frequencies.
pub(crate) const ROPE_DIVISORS: &str = "rope_freqs.weight";

/// A way to stretch frequencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stretch {
    /// All are divided by the same number (arXiv 2306.15595).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Low ones are divided, high ones kept.
    Llama3(Llama3Stretch),
}

/// Low frequencies are divided by `factor`, high ones kept, those between interpolated (Llama 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Llama3Stretch {
    /// Divisor of the low frequencies.
    pub(crate) factor: f64,
    /// Wavelengths above `original_max_position_embeddings / low_freq_factor` count as low frequencies.
    pub(crate) low_freq_factor: f64,
    /// Wavelengths below `original_max_position_embeddings / high_freq_factor` count as high frequencies.
    pub(crate) high_freq_factor: f64,
    /// Context length before stretching.
    pub(crate) original_max_position_embeddings: usize,
}

impl Stretch {
    /// What [`Stretch::from_hf`] reads, for messages.
    pub(crate) const SUPPORTED: &str = "`default`, `linear` or `llama3`";

    /// Reads a `config.json`.
    pub(crate) fn from_hf(
        keys: &Keys<'_>,
        rope: &RopeKeys<'_>,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(scaling) = &rope.scaling else {
            return Ok(None);
        };
        let wrong = |found: &dyn std::fmt::Display, expected: &str| {
            keys.error(scaling.key, found, expected)
        };
        match scaling.kind {
            "linear" => {
                let factor = scaling.number(keys, "factor")?;
                let nothing = || wrong(scaling.table, "the `factor` of `linear`");
                Ok(Some(Self::Linear {
                    factor: factor.ok_or_else(nothing)?,
                }))
            }
            "llama3" => Llama3Stretch::deserialize(scaling.table)
                .map(|numbers| Some(Self::Llama3(numbers)))
                .map_err(|error| wrong(&error, "the four numbers of `llama3`")),
            _ => Err(scaling.refuse(keys, Self::SUPPORTED)),
        }
    }

    /// Reads a GGUF file: `linear` by its keys, `llama3` by the divisors it stores.
    pub(crate) fn from_gguf(
        file: &GgufFile,
        architecture: &str,
        (theta, rotary_dim): (f64, usize),
    ) -> Result<Option<Self>, WeightError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        let key = |name: &str| format!("{architecture}.rope.scaling.{name}");
        keys.must_be_any(&key("type"), &["none", "linear"])?;
        keys.must_be_one(&key("attn_factor"))?;
        let llama3 = Llama3Stretch::from_gguf(file, theta, rotary_dim)?.map(Self::Llama3);
        match gguf_factor(file, architecture)? {
            None => Ok(llama3),
            Some((_, factor)) if llama3.is_none() => Ok(Some(Self::Linear { factor })),
            Some((key, factor)) => {
                let expected = format!("1 beside the tensor `{ROPE_DIVISORS}`");
                Err(keys.error(&key, factor, expected).into())
            }
        }
    }

    /// The divisor of each frequency, `[rotary_dim / 2]`.
    pub(crate) fn divisors(&self, theta: f64, rotary_dim: usize) -> Vec<f64> {
        match self {
            Self::Linear { factor } => vec![*factor; rotary_dim / 2],
            Self::Llama3(numbers) => numbers.divisors(theta, rotary_dim),
        }
    }

    /// The value of `rope_scaling` in a `config.json`.
    pub(crate) fn to_hf(self) -> Value {
        match self {
            Self::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            Self::Llama3(numbers) => json!({
                "rope_type": "llama3",
                "factor": numbers.factor,
                "low_freq_factor": numbers.low_freq_factor,
                "high_freq_factor": numbers.high_freq_factor,
                "original_max_position_embeddings": numbers.original_max_position_embeddings,
            }),
        }
    }

    /// Refuses numbers that stretch nothing.
    pub(crate) fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        match self {
            Self::Linear { factor } => validate_positive(file, "rope_scaling.factor", *factor),
            Self::Llama3(numbers) => numbers.validate(file),
        }
    }
}

/// What a GGUF file divides all frequencies by, and its key, new or old. It counts as `linear` where no kind is named, as in
/// `llama.cpp` (`llama_model_base::load_hparams`).
pub(crate) fn gguf_factor(
    file: &GgufFile,
    architecture: &str,
) -> Result<Option<(String, f64)>, ConfigError> {
    let keys = Keys::gguf(file.metadata(), file.path());
    let [kind, new, old] = ["scaling.type", "scaling.factor", "scale_linear"]
        .map(|name| format!("{architecture}.rope.{name}"));
    let kind = file.metadata().string(&kind);
    if kind == Some("none") {
        return Ok(None);
    }
    let found = match keys.optional_number(&new)? {
        None => keys.optional_number(&old)?.map(|factor| (old, factor)),
        Some(factor) => Some((new.clone(), factor)),
    };
    if found.is_none() && kind == Some("linear") {
        return Err(keys.error(&new, "nothing", "a number"));
    }
    Ok(found.filter(|(_, factor)| *factor != 1.0))
}

impl Llama3Stretch {
    /// The divisor of each rotary frequency, `[rotary_dim / 2]`.
    ///
    /// The rule is that of `transformers` (`_compute_llama3_parameters`); a GGUF file stores exactly these numbers as
    /// `rope_freqs.weight`.
    pub(crate) fn divisors(&self, theta: f64, rotary_dim: usize) -> Vec<f64> {
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
        let frequencies = inverse_frequencies(rotary_dim, theta);
        frequencies.into_iter().map(divisor).collect()
    }

    /// What the divisors in a GGUF file come from.
    ///
    /// Every published Llama 3 uses frequency factors 1 and 4 over an original context of 8192; only `factor` differs. So
    /// the largest divisor is the factor, and the rest must then agree.
    fn from_gguf(
        file: &GgufFile,
        theta: f64,
        rotary_dim: usize,
    ) -> Result<Option<Self>, WeightError> {
        let Some(tensor) = file.tensor(ROPE_DIVISORS) else {
            return Ok(None);
        };
        let stored = file.read(tensor)?;
        let stretch = Self {
            factor: stored.iter().copied().fold(1.0, f32::max).into(),
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        let expected = stretch.divisors(theta, rotary_dim);
        let agrees = |(stored, expected): (&f32, &f64)| {
            (f64::from(*stored) - expected).abs() <= 1e-3 * expected.abs()
        };
        if stored.len() == expected.len() && stored.iter().zip(&expected).all(agrees) {
            return Ok((stretch.factor > 1.0).then_some(stretch));
        }
        Err(WeightError::unsupported(
            file.path(),
            format!("tensor `{ROPE_DIVISORS}`"),
            format!("other divisors (largest {})", stretch.factor),
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

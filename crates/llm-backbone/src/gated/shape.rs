//! What the `config.json` and the GGUF keys of these families have in common.

use std::path::Path;

use serde_json::{Value, json};

use super::Rotation;
use crate::config::keys::Keys;
use crate::config::rope::RopeKeys;
use crate::config::sizes::{Spelling, require_width};
use crate::config::{ConfigError, LARGEST_SIZE, Sizes};
use crate::config::{key_error, validate_positive, validate_size};
use crate::gguf::GgufFile;
use crate::rope::inverse_frequencies;
use crate::rope::stretch::Stretch;
use crate::weights::WeightError;

/// Sizes and numbers of a model. Field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GatedShape {
    pub(crate) sizes: Sizes,
    /// Width inside the gated feed-forward layer.
    pub(crate) intermediate_size: usize,
    /// Epsilon of RMSNorm.
    pub(crate) rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub(crate) rope_theta: f64,
    /// How these are stretched.
    pub(crate) rope_scaling: Option<Stretch>,
}

/// That there is no token for padding, which `transformers` else takes to be one of the published vocabulary, whatever its size.
pub(crate) const NO_PADDING: (&str, Value) = ("pad_token_id", Value::Null);

/// What holds where a `config.json` leaves a number out.
pub(crate) struct Defaults {
    pub(crate) rms_norm_eps: f64,
    pub(crate) rope_theta: f64,
}

impl Defaults {
    /// Those of most families.
    pub(crate) const USUAL: Self = Self {
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
    };
}

impl GatedShape {
    /// Reads a `config.json`.
    pub(crate) fn from_hf(
        keys: &Keys<'_>,
        spelling: &Spelling,
        defaults: Defaults,
    ) -> Result<Self, ConfigError> {
        let rope = RopeKeys::from_hf(keys, Stretch::SUPPORTED)?;
        rope.require_whole_heads(keys)?;
        let rope_scaling = Stretch::from_hf(keys, &rope)?;
        Self::with_rope(keys, spelling, defaults, (rope.theta, rope_scaling))
    }

    /// The same where the family reads the keys of rotary positions: their base, if it is named, and how they are stretched.
    pub(crate) fn with_rope(
        keys: &Keys<'_>,
        spelling: &Spelling,
        defaults: Defaults,
        (theta, rope_scaling): (Option<f64>, Option<Stretch>),
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            sizes: Sizes::from_hf(keys, spelling)?,
            intermediate_size: keys.size("intermediate_size")?,
            rms_norm_eps: keys
                .optional_number("rms_norm_eps")?
                .unwrap_or(defaults.rms_norm_eps),
            rope_theta: theta.unwrap_or(defaults.rope_theta),
            rope_scaling,
        })
    }

    /// Reads the keys of a GGUF file, which begin with `architecture`.
    pub(crate) fn from_gguf(file: &GgufFile, architecture: &str) -> Result<Self, WeightError> {
        let mut shape = Self::unstretched_from_gguf(file, architecture)?;
        let keys = Keys::gguf(file.metadata(), file.path());
        let head_dim = shape.sizes.head_dim;
        let rotated = format!("{architecture}.rope.dimension_count");
        require_width(&keys, &rotated, head_dim)?;
        let frequencies = (shape.rope_theta, head_dim);
        shape.rope_scaling = Stretch::from_gguf(file, architecture, frequencies)?;
        Ok(shape)
    }

    /// The same without what is said of rotary positions beside their base.
    pub(crate) fn unstretched_from_gguf(
        file: &GgufFile,
        architecture: &str,
    ) -> Result<Self, WeightError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        let key = |name: &str| format!("{architecture}.{name}");
        Ok(Self {
            sizes: Sizes::from_gguf(file, architecture)?,
            intermediate_size: keys.size(&key("feed_forward_length"))?,
            rms_norm_eps: keys.number(&key("attention.layer_norm_rms_epsilon"))?,
            rope_theta: keys
                .optional_number(&key("rope.freq_base"))?
                .unwrap_or(10_000.0),
            rope_scaling: None,
        })
    }

    /// The keys of a `config.json`.
    pub(super) fn to_hf(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("intermediate_size", json!(self.intermediate_size)),
            ("rms_norm_eps", json!(self.rms_norm_eps)),
            ("rope_theta", json!(self.rope_theta)),
            ("rope_scaling", json!(self.rope_scaling.map(Stretch::to_hf))),
        ]
    }

    /// That the numbers make a model.
    pub(super) fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        let inner = self.intermediate_size;
        validate_size(file, "intermediate_size", inner, LARGEST_SIZE)?;
        validate_positive(file, "rms_norm_eps", self.rms_norm_eps)?;
        validate_positive(file, "rope_theta", self.rope_theta)?;
        let head_dim = self.sizes.head_dim;
        if !head_dim.is_multiple_of(2) {
            return Err(key_error(file, "head_dim", head_dim, "an even number"));
        }
        self.rope_scaling
            .map_or(Ok(()), |stretch| stretch.validate(file))
    }

    /// Whole heads are rotated, by the base and its stretching.
    pub(crate) fn rotation(&self) -> Rotation {
        let mut rotation = self.unstretched(self.rope_theta);
        if let Some(stretch) = &self.rope_scaling {
            let divisors = stretch.divisors(self.rope_theta, self.sizes.head_dim);
            for (frequency, divisor) in rotation.frequencies.iter_mut().zip(divisors) {
                *frequency /= divisor;
            }
        }
        rotation
    }

    /// Whole heads are rotated by another base alone.
    pub(crate) fn unstretched(&self, theta: f64) -> Rotation {
        Rotation {
            frequencies: inverse_frequencies(self.sizes.head_dim, theta),
            stretched: 1.0,
        }
    }
}

/// That the activation, where there is one, is SiLU, by either of its names.
pub(crate) fn require_silu(keys: &Keys<'_>) -> Result<(), ConfigError> {
    keys.must_be_any("hidden_act", &["silu", "swish"])
}

/// The sliding window that a GGUF file names; 0 is none.
pub(crate) fn gguf_window(
    file: &GgufFile,
    architecture: &str,
) -> Result<Option<usize>, ConfigError> {
    let keys = Keys::gguf(file.metadata(), file.path());
    let window = keys.optional_size(&format!("{architecture}.attention.sliding_window"))?;
    Ok(window.filter(|window| *window > 0))
}

/// Refuses a sliding window of a family that has none.
pub(crate) fn refuse_gguf_window(file: &GgufFile, architecture: &str) -> Result<(), ConfigError> {
    match gguf_window(file, architecture)? {
        None => Ok(()),
        Some(window) => {
            let keys = Keys::gguf(file.metadata(), file.path());
            let key = format!("{architecture}.attention.sliding_window");
            Err(keys.error(&key, window, "none (nothing else is supported)"))
        }
    }
}

//! Phi-3, Phi-3.5-mini, Phi-4-mini and Phi-4 (arXiv 2404.14219; `transformers` class `Phi3ForCausalLM`).
//!
//! As Llama (`gated.rs`), but queries, keys and values come from one layer and so do gate and up; only the first dimensions of
//! a head may be rotated; and a token may see no further back than a sliding window.
//!
//! Models for long texts stretch their frequencies by two lists (longrope, arXiv 2402.13753): one for texts up to
//! `original_max_position_embeddings`, one for longer ones. Which one holds depends on the whole of a text, so nothing computed
//! for a shorter one could be kept; such a model is read as one of texts of the original length.

use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::config::keys::Keys;
use crate::config::rope::{ROTATED, RopeKeys};
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, LARGEST_SIZE, key_error, validate_size};
use crate::gated::{BEFORE, DOWN, Defaults, GatedFamily, GatedShape, O, Plan};
use crate::gated::{NO_PADDING, Rotation, SightPlan, gguf_names, gguf_window, require_silu};
use crate::gguf::GgufFile;
use crate::rope::inverse_frequencies;
use crate::rope::stretch::gguf_factor;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

#[cfg(test)]
mod tests;

const QKV: &str = "self_attn.qkv_proj";
const GATE_UP: &str = "mlp.gate_up_proj";

const SPELLING: Spelling = Spelling {
    default_max_positions: Some(4096),
    ..Spelling::USUAL
};

const MAX: &str = "max_position_embeddings";
const ORIGINAL: &str = "original_max_position_embeddings";

/// Ways to stretch frequencies, for messages.
const STRETCHES: &str = "`default` or `longrope`";

/// Dimensions of a head that are rotated: rounded down, as `transformers` does.
fn rotated(head_dim: usize, share: f64) -> usize {
    (head_dim as f64 * share) as usize
}

/// The tensors of a GGUF file that hold the lists.
const SHORT: &str = "rope_factors_short.weight";
const LONG: &str = "rope_factors_long.weight";

/// Shape of a Phi-3.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phi3Config {
    shape: GatedShape,
    /// Leading dimensions of a head that are rotated.
    rotary_dim: usize,
    /// How frequencies are stretched, if they are.
    long: Option<LongRope>,
    /// Positions that a token sees, its own among them; none where it sees all.
    sliding_window: Option<usize>,
}

/// Two lists of divisors of frequencies, `[rotary_dim / 2]` each.
#[derive(Debug, Clone, PartialEq)]
struct LongRope {
    /// For texts of the original length.
    short: Vec<f64>,
    /// For longer ones: kept for whoever reads the model next.
    long: Vec<f64>,
    /// The original length.
    original: usize,
    /// The longest text that the model was made for.
    max: usize,
}

impl LongRope {
    /// How many times longer than the original length texts may be.
    fn factor(&self) -> f64 {
        self.max as f64 / self.original as f64
    }

    /// What rotated numbers are multiplied with: `sqrt(1 + ln(max / original) / ln(original))`, as in `transformers`.
    fn attention_factor(&self) -> f64 {
        match self.max > self.original {
            true => (1.0 + self.factor().ln() / (self.original as f64).ln()).sqrt(),
            false => 1.0,
        }
    }
}

impl Phi3Config {
    /// A stretched model is one of texts of the original length.
    fn new(
        mut shape: GatedShape,
        rotary_dim: usize,
        long: Option<LongRope>,
        sliding_window: Option<usize>,
    ) -> Self {
        if let Some(long) = &long {
            shape.sizes.max_positions = long.original.min(long.max);
        }
        Self {
            shape,
            rotary_dim,
            long,
            sliding_window,
        }
    }

    fn from_gguf(file: &GgufFile) -> Result<Self, WeightError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        let shape = GatedShape::unstretched_from_gguf(file, "phi3")?;
        let rotary_dim = keys.optional_size("phi3.rope.dimension_count")?;
        let rotary_dim = rotary_dim.unwrap_or(shape.sizes.head_dim);
        let long = Self::long_from_gguf(file, shape.sizes.max_positions)?;
        let window = gguf_window(file, "phi3")?;
        Ok(Self::new(shape, rotary_dim, long, window))
    }

    fn long_from_gguf(file: &GgufFile, max: usize) -> Result<Option<LongRope>, WeightError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        let kind = "phi3.rope.scaling.type";
        let attention_factor = "phi3.rope.scaling.attn_factor";
        if let Some((key, factor)) = gguf_factor(file, "phi3")? {
            return Err(keys
                .error(&key, factor, "1 (nothing else is supported)")
                .into());
        }
        let tensor = |name| {
            let names = || file.tensors().iter().map(|tensor| tensor.name.clone());
            let missing = || WeightError::missing(file.path(), name, names().collect());
            file.tensor(name).ok_or_else(missing)
        };
        let (short, long) = match (file.tensor(SHORT), file.tensor(LONG)) {
            (None, None) => {
                keys.must_be(kind, "none")?;
                keys.must_be_one(attention_factor)?;
                return Ok(None);
            }
            _ => (tensor(SHORT)?, tensor(LONG)?),
        };
        keys.must_be(kind, "longrope")?;
        let numbers = |tensor| -> Result<Vec<f64>, WeightError> {
            Ok(file.read(tensor)?.into_iter().map(f64::from).collect())
        };
        let long = LongRope {
            short: numbers(short)?,
            long: numbers(long)?,
            original: keys.size("phi3.rope.scaling.original_context_length")?,
            max,
        };
        let found = keys.optional_number(attention_factor)?;
        let expected = long.attention_factor();
        match found {
            Some(found) if (found - expected).abs() > 1e-3 => Err(keys
                .error(attention_factor, found, expected.to_string())
                .into()),
            _ => Ok(Some(long)),
        }
    }

    fn long_from_hf(keys: &Keys<'_>, rope: &RopeKeys<'_>) -> Result<Option<LongRope>, ConfigError> {
        let Some(scaling) = &rope.scaling else {
            return Ok(None);
        };
        // The first of these models called it `su`.
        if !matches!(scaling.kind, "longrope" | "su") {
            return Err(scaling.refuse(keys, STRETCHES));
        }
        let list = |name: &str| -> Result<Vec<f64>, ConfigError> {
            let list = scaling.table.get(name).and_then(Value::as_array);
            let numbers = list.map(|list| list.iter().map(Value::as_f64).collect());
            numbers.flatten().ok_or_else(|| {
                let key = format!("{}.{name}", scaling.key);
                keys.error(&key, scaling.table, "a list of numbers")
            })
        };
        let long = LongRope {
            short: list("short_factor")?,
            long: list("long_factor")?,
            original: keys.optional_size(ORIGINAL)?.unwrap_or(4096),
            max: keys.optional_size(MAX)?.unwrap_or(4096),
        };
        let (factor, attention) = (long.factor(), long.attention_factor());
        for (name, follows) in [
            ("factor", factor),
            ("attention_factor", attention),
            ("short_mscale", attention),
            ("long_mscale", attention),
        ] {
            let found = scaling.number(keys, name)?;
            if let Some(found) = found.filter(|found| (found - follows).abs() > 1e-6 * follows) {
                let key = format!("{}.{name}", scaling.key);
                let expected = format!("{follows} (it follows from the lengths)");
                return Err(keys.error(&key, found, expected));
            }
        }
        Ok(Some(long))
    }

    fn check_long(&self, file: &Path, long: &LongRope) -> Result<(), ConfigError> {
        validate_size(file, ORIGINAL, long.original, LARGEST_SIZE)?;
        validate_size(file, MAX, long.max, LARGEST_SIZE)?;
        if long.original < 2 {
            return Err(key_error(file, ORIGINAL, long.original, "at least 2"));
        }
        for (name, list) in [("short_factor", &long.short), ("long_factor", &long.long)] {
            let pairs = self.rotary_dim / 2;
            let good = list.iter().all(|x| x.is_finite() && *x > 0.0);
            if list.len() != pairs || !good {
                let key = format!("rope_scaling.{name}");
                let found = format!("{} entries", list.len());
                let expected = format!("{pairs} positive numbers");
                return Err(key_error(file, &key, found, expected));
            }
        }
        Ok(())
    }
}

impl GatedFamily for Phi3Config {
    const FACTS: Facts = Facts {
        model_type: "phi3",
        class: "Phi3ForCausalLM",
        spelling: &SPELLING,
    };

    fn read(keys: &Keys<'_>) -> Result<Self, ConfigError> {
        for key in ["attention_bias", "mlp_bias", "lm_head_bias"] {
            keys.must_be_false(key)?;
        }
        require_silu(keys)?;
        const DEFAULTS: Defaults = Defaults {
            rms_norm_eps: 1e-5,
            ..Defaults::USUAL
        };
        let rope = RopeKeys::from_hf(keys, STRETCHES)?;
        let long = Self::long_from_hf(keys, &rope)?;
        let shape = GatedShape::with_rope(keys, &SPELLING, DEFAULTS, (rope.theta, None))?;
        let rotary_dim = rotated(shape.sizes.head_dim, rope.rotated.unwrap_or(1.0));
        let window = keys.optional_size("sliding_window")?;
        Ok(Self::new(shape, rotary_dim, long, window))
    }

    fn names() -> GgufNames<Self> {
        GgufNames {
            inside: &[
                BEFORE,
                &[
                    (QKV, "attn_qkv"),
                    (O, "attn_output"),
                    (GATE_UP, "ffn_up"),
                    (DOWN, "ffn_down"),
                ],
            ],
            no_weights: &[SHORT, LONG],
            ..gguf_names("phi3", Self::from_gguf)
        }
    }

    fn shape(&self) -> &GatedShape {
        &self.shape
    }

    fn shape_mut(&mut self) -> &mut GatedShape {
        &mut self.shape
    }

    fn own_keys(&self) -> Vec<(&'static str, Value)> {
        let head_dim = self.shape.sizes.head_dim;
        let share = self.rotary_dim as f64 / head_dim as f64;
        let share = match rotated(head_dim, share) == self.rotary_dim {
            true => share,
            // The quotient was rounded, and their product is less.
            false => share.next_up(),
        };
        let mut keys = vec![
            ("hidden_act", json!("silu")),
            ("sliding_window", json!(self.sliding_window)),
            (ROTATED, json!(share)),
            NO_PADDING,
        ];
        if let Some(long) = &self.long {
            let lists = json!({
                "type": "longrope", "short_factor": long.short, "long_factor": long.long,
            });
            keys.extend([
                ("rope_scaling", lists),
                (ORIGINAL, json!(long.original)),
                (MAX, json!(long.max)),
            ]);
        }
        keys
    }

    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        let head_dim = self.shape.sizes.head_dim;
        let rotary_dim = self.rotary_dim;
        if rotary_dim == 0 || !rotary_dim.is_multiple_of(2) || rotary_dim > head_dim {
            let found = format!("{rotary_dim} of {head_dim} dimensions");
            let expected = "an even number of dimensions of a head";
            return Err(key_error(file, ROTATED, found, expected));
        }
        if let Some(window) = self.sliding_window {
            validate_size(file, "sliding_window", window, LARGEST_SIZE)?;
        }
        let long = self.long.as_ref();
        long.map_or(Ok(()), |long| self.check_long(file, long))
    }

    fn plan(&self) -> Plan {
        let mut frequencies = inverse_frequencies(self.rotary_dim, self.shape.rope_theta);
        if let Some(long) = &self.long {
            for (frequency, divisor) in frequencies.iter_mut().zip(&long.short) {
                *frequency /= divisor;
            }
        }
        let stretched = self.long.as_ref().map_or(1.0, LongRope::attention_factor);
        let sight = SightPlan {
            rotation: Some(Rotation {
                frequencies,
                stretched,
            }),
            window: self.sliding_window,
        };
        Plan {
            qkv: &[QKV],
            gate_up: &[GATE_UP],
            sights: vec![sight],
            ..Plan::of(&self.shape)
        }
    }
}

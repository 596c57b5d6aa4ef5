use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ConfigError, LARGEST_DEPTH, LARGEST_SIZE};
use super::{check_ids, check_positive, check_size, key_error};

/// Shape of a Llama model. Field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// Rows of the embedding matrix.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the gated MLP.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; each serves `num_attention_heads / num_key_value_heads` query heads.
    pub num_key_value_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Epsilon of RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Llama 3 stretching of the rotary frequencies, if the model uses it.
    pub rope_scaling: Option<Llama3Scaling>,
    /// Longest sequence, in positions.
    pub max_position_embeddings: usize,
    /// Whether the LM head is the embedding matrix.
    pub tie_word_embeddings: bool,
    /// Id that starts a sequence.
    pub bos_token_id: Option<u32>,
    /// Ids that end a sequence.
    pub eos_token_ids: Vec<u32>,
}

/// Llama 3 RoPE scaling: low frequencies are divided by `factor`, high ones kept, those between interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Llama3Scaling {
    /// Divisor of the low frequencies.
    pub factor: f64,
    /// Wavelengths above `original_max_position_embeddings / low_freq_factor` count as low frequencies.
    pub low_freq_factor: f64,
    /// Wavelengths below `original_max_position_embeddings / high_freq_factor` count as high frequencies.
    pub high_freq_factor: f64,
    /// Context length before stretching.
    pub original_max_position_embeddings: usize,
}

impl Llama3Scaling {
    /// The divisor of each rotary frequency, `[head_dim / 2]`.
    ///
    /// The rule is that of `transformers` (`_compute_llama3_parameters`); a GGUF file stores exactly these numbers as
    /// `rope_freqs.weight`.
    pub fn divisors(&self, rope_theta: f64, head_dim: usize) -> Vec<f64> {
        let original = self.original_max_position_embeddings as f64;
        (0..head_dim / 2)
            .map(|pair| {
                let frequency = rope_theta.powf(-2.0 * pair as f64 / head_dim as f64);
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
            })
            .collect()
    }

    fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        check_positive(file, "rope_scaling.factor", self.factor)?;
        check_positive(file, "rope_scaling.low_freq_factor", self.low_freq_factor)?;
        check_positive(file, "rope_scaling.high_freq_factor", self.high_freq_factor)?;
        check_size(
            file,
            "rope_scaling.original_max_position_embeddings",
            self.original_max_position_embeddings,
            LARGEST_SIZE,
        )?;
        if self.high_freq_factor <= self.low_freq_factor {
            return Err(key_error(
                file,
                "rope_scaling.high_freq_factor",
                self.high_freq_factor,
                format!("more than low_freq_factor {}", self.low_freq_factor),
            ));
        }
        Ok(())
    }
}

impl LlamaConfig {
    /// The `config.json` of this model.
    pub fn to_hf_json(&self) -> Value {
        let mut value = json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": null,
            "max_position_embeddings": self.max_position_embeddings,
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": false,
            "mlp_bias": false,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": super::json::eos_value(&self.eos_token_ids),
            "torch_dtype": "float32",
        });
        if let Some(scaling) = self.rope_scaling {
            value["rope_scaling"] = json!({
                "rope_type": "llama3",
                "factor": scaling.factor,
                "low_freq_factor": scaling.low_freq_factor,
                "high_freq_factor": scaling.high_freq_factor,
                "original_max_position_embeddings": scaling.original_max_position_embeddings,
            });
        }
        value
    }

    pub(super) fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            check_size(file, key, value, LARGEST_SIZE)?;
        }
        check_size(
            file,
            "num_hidden_layers",
            self.num_hidden_layers,
            LARGEST_DEPTH,
        )?;
        check_positive(file, "rms_norm_eps", self.rms_norm_eps)?;
        check_positive(file, "rope_theta", self.rope_theta)?;
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            return Err(key_error(
                file,
                "num_key_value_heads",
                self.num_key_value_heads,
                format!(
                    "a divisor of num_attention_heads {}",
                    self.num_attention_heads
                ),
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(key_error(file, "head_dim", self.head_dim, "an even number"));
        }
        if let Some(scaling) = &self.rope_scaling {
            scaling.validate(file)?;
        }
        check_ids(
            file,
            self.vocab_size,
            self.bos_token_id,
            &self.eos_token_ids,
        )
    }
}

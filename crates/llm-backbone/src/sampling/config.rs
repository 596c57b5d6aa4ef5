use serde::{Deserialize, Serialize};

use super::SamplingError;

/// How tokens are chosen. Every key has a default; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingConfig {
    /// Divides the logits. Default 1.
    pub temperature: f32,
    /// Keeps the `top_k` most likely tokens; 0 keeps all. Default 0.
    pub top_k: usize,
    /// Keeps the smallest set of most likely tokens whose probabilities reach `top_p`; 1 keeps all. Default 1.
    pub top_p: f32,
    /// Makes tokens of the history less likely (above 1) or more (below 1). Default 1.
    pub repetition_penalty: f32,
    /// No run of this many tokens comes twice; 0 allows all. Default 0.
    pub no_repeat_ngram: usize,
    /// Stop ids are excluded before this many tokens. Default 0.
    pub min_new_tokens: usize,
    /// Generation ends after this many tokens. Default 128.
    pub max_new_tokens: usize,
    /// Ids that end generation. Default none: the caller adds the model's own.
    pub stop_ids: Vec<u32>,
    /// Seed of the draws. Default 0.
    pub seed: u64,
    /// Takes the most likely token; temperature, top-k and top-p then do nothing. Default false.
    pub greedy: bool,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            no_repeat_ngram: 0,
            min_new_tokens: 0,
            max_new_tokens: 128,
            stop_ids: Vec::new(),
            seed: 0,
            greedy: false,
        }
    }
}

impl SamplingConfig {
    /// The lowest temperature: far below any use, and logits that are divided by it are numbers still.
    pub const LOWEST_TEMPERATURE: f32 = 1e-4;

    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`SamplingError::Setting`] for the first that is out of range.
    pub fn validate(&self) -> Result<(), SamplingError> {
        let penalty = self.repetition_penalty;
        if !(self.temperature.is_finite() && self.temperature >= Self::LOWEST_TEMPERATURE) {
            return Err(SamplingError::Setting {
                key: "temperature",
                found: self.temperature.to_string(),
                expected: "a number of at least 0.0001 (for the most likely token set `greedy`)",
            });
        }
        if !(penalty.is_finite() && penalty > 0.0) {
            return Err(SamplingError::Setting {
                key: "repetition_penalty",
                found: penalty.to_string(),
                expected: "a positive number",
            });
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(SamplingError::Setting {
                key: "top_p",
                found: self.top_p.to_string(),
                expected: "more than 0 and at most 1",
            });
        }
        if self.min_new_tokens > self.max_new_tokens {
            return Err(SamplingError::Setting {
                key: "min_new_tokens",
                found: self.min_new_tokens.to_string(),
                expected: "at most `max_new_tokens`",
            });
        }
        Ok(())
    }
}

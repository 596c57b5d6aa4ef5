//! Choosing the next token: pure functions of logits, history and a key.
//!
//! The processors and their order are those of `transformers` (`GenerationMixin._get_logits_processor`): repetition
//! penalty, no repeated n-grams, least new tokens, and, when sampling, temperature, top-k, top-p.

mod config;
mod draw;
mod filters;

pub use config::SamplingConfig;
pub(crate) use draw::{DrawKey, argmax, draw};

/// Why no token could be chosen, or a configuration makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplingError {
    /// A setting is out of range.
    #[error("sampling: `{key}`: found {found}, expected {expected}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// Every token is excluded, or there are none.
    #[error("sampling: no token is allowed (of {vocabulary} in the vocabulary)")]
    NothingAllowed {
        /// Number of logits.
        vocabulary: usize,
    },
    /// Logits that the device does not give back.
    #[error("sampling: the device's numbers could not be read: {0}")]
    Device(String),
    /// The model produced something that is no number.
    #[error("sampling: the logit of token {token} is not a number")]
    NotANumber {
        /// The token's id.
        token: usize,
    },
}

/// Applies a checked [`SamplingConfig`] to logits.
#[derive(Debug, Clone, PartialEq)]
pub struct LogitsProcessor {
    config: SamplingConfig,
}

impl LogitsProcessor {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`SamplingError::Setting`] for the first that is out of range.
    pub fn new(config: SamplingConfig) -> Result<Self, SamplingError> {
        config.validate()?;
        Ok(Self { config })
    }

    /// The settings.
    pub fn config(&self) -> &SamplingConfig {
        &self.config
    }

    /// Changes `logits` (`[vocabulary]`) in place; excluded tokens become minus infinity.
    ///
    /// `history` is the prompt and what has been generated so far, of which `new_tokens` are generated. Soft tokens have
    /// no id and are not part of it.
    pub fn process(&self, logits: &mut [f32], history: &[u32], new_tokens: usize) {
        let config = &self.config;
        filters::repetition_penalty(logits, history, config.repetition_penalty);
        filters::no_repeat_ngram(logits, history, config.no_repeat_ngram);
        if new_tokens < config.min_new_tokens {
            filters::exclude(logits, &config.stop_ids);
        }
        if config.greedy {
            return;
        }
        filters::temperature(logits, config.temperature);
        filters::top_k(logits, config.top_k);
        filters::top_p(logits, config.top_p);
    }

    /// Processes `logits` and chooses a token: the most likely one when greedy, else a draw.
    ///
    /// `key.step` is the number of tokens generated so far.
    ///
    /// # Errors
    ///
    /// [`SamplingError`] if a logit is no number or no token is left.
    pub(crate) fn sample(
        &self,
        logits: &mut [f32],
        history: &[u32],
        key: &DrawKey<'_>,
    ) -> Result<u32, SamplingError> {
        if let Some(token) = logits.iter().position(|logit| logit.is_nan()) {
            return Err(SamplingError::NotANumber { token });
        }
        self.process(logits, history, key.step);
        if self.config.greedy {
            argmax(logits)
        } else {
            draw(logits, key)
        }
    }

    /// Whether generation ends with `token`.
    pub(crate) fn stops_at(&self, token: u32) -> bool {
        self.config.stop_ids.contains(&token)
    }
}

#[cfg(test)]
mod tests;

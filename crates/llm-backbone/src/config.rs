//! Model shapes, read from a Hugging Face `config.json` or from GGUF metadata.

mod gguf;
mod gptj;
mod json;
mod llama;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use gptj::GptJConfig;
pub use llama::{Llama3Scaling, LlamaConfig};

/// The architectures this crate runs, as `config.json` names them.
pub const SUPPORTED_ARCHITECTURES: &[&str] = &["llama", "gptj"];

/// The shape of a language model, one variant per supported architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "architecture", rename_all = "lowercase")]
pub enum ModelConfig {
    /// Llama and everything built like it (SmolLM2, TinyLlama, Llama 2 and 3).
    Llama(LlamaConfig),
    /// GPT-J 6B and its fine-tunes.
    GptJ(GptJConfig),
}

/// Why a model's configuration could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not JSON, or a key has the wrong type or is missing.
    #[error("{}: {source}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// The key, line and column.
        source: serde_json::Error,
    },
    /// The model is of a kind this crate does not run.
    #[error("{}: architecture: found {found}, supported are {supported}", file.display())]
    Architecture {
        /// The file.
        file: PathBuf,
        /// What the file names.
        found: String,
        /// The architectures that would do.
        supported: String,
    },
    /// A key holds a value that cannot be used.
    #[error("{}: key `{key}`: found {found}, expected {expected}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would do.
        expected: String,
    },
}

impl ModelConfig {
    /// Reads a Hugging Face `config.json`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the file cannot be read, is no such JSON, or describes a model that is not supported.
    pub fn from_hf_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let file = path.as_ref();
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Io {
            file: file.to_owned(),
            source,
        })?;
        Self::from_hf_json(&text, file)
    }

    /// Reads the text of a Hugging Face `config.json`; `file` appears in errors only.
    ///
    /// # Errors
    ///
    /// As [`ModelConfig::from_hf_file`].
    pub fn from_hf_json(text: &str, file: &Path) -> Result<Self, ConfigError> {
        json::model_config(text, file)
    }

    /// Reads the metadata of a GGUF file; `file` appears in errors only.
    ///
    /// Llama 3 keeps its RoPE scaling in a tensor, not in the metadata; see [`crate::weights::open`], which adds it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a key is missing, of the wrong type, or describes a model that is not supported.
    pub fn from_gguf(metadata: &crate::gguf::Metadata, file: &Path) -> Result<Self, ConfigError> {
        gguf::model_config(metadata, file)
    }

    /// The `config.json` that Hugging Face `transformers` reads back as this model.
    pub fn to_hf_json(&self) -> serde_json::Value {
        match self {
            Self::Llama(config) => config.to_hf_json(),
            Self::GptJ(config) => config.to_hf_json(),
        }
    }

    /// Rows of the embedding matrix.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Llama(config) => config.vocab_size,
            Self::GptJ(config) => config.vocab_size,
        }
    }

    /// Width of the residual stream (`d_model`).
    pub fn hidden_size(&self) -> usize {
        match self {
            Self::Llama(config) => config.hidden_size,
            Self::GptJ(config) => config.n_embd,
        }
    }

    /// Number of transformer blocks.
    pub fn num_layers(&self) -> usize {
        match self {
            Self::Llama(config) => config.num_hidden_layers,
            Self::GptJ(config) => config.n_layer,
        }
    }

    /// The longest sequence the model was made for, in positions.
    pub fn max_positions(&self) -> usize {
        match self {
            Self::Llama(config) => config.max_position_embeddings,
            Self::GptJ(config) => config.n_positions,
        }
    }

    /// Whether the LM head is the embedding matrix.
    pub fn ties_embeddings(&self) -> bool {
        match self {
            Self::Llama(config) => config.tie_word_embeddings,
            Self::GptJ(config) => config.tie_word_embeddings,
        }
    }

    /// The id that starts a sequence, if the file names one.
    pub fn bos_token_id(&self) -> Option<u32> {
        match self {
            Self::Llama(config) => config.bos_token_id,
            Self::GptJ(config) => config.bos_token_id,
        }
    }

    /// The ids that end a sequence; empty if the file names none.
    pub fn eos_token_ids(&self) -> &[u32] {
        match self {
            Self::Llama(config) => &config.eos_token_ids,
            Self::GptJ(config) => &config.eos_token_ids,
        }
    }

    /// Checks that the sizes make a model.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Key`] for the first key that does not.
    pub fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        match self {
            Self::Llama(config) => config.validate(file),
            Self::GptJ(config) => config.validate(file),
        }
    }
}

/// Largest size accepted for any width, count or vocabulary: far above every real model, far below overflow.
const LARGEST_SIZE: usize = 1 << 24;

/// Most blocks accepted.
const LARGEST_DEPTH: usize = 4096;

fn key_error(
    file: &Path,
    key: &str,
    found: impl std::fmt::Display,
    expected: impl Into<String>,
) -> ConfigError {
    ConfigError::Key {
        file: file.to_owned(),
        key: key.to_owned(),
        found: found.to_string(),
        expected: expected.into(),
    }
}

/// Checks `1 <= value <= most`.
fn check_size(file: &Path, key: &str, value: usize, most: usize) -> Result<(), ConfigError> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(key_error(file, key, value, format!("1 to {most}")))
}

/// Checks that `value` is a positive, finite number.
fn check_positive(file: &Path, key: &str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(key_error(file, key, value, "a positive number"))
}

/// Checks that every special id is a row of the vocabulary.
fn check_ids(
    file: &Path,
    vocab_size: usize,
    bos: Option<u32>,
    eos: &[u32],
) -> Result<(), ConfigError> {
    let named = bos
        .iter()
        .map(|id| ("bos_token_id", *id))
        .chain(eos.iter().map(|id| ("eos_token_id", *id)));
    for (key, id) in named {
        if id as usize >= vocab_size {
            return Err(key_error(
                file,
                key,
                id,
                format!("an id below vocab_size {vocab_size}"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

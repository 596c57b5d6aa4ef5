//! Model shapes, read from a Hugging Face `config.json` or from GGUF metadata.

pub(crate) mod keys;
pub(crate) mod layers;
pub(crate) mod rope;
pub(crate) mod sizes;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

pub use sizes::Sizes;

use crate::family::{self, FamilyConfig};
use crate::weights::{self, UNQUANTISED};
use keys::Keys;

/// The shape of a language model of any family.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig(pub(crate) FamilyConfig);

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
    /// The file is something else, such as a pointer of Git LFS.
    #[error("{0}")]
    SomethingElse(String),
    /// The file is not JSON.
    #[error("{}: {source}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// The line and column.
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
    /// A key is missing, or holds a value that cannot be used.
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
    pub(crate) fn from_hf_file(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Io {
            file: file.to_owned(),
            source,
        })?;
        weights::refuse_pointer(file, text.as_bytes())
            .map_err(|problem| ConfigError::SomethingElse(problem.to_string()))?;
        Self::from_hf_json(&text, file)
    }

    /// Reads the text of a Hugging Face `config.json`; `file` appears in errors only.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is no such JSON, or describes a model that is not supported.
    pub fn from_hf_json(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let map: Map<String, Value> =
            serde_json::from_str(text).map_err(|source| ConfigError::Json {
                file: file.to_owned(),
                source,
            })?;
        let keys = Keys::json(&map, file);
        refuse_quantised(&keys)?;
        let config = Self(family::from_hf(&keys)?);
        config.validate(file)?;
        Ok(config)
    }

    /// A model to be made from scratch, with a gated feed-forward layer of `intermediate_size`. Its family is
    /// the one that most programs read.
    pub fn from_scratch(sizes: Sizes, intermediate_size: usize) -> Self {
        Self(family::from_scratch(sizes, intermediate_size))
    }

    /// The `config.json` that Hugging Face `transformers` reads back as this model.
    pub fn to_hf_json(&self) -> Value {
        let facts = self.0.facts();
        let mut map = Map::new();
        map.insert("architectures".to_owned(), json!([facts.class]));
        map.insert("model_type".to_owned(), json!(facts.model_type));
        map.extend(self.sizes().to_hf(facts.spelling));
        map.extend(self.0.config().to_hf());
        map.insert("torch_dtype".to_owned(), json!("float32"));
        Value::Object(map)
    }

    pub(crate) fn sizes(&self) -> &Sizes {
        self.0.config().sizes()
    }

    pub(crate) fn sizes_mut(&mut self) -> &mut Sizes {
        self.0.config_mut().sizes_mut()
    }

    /// Rows of the embedding matrix.
    pub fn vocab_size(&self) -> usize {
        self.sizes().vocab_size
    }

    /// The width `d` of token embeddings.
    pub fn d_model(&self) -> usize {
        self.sizes().hidden_size
    }

    /// Numbers that the graph of a training step keeps of each token and block.
    pub fn activations_per_token(&self) -> usize {
        self.0.config().activations_per_token()
    }

    /// Numbers that a key/value cache keeps of each token, over all blocks.
    pub fn cached_per_token(&self) -> usize {
        let sizes = self.sizes();
        2 * sizes.key_width() * sizes.num_layers
    }

    /// The longest sequence the model was made for, in positions.
    pub fn max_positions(&self) -> usize {
        self.sizes().max_positions
    }

    /// Refuses sizes that make no model; `file` appears in errors only.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Key`] for the first key that does not.
    pub fn validate(&self, file: &Path) -> Result<(), ConfigError> {
        self.sizes().validate(self.0.facts().spelling, file)?;
        self.0.config().validate(file)
    }
}

/// Refuses a model whose weights a program packed.
fn refuse_quantised(keys: &Keys<'_>) -> Result<(), ConfigError> {
    for key in ["quantization_config", "compression_config"] {
        let Some(Value::Object(map)) = keys.json_value(key) else {
            continue;
        };
        let flag = |name: &str| map.get(name).and_then(Value::as_bool);
        let bits = |name: &str| map.get(name).and_then(Value::as_u64);
        let bits = match () {
            () if flag("load_in_4bit") == Some(true) => Some(4),
            () if flag("load_in_8bit") == Some(true) => Some(8),
            () => bits("bits").or(bits("w_bit")),
        };
        let off = [flag("load_in_4bit"), flag("load_in_8bit")] == [Some(false); 2];
        if map.is_empty() || off {
            continue;
        }
        let method = map.get("quant_method").and_then(Value::as_str);
        let bits = bits.map_or(String::new(), |bits| format!(", {bits} bits"));
        let found = format!(
            "weights quantised by {}{bits}",
            method.unwrap_or("some program")
        );
        let expected = format!("weights as they were trained: {UNQUANTISED}");
        return Err(keys.error(key, found, expected));
    }
    Ok(())
}

/// Largest size accepted for any width, count or vocabulary: far above every real model, far below overflow.
pub(crate) const LARGEST_SIZE: usize = 1 << 24;

/// Most blocks accepted.
const LARGEST_DEPTH: usize = 4096;

pub(crate) fn key_error(
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

/// Refuses all but `1 <= value <= most`.
pub(crate) fn validate_size(
    file: &Path,
    key: &str,
    value: usize,
    most: usize,
) -> Result<(), ConfigError> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(key_error(file, key, value, format!("1 to {most}")))
}

/// Refuses all but positive, finite numbers.
pub(crate) fn validate_positive(file: &Path, key: &str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(key_error(file, key, value, "a positive number"))
}

#[cfg(test)]
pub(crate) mod tests;

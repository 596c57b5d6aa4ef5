//! The same shapes from GGUF metadata (`llama.*` keys; GPT-J has no GGUF convention in use).

use std::path::Path;

use super::json::default_head_dim;
use super::{ConfigError, LlamaConfig, ModelConfig, key_error};
use crate::gguf::Metadata;

pub(super) fn model_config(metadata: &Metadata, file: &Path) -> Result<ModelConfig, ConfigError> {
    let architecture = metadata.string("general.architecture").unwrap_or_default();
    if architecture != "llama" {
        return Err(ConfigError::Architecture {
            file: file.to_owned(),
            found: format!("`{architecture}`"),
            supported: "llama (GPT-J is read from a Hugging Face directory)".to_owned(),
        });
    }
    let config = ModelConfig::Llama(llama(&Keys { metadata, file })?);
    config.validate(file)?;
    Ok(config)
}

fn llama(keys: &Keys<'_>) -> Result<LlamaConfig, ConfigError> {
    refuse_variants(keys)?;
    let hidden_size = keys.size("llama.embedding_length")?;
    let heads = keys.size("llama.attention.head_count")?;
    let head_dim = match keys.optional_size("llama.attention.key_length")? {
        Some(width) => width,
        None => default_head_dim(hidden_size, heads, keys.file)?,
    };
    for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
        if let Some(width) = keys.optional_size(key)?.filter(|width| *width != head_dim) {
            let expected = format!("the width of a head, {head_dim}");
            return Err(key_error(keys.file, key, width, expected));
        }
    }
    Ok(LlamaConfig {
        vocab_size: keys.vocab_size()?,
        hidden_size,
        intermediate_size: keys.size("llama.feed_forward_length")?,
        num_hidden_layers: keys.size("llama.block_count")?,
        num_attention_heads: heads,
        num_key_value_heads: keys
            .optional_size("llama.attention.head_count_kv")?
            .unwrap_or(heads),
        head_dim,
        rms_norm_eps: keys.number("llama.attention.layer_norm_rms_epsilon")?,
        rope_theta: keys
            .optional_number("llama.rope.freq_base")?
            .unwrap_or(10_000.0),
        rope_scaling: None,
        max_position_embeddings: keys.size("llama.context_length")?,
        // A GGUF file says it by leaving the head's tensor out; `weights::open` looks.
        tie_word_embeddings: false,
        bos_token_id: keys.optional_id("tokenizer.ggml.bos_token_id")?,
        eos_token_ids: keys
            .optional_id("tokenizer.ggml.eos_token_id")?
            .into_iter()
            .collect(),
    })
}

/// Mixtures of experts and stretched RoPE share the name `llama`, and are something else.
fn refuse_variants(keys: &Keys<'_>) -> Result<(), ConfigError> {
    if let Some(experts) = keys.optional_size("llama.expert_count")?.filter(|n| *n > 0) {
        let expected = "no experts (mixtures are not supported)";
        return Err(key_error(
            keys.file,
            "llama.expert_count",
            experts,
            expected,
        ));
    }
    let key = "llama.rope.scaling.type";
    match keys.metadata.string(key) {
        Some(kind) if kind != "none" => {
            let expected = "`none` (Llama 3 scaling comes as the tensor `rope_freqs.weight`)";
            Err(key_error(keys.file, key, kind, expected))
        }
        _ => Ok(()),
    }
}

/// Typed look-ups that name file and key when they fail.
struct Keys<'a> {
    metadata: &'a Metadata,
    file: &'a Path,
}

impl Keys<'_> {
    fn size(&self, key: &str) -> Result<usize, ConfigError> {
        self.optional_size(key)?
            .ok_or_else(|| self.missing(key, "a whole number"))
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>, ConfigError> {
        let Some(value) = self.metadata.get(key) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(size) => Ok(Some(size)),
            None => Err(key_error(self.file, key, value.kind(), "a whole number")),
        }
    }

    fn optional_id(&self, key: &str) -> Result<Option<u32>, ConfigError> {
        match self.optional_size(key)? {
            None => Ok(None),
            Some(id) => match u32::try_from(id) {
                Ok(id) => Ok(Some(id)),
                Err(_) => Err(key_error(self.file, key, id, "a token id")),
            },
        }
    }

    fn number(&self, key: &str) -> Result<f64, ConfigError> {
        self.optional_number(key)?
            .ok_or_else(|| self.missing(key, "a number"))
    }

    /// Written as `f32`: the shortest decimal that rounds to it is the number that was meant (1e-5, not 9.99e-6).
    fn optional_number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.metadata.get(key) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(number) => Ok(Some(shortest(number))),
            None => Err(key_error(self.file, key, value.kind(), "a number")),
        }
    }

    /// `llama.vocab_size` is optional; the token list is not.
    fn vocab_size(&self) -> Result<usize, ConfigError> {
        if let Some(size) = self.optional_size("llama.vocab_size")? {
            return Ok(size);
        }
        let tokens = self.metadata.strings("tokenizer.ggml.tokens");
        tokens
            .map(<[String]>::len)
            .ok_or_else(|| self.missing("llama.vocab_size", "a whole number"))
    }

    fn missing(&self, key: &str, expected: &str) -> ConfigError {
        key_error(self.file, key, "nothing", expected)
    }
}

/// The `f64` nearest to the decimal that a 32-bit number prints as.
fn shortest(number: f64) -> f64 {
    let narrow = number as f32;
    if f64::from(narrow) == number {
        narrow.to_string().parse().unwrap_or(number)
    } else {
        number
    }
}

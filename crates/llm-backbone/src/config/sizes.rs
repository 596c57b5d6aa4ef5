//! The sizes that models of all families have.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::keys::Keys;
use super::{ConfigError, LARGEST_DEPTH, LARGEST_SIZE, key_error, validate_size};
use crate::gguf::GgufFile;

/// The sizes that models of all families have, and the ids that start and end their sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    /// Rows of the embedding matrix.
    pub vocab_size: usize,
    /// Width of the residual stream (`d_model`).
    pub hidden_size: usize,
    /// Number of transformer blocks.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; each serves `num_heads / num_kv_heads` query heads.
    pub num_kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// The longest sequence the model was made for, in positions.
    pub max_positions: usize,
    /// Whether the LM head is the embedding matrix.
    pub ties_embeddings: bool,
    /// The id that starts a sequence, if there is one.
    pub bos_token_id: Option<u32>,
    /// The ids that end a sequence.
    pub eos_token_ids: Vec<u32>,
}

/// How a `config.json` spells the sizes, and what holds where it leaves them out.
pub(crate) struct Spelling {
    pub(crate) hidden_size: &'static str,
    pub(crate) num_layers: &'static str,
    pub(crate) num_heads: &'static str,
    /// None where there are as many as query heads. Also the default.
    pub(crate) num_kv_heads: Option<&'static str>,
    /// None where heads share the hidden size.
    pub(crate) head_dim: Option<&'static str>,
    /// None where they share the hidden size.
    pub(crate) default_head_dim: Option<usize>,
    pub(crate) max_positions: &'static str,
    /// None where it must be there.
    pub(crate) default_max_positions: Option<usize>,
    /// Whether the head is the embedding matrix where nothing is said.
    pub(crate) default_tied: bool,
}

impl Spelling {
    /// That of most families.
    pub(crate) const USUAL: Self = Self {
        hidden_size: "hidden_size",
        num_layers: "num_hidden_layers",
        num_heads: "num_attention_heads",
        num_kv_heads: Some("num_key_value_heads"),
        head_dim: Some("head_dim"),
        default_head_dim: None,
        max_positions: "max_position_embeddings",
        default_max_positions: Some(2048),
        default_tied: false,
    };
}

const VOCAB_SIZE: &str = "vocab_size";
const TIED: &str = "tie_word_embeddings";
const BOS: &str = "bos_token_id";
const EOS: &str = "eos_token_id";

impl Sizes {
    /// Reads a `config.json`.
    pub(crate) fn from_hf(keys: &Keys<'_>, names: &Spelling) -> Result<Self, ConfigError> {
        let vocab_size = keys.size(VOCAB_SIZE)?;
        let hidden_size = keys.size(names.hidden_size)?;
        let num_heads = keys.size(names.num_heads)?;
        let optional = |key: Option<&str>| key.map_or(Ok(None), |key| keys.optional_size(key));
        let head_dim = match optional(names.head_dim)?.or(names.default_head_dim) {
            Some(width) => width,
            None => {
                let [hidden, heads] = [names.hidden_size, names.num_heads];
                shared_width((hidden, hidden_size), (heads, num_heads), keys)?
            }
        };
        let max_positions = match names.default_max_positions {
            Some(default) => keys.optional_size(names.max_positions)?.unwrap_or(default),
            None => keys.size(names.max_positions)?,
        };
        Ok(Self {
            vocab_size,
            hidden_size,
            num_layers: keys.size(names.num_layers)?,
            num_heads,
            num_kv_heads: optional(names.num_kv_heads)?.unwrap_or(num_heads),
            head_dim,
            max_positions,
            ties_embeddings: keys.optional_flag(TIED)?.unwrap_or(names.default_tied),
            bos_token_id: keys.optional_id(BOS, vocab_size)?,
            eos_token_ids: keys.ids(EOS, vocab_size)?,
        })
    }

    /// The keys of a `config.json`.
    pub(super) fn to_hf(&self, names: &Spelling) -> Map<String, Value> {
        let eos = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [id] => json!(id),
            ids => json!(ids),
        };
        let pairs = [
            (Some(VOCAB_SIZE), json!(self.vocab_size)),
            (Some(names.hidden_size), json!(self.hidden_size)),
            (Some(names.num_layers), json!(self.num_layers)),
            (Some(names.num_heads), json!(self.num_heads)),
            (names.num_kv_heads, json!(self.num_kv_heads)),
            (names.head_dim, json!(self.head_dim)),
            (Some(names.max_positions), json!(self.max_positions)),
            (Some(TIED), json!(self.ties_embeddings)),
            (Some(BOS), json!(self.bos_token_id)),
            (Some(EOS), eos),
        ];
        let named = pairs
            .into_iter()
            .filter_map(|(key, value)| Some((key?.to_owned(), value)));
        named.collect()
    }

    /// Reads the metadata of a GGUF file, whose keys start with the name of its architecture.
    ///
    /// Mixtures of experts go by the same architectures, and are refused.
    pub(crate) fn from_gguf(file: &GgufFile, architecture: &str) -> Result<Self, ConfigError> {
        let keys = Keys::gguf(file.metadata(), file.path());
        let key = |name: &str| format!("{architecture}.{name}");
        let experts = key("expert_count");
        if let Some(count) = keys.optional_size(&experts)?.filter(|count| *count > 0) {
            return Err(keys.error(&experts, count, "no experts (mixtures are not supported)"));
        }
        let hidden_size = keys.size(&key("embedding_length"))?;
        let heads_key = key("attention.head_count");
        let num_heads = keys.size(&heads_key)?;
        let head_dim = match keys.optional_size(&key("attention.key_length"))? {
            Some(width) => width,
            None => {
                let hidden = (&*key("embedding_length"), hidden_size);
                shared_width(hidden, (&heads_key, num_heads), &keys)?
            }
        };
        require_width(&keys, &key("attention.value_length"), head_dim)?;
        let vocab_size = gguf_vocab_size(&keys, &key(VOCAB_SIZE))?;
        let id = |name: &str| keys.optional_id(&format!("tokenizer.ggml.{name}"), vocab_size);
        Ok(Self {
            vocab_size,
            hidden_size,
            num_layers: keys.size(&key("block_count"))?,
            num_heads,
            num_kv_heads: keys
                .optional_size(&key("attention.head_count_kv"))?
                .unwrap_or(num_heads),
            head_dim,
            max_positions: keys.size(&key("context_length"))?,
            // A GGUF file says it by leaving the head's tensor out.
            ties_embeddings: file.tensor("output.weight").is_none(),
            bos_token_id: id(BOS)?,
            eos_token_ids: id(EOS)?.into_iter().collect(),
        })
    }

    /// That the sizes make a model; errors name keys of `config.json`.
    pub(super) fn validate(&self, names: &Spelling, file: &Path) -> Result<(), ConfigError> {
        let sizes = [
            (Some(VOCAB_SIZE), self.vocab_size),
            (Some(names.hidden_size), self.hidden_size),
            (Some(names.num_heads), self.num_heads),
            (names.num_kv_heads, self.num_kv_heads),
            (names.head_dim, self.head_dim),
            (Some(names.max_positions), self.max_positions),
        ];
        for (key, size) in sizes {
            if let Some(key) = key {
                validate_size(file, key, size, LARGEST_SIZE)?;
            }
        }
        validate_size(file, names.num_layers, self.num_layers, LARGEST_DEPTH)?;
        if let Some(key) = names.num_kv_heads
            && !self.num_heads.is_multiple_of(self.num_kv_heads)
        {
            let expected = format!("a divisor of {} {}", names.num_heads, self.num_heads);
            return Err(key_error(file, key, self.num_kv_heads, expected));
        }
        let bos = self.bos_token_id.iter().map(|id| (BOS, *id));
        let eos = self.eos_token_ids.iter().map(|id| (EOS, *id));
        for (key, id) in bos.chain(eos) {
            if id as usize >= self.vocab_size {
                let expected = format!("an id below vocab_size {}", self.vocab_size);
                return Err(key_error(file, key, id, expected));
            }
        }
        Ok(())
    }

    /// The width of all query heads together.
    pub(crate) fn query_width(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// The width of all key heads together.
    pub(crate) fn key_width(&self) -> usize {
        self.num_kv_heads * self.head_dim
    }
}

/// That a size, where there is one, is the width of a head.
pub(crate) fn require_width(
    keys: &Keys<'_>,
    key: &str,
    head_dim: usize,
) -> Result<(), ConfigError> {
    match keys.optional_size(key)? {
        Some(width) if width != head_dim => {
            let expected = format!("the width of a head, {head_dim}");
            Err(keys.error(key, width, expected))
        }
        _ => Ok(()),
    }
}

/// The width of a head where all share the hidden size, which must come out even.
fn shared_width(
    (hidden_key, hidden): (&str, usize),
    (heads_key, heads): (&str, usize),
    keys: &Keys<'_>,
) -> Result<usize, ConfigError> {
    if heads == 0 || !hidden.is_multiple_of(heads) {
        let expected = format!("a divisor of {hidden_key} {hidden}");
        return Err(keys.error(heads_key, heads, expected));
    }
    Ok(hidden / heads)
}

/// The size of the vocabulary need not be named; its tokens are listed.
fn gguf_vocab_size(keys: &Keys<'_>, key: &str) -> Result<usize, ConfigError> {
    let listed = || keys.count("tokenizer.ggml.tokens");
    keys.optional_size(key)?
        .or_else(listed)
        .ok_or_else(|| keys.error(key, "nothing", "a whole number"))
}

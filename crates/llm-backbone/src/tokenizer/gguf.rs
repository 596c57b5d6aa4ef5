//! The tokenizer in the metadata of a GGUF file (`tokenizer.ggml.*`).

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Value, json};

use super::{Tokenizer, TokenizerError, byte_bpe, file_error, sentencepiece};
use crate::gguf::Metadata;

/// Special tokens such as BOS.
pub(super) const CONTROL: u64 = 3;
/// Tokens the model's makers added, which are found in text before anything else.
const USER_DEFINED: u64 = 4;

/// The parts common to all vocabularies.
pub(super) struct Vocabulary<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) file: &'a Path,
    /// Tokens by id.
    pub(super) tokens: &'a [String],
}

impl Tokenizer {
    /// Makes a tokenizer from GGUF metadata; `file` appears in errors only.
    ///
    /// Understood are the models `gpt2` (byte-level BPE) and `llama` (SentencePiece BPE with byte fallback).
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`] naming the key that is missing, wrong or not supported.
    pub(crate) fn from_gguf(metadata: &Metadata, file: &Path) -> Result<Self, TokenizerError> {
        let vocabulary = Vocabulary::new(metadata, file)?;
        let key = "tokenizer.ggml.model";
        let (json, adds_bos) = match metadata.string(key) {
            Some("gpt2") => byte_bpe::tokenizer_json(&vocabulary)?,
            Some("llama") => (sentencepiece::tokenizer_json(&vocabulary)?, true),
            other => {
                let found = other.map_or("nothing".to_owned(), |name| format!("`{name}`"));
                return Err(file_error(file, key, found, "`gpt2` or `llama`"));
            }
        };
        let mut this = Self::from_json(&json, file)?;
        this.bos = vocabulary.id("tokenizer.ggml.bos_token_id")?;
        this.eos = vocabulary.id("tokenizer.ggml.eos_token_id")?;
        // The end of a turn, where it is another token than the end of a text.
        this.more_stops
            .extend(vocabulary.id("tokenizer.ggml.eot_token_id")?);
        let says = metadata.bool("tokenizer.ggml.add_bos_token");
        this.adds_bos = says.unwrap_or(adds_bos) && this.bos.is_some();
        this.chat_template = metadata
            .string("tokenizer.chat_template")
            .map(str::to_owned);
        this.template_extras.file = Some(file.to_owned());
        this.template_extras.tool_use = metadata
            .string("tokenizer.chat_template.tool_use")
            .map(str::to_owned);
        Ok(this)
    }
}

impl<'a> Vocabulary<'a> {
    fn new(metadata: &'a Metadata, file: &'a Path) -> Result<Self, TokenizerError> {
        let key = "tokenizer.ggml.tokens";
        let tokens = metadata
            .strings(key)
            .ok_or_else(|| file_error(file, key, "nothing", "a list of tokens"))?;
        let mut seen = HashSet::with_capacity(tokens.len());
        if let Some(twice) = tokens.iter().find(|token| !seen.insert(token.as_str())) {
            return Err(file_error(
                file,
                key,
                format!("{twice:?} twice"),
                "every token once",
            ));
        }
        Ok(Self {
            metadata,
            file,
            tokens,
        })
    }

    /// The id under `key`; one of no token is left out with a warning, as by `llama.cpp`.
    fn id(&self, key: &str) -> Result<Option<u32>, TokenizerError> {
        let Some(value) = self.metadata.get(key) else {
            return Ok(None);
        };
        let count = self.tokens.len();
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        match id.filter(|id| (*id as usize) < count) {
            Some(id) => Ok(Some(id)),
            None if value.as_f64().is_some() => {
                let (file, found) = (self.file.display(), value.kind());
                tracing::warn!(
                    "{file}: {key}: {found} is the id of none of {count} tokens, and left out"
                );
                Ok(None)
            }
            None => {
                let expected = format!("an id below {count}");
                Err(file_error(self.file, key, value.kind(), &expected))
            }
        }
    }

    /// The kind of every token; without the list, all are normal.
    pub(super) fn kinds(&self) -> Result<Vec<u64>, TokenizerError> {
        let key = "tokenizer.ggml.token_type";
        let Some(numbers) = self.metadata.numbers(key) else {
            return Ok(vec![1; self.tokens.len()]);
        };
        self.validate_len(key, numbers.len())?;
        Ok(numbers
            .iter()
            .map(|kind| kind.as_u64().unwrap_or(1))
            .collect())
    }

    /// Checks that the list under `key` has one entry per token.
    pub(super) fn validate_len(&self, key: &str, len: usize) -> Result<(), TokenizerError> {
        if len == self.tokens.len() {
            return Ok(());
        }
        let expected = format!("one for each of the {} tokens", self.tokens.len());
        Err(file_error(
            self.file,
            key,
            format!("{len} entries"),
            &expected,
        ))
    }

    /// Token to id, as `tokenizer.json` has it.
    pub(super) fn vocab_json(&self) -> Value {
        let pairs = self.tokens.iter().zip(0_u32..);
        Value::Object(
            pairs
                .map(|(token, id)| (token.clone(), json!(id)))
                .collect(),
        )
    }

    /// Whether special tokens swallow the white space behind them, as those of Phi-3 do. No key says so: `llama.cpp`
    /// (`src/llama-vocab.cpp`) goes by the model's name, which converters spell with a space, too; a model of another name is
    /// known by the architecture with SentencePiece, which its successors do not have.
    fn swallows_white_space(&self) -> bool {
        let text = |key| self.metadata.string(key).unwrap_or_default();
        let name = text("general.name").to_lowercase();
        let kind = (text("general.architecture"), text("tokenizer.ggml.model"));
        ["phi-3", "phi 3", "phi3"]
            .iter()
            .any(|part| name.contains(part))
            || kind == ("phi3", "llama")
    }

    /// The tokens that are found in text as they stand. An empty one would be found everywhere, and is left out.
    pub(super) fn added_json(&self) -> Result<Value, TokenizerError> {
        // As in `llama.cpp`.
        const KEEP: [&str; 3] = ["<unk>", "<s>", "<|endoftext|>"];
        let strips = self.swallows_white_space();
        let kinds = self.kinds()?;
        let added = self.tokens.iter().zip(kinds).zip(0_u32..);
        let added = added
            .filter(|((token, kind), _)| {
                matches!(*kind, CONTROL | USER_DEFINED) && !token.is_empty()
            })
            .map(|((token, kind), id)| {
                json!({
                    "id": id, "content": token, "special": kind == CONTROL, "normalized": false,
                    "single_word": false, "lstrip": false, "rstrip": strips && !KEEP.contains(&token.as_str())
                })
            });
        Ok(added.collect())
    }
}

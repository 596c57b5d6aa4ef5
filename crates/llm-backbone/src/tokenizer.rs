//! Text to token ids and back, with a model's own tokenizer.
//!
//! Everything is a `tokenizer.json` in the end: a GGUF vocabulary is turned into one, as Hugging Face's converter would.
//! No method adds a BOS by itself; [`Tokenizer::adds_bos`] says whether the model's own tokenizer would.

mod added;
mod byte_bpe;
mod directory;
mod encode;
mod gguf;
mod guard;
mod pre_tokenizers;
mod quotes;
mod save;
mod sentencepiece;
mod stream;
mod train;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use encode::Specials;
use guard::guarded;
pub use quotes::Quotes;
pub use stream::StreamDecoder;

use crate::chat::{ChatTemplate, Extras};
use crate::config::ModelConfig;

/// Why a tokenizer could not be read, made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file could not be read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file holds something other than expected.
    #[error("{}: {item}: found {found}, expected {expected}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The key or part.
        item: String,
        /// What is there.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A GGUF file with the tokenizer cannot be read.
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightError),
    /// A token is not in the vocabulary.
    #[error("token `{token}`: not in the vocabulary of {vocabulary} tokens")]
    UnknownToken {
        /// The token.
        token: String,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// The tokenizer belongs to another model, or has tokens that the model never got.
    #[error(
        "the tokenizer does not fit the weights: {count} of its tokens have no row among the model's {rows} embeddings, such as {token} (id {id}); take them out of tokenizer.json (`added_tokens`), or give the model rows for them (`resize_token_embeddings` in Python), or use the tokenizer that came with these weights"
    )]
    DoesNotFit {
        /// How many tokens have no embedding.
        count: usize,
        /// One of them, as the vocabulary spells it.
        token: String,
        /// Its id.
        id: u32,
        /// Rows of the embedding matrix.
        rows: usize,
    },
    /// Training was asked for something impossible.
    #[error("training a tokenizer: found {found}, expected {expected}")]
    Training {
        /// What was asked for.
        found: String,
        /// What would do.
        expected: String,
    },
    /// The text or the ids could not be processed.
    #[error("tokenizer: {0}")]
    Failed(String),
}

/// A model's tokenizer with what belongs to it: special tokens and chat template.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Its added tokens, ready to be found. Made when first needed.
    added: OnceLock<added::Added>,
    bos: Option<u32>,
    eos: Option<u32>,
    /// Further ids that end a text (`generation_config.json`).
    more_stops: BTreeSet<u32>,
    /// Further ids that only a chat template writes.
    more_control: BTreeSet<u32>,
    adds_bos: bool,
    chat_template: Option<String>,
    template_extras: Extras,
}

impl Tokenizer {
    /// Reads the tokenizer of a model: a Hugging Face directory, a GGUF file, or a directory with one GGUF file and no
    /// `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError`] naming the file and the part that is missing or wrong.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Self::from_gguf_file(path);
        }
        match crate::gguf::only_file_in(path) {
            Some(file) if !path.join("tokenizer.json").is_file() => Self::from_gguf_file(&file),
            _ => Self::from_directory(path),
        }
    }

    fn from_gguf_file(path: &Path) -> Result<Self, TokenizerError> {
        let file = crate::gguf::GgufFile::open(path)?;
        Self::from_gguf(file.metadata(), path)
    }

    /// The text of `ids`; with `skip_special`, without special tokens. Unknown ids are left out.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        guarded(|| self.inner.decode(ids, skip_special)).map_err(TokenizerError::Failed)
    }

    /// The id that starts a sequence, if the model has one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The id that ends a sequence, if the model has one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Every id that ends a generated text: EOS and what `generation_config.json` adds, in ascending order.
    pub fn stop_ids(&self) -> Vec<u32> {
        let mut ids = self.more_stops.clone();
        ids.extend(self.eos);
        ids.into_iter().collect()
    }

    /// Whether the model's own tokenizer puts BOS in front of plain text. A chat template writes its own.
    pub fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    /// Whether an id is a special token: the tokenizer says so, or it begins or ends texts, or
    /// [`with_control`](Self::with_control) names it.
    pub fn is_control(&self, id: u32) -> bool {
        self.inner
            .get_added_vocabulary()
            .get_added_tokens_decoder()
            .get(&id)
            .is_some_and(|token| token.special)
            || self.bos == Some(id)
            || self.eos == Some(id)
            || self.more_stops.contains(&id)
            || self.more_control.contains(&id)
    }

    /// Takes the added tokens that `text` spells, such as what a chat template writes around a message, for special tokens
    /// too: not every tokenizer marks them.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the added tokens make no automaton.
    pub fn with_control(mut self, text: &str) -> Result<Self, TokenizerError> {
        let spelled = self.spelled(text)?;
        self.more_control
            .extend(spelled.into_iter().map(|(_, id)| id));
        Ok(self)
    }

    /// The special tokens that `text` spells, with their places in bytes.
    ///
    /// # Errors
    ///
    /// As [`with_control`](Self::with_control).
    pub fn control_in(&self, text: &str) -> Result<Vec<(u32, Range<usize>)>, TokenizerError> {
        let spelled = self.spelled(text)?.into_iter();
        let control = spelled.filter(|(_, id)| self.is_control(*id));
        Ok(control.map(|(range, id)| (id, range)).collect())
    }

    /// Number of tokens, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of a token.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token behind an id, as the vocabulary spells it.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The source of the chat template, if the model has one.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// The chat template, if the model has one; it may be one that cannot be used.
    pub fn chat(&self) -> Option<ChatTemplate> {
        let text = |id: Option<u32>| id.and_then(|id| self.id_to_token(id));
        let (bos, eos) = (text(self.bos), text(self.eos));
        let source = self.chat_template.as_ref()?;
        let template = ChatTemplate::new(source, bos.as_deref(), eos.as_deref());
        Some(template.with_extras(&self.template_extras))
    }

    /// Checks that every id has a row in the model's embedding matrix.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::DoesNotFit`] if an id has none.
    pub fn fits(&self, config: &ModelConfig) -> Result<(), TokenizerError> {
        let rows = config.vocab_size();
        let has_none = |id: u32| id as usize >= rows;
        let stops = [self.bos, self.eos].into_iter().flatten();
        let vocabulary = self.inner.get_vocab(true).into_iter();
        let mut outside: Vec<_> = vocabulary.filter(|(_, id)| has_none(*id)).collect();
        outside.extend(
            stops
                .filter(|id| has_none(*id))
                .map(|id| (String::new(), id)),
        );
        outside.sort_by(|(a, i), (b, j)| i.cmp(j).then_with(|| b.cmp(a)));
        outside.dedup_by_key(|(_, id)| *id);
        let count = outside.len();
        match outside.into_iter().next() {
            None => Ok(()),
            Some((token, id)) => Err(TokenizerError::DoesNotFit {
                count,
                token: format!("{token:?}"),
                id,
                rows,
            }),
        }
    }

    /// Wraps a `tokenizer.json` given as a value; `file` appears in errors only.
    fn from_json(json: &serde_json::Value, file: &Path) -> Result<Self, TokenizerError> {
        let bytes = json.to_string();
        Self::from_json_text(bytes.as_bytes(), file)
    }

    fn from_json_text(text: &[u8], file: &Path) -> Result<Self, TokenizerError> {
        let inner = guarded(|| tokenizers::Tokenizer::from_bytes(text)).map_err(|error| {
            file_error(
                file,
                "tokenizer",
                error,
                "what the `tokenizers` library reads",
            )
        })?;
        Ok(Self::wrap(inner))
    }

    fn wrap(mut inner: tokenizers::Tokenizer) -> Self {
        // Saved settings of someone's training run: they would cut or pad our sequences.
        inner.with_padding(None);
        let _ = inner.with_truncation(None);
        Self {
            inner,
            added: OnceLock::new(),
            bos: None,
            eos: None,
            more_stops: BTreeSet::new(),
            more_control: BTreeSet::new(),
            adds_bos: false,
            chat_template: None,
            template_extras: Extras::default(),
        }
    }

    fn known(&self, token: &str) -> Result<u32, TokenizerError> {
        self.token_to_id(token)
            .ok_or_else(|| TokenizerError::UnknownToken {
                token: token.to_owned(),
                vocabulary: self.vocab_size(),
            })
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("bos", &self.bos)
            .field("eos", &self.eos)
            .field("adds_bos", &self.adds_bos)
            .finish_non_exhaustive()
    }
}

fn failed(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Failed(error.to_string())
}

fn file_error(
    file: &Path,
    item: &str,
    found: impl std::fmt::Display,
    expected: &str,
) -> TokenizerError {
    TokenizerError::File {
        file: file.to_owned(),
        item: item.to_owned(),
        found: found.to_string(),
        expected: expected.to_owned(),
    }
}

fn io_error(file: &Path, source: std::io::Error) -> TokenizerError {
    TokenizerError::Io {
        file: file.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;

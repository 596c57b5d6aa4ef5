//! Training a byte-level BPE tokenizer, for small models made from scratch.

use std::collections::HashSet;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, PostProcessorWrapper};

use super::{Tokenizer, TokenizerError, failed};

/// Every byte has a token of its own.
const BYTES: usize = 256;

impl Tokenizer {
    /// Trains a byte-level BPE tokenizer (as GPT-2's) on `texts`.
    ///
    /// The special tokens get the first ids in the order given, then come the 256 bytes, then merged tokens. Equal texts give
    /// an equal tokenizer. It has no BOS, EOS or chat template until one of the `with_` methods names them.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Training`] if `vocab_size` has no room for bytes and special tokens.
    pub fn train_bpe<S: AsRef<str> + Send>(
        texts: impl Iterator<Item = S> + Send,
        vocab_size: usize,
        special_tokens: &[&str],
    ) -> Result<Self, TokenizerError> {
        let least = BYTES + special_tokens.len();
        if vocab_size < least {
            return Err(TokenizerError::Training {
                found: format!("a vocabulary of {vocab_size}"),
                expected: format!("at least {least} (bytes and special tokens)"),
            });
        }
        let mut trainer = TrainerWrapper::from(
            BpeTrainerBuilder::new()
                .vocab_size(vocab_size)
                .min_frequency(2)
                .show_progress(false)
                .initial_alphabet(ByteLevel::alphabet().into_iter().collect::<HashSet<_>>())
                .special_tokens(specials(special_tokens))
                .build(),
        );
        let byte_level = ByteLevel::new(false, true, true);
        let mut inner = tokenizers::Tokenizer::new(BPE::default());
        inner
            .with_pre_tokenizer(Some(PreTokenizerWrapper::from(byte_level)))
            .with_decoder(Some(DecoderWrapper::from(byte_level)));
        inner.train(&mut trainer, texts).map_err(failed)?;
        inner.add_special_tokens(&specials(special_tokens));
        Ok(Self::wrap(inner))
    }

    /// Names the token that starts a sequence.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::UnknownToken`] if it is not in the vocabulary.
    pub fn with_bos(mut self, token: &str) -> Result<Self, TokenizerError> {
        self.bos = Some(self.known(token)?);
        Ok(self)
    }

    /// Names the token that ends a sequence.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::UnknownToken`] if it is not in the vocabulary.
    pub fn with_eos(mut self, token: &str) -> Result<Self, TokenizerError> {
        self.eos = Some(self.known(token)?);
        Ok(self)
    }

    /// Sets the chat template.
    #[must_use]
    pub fn with_chat_template(mut self, template: impl Into<String>) -> Self {
        self.chat_template = Some(template.into());
        self
    }

    /// Makes BOS part of plain text, for whoever loads the saved tokenizer.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Training`] if no BOS is named yet.
    pub fn with_bos_in_front(mut self) -> Result<Self, TokenizerError> {
        let named = self.bos.and_then(|id| Some((self.id_to_token(id)?, id)));
        let Some((token, id)) = named else {
            return Err(TokenizerError::Training {
                found: "no BOS token".to_owned(),
                expected: "`with_bos` before".to_owned(),
            });
        };
        let template = TemplateProcessing::builder()
            .try_single(vec![token.clone(), "$A".to_owned()])
            .and_then(|builder| {
                builder.try_pair(vec![token.clone(), "$A".to_owned(), "$B".to_owned()])
            })
            .map_err(TokenizerError::Failed)?
            .special_tokens(vec![(token, id)])
            .build()
            .map_err(|error| TokenizerError::Failed(error.to_string()))?;
        self.inner
            .with_post_processor(Some(PostProcessorWrapper::from(template)));
        self.adds_bos = true;
        Ok(self)
    }
}

fn specials(tokens: &[&str]) -> Vec<AddedToken> {
    tokens
        .iter()
        .map(|token| AddedToken::from(*token, true))
        .collect()
}

use super::{Tokenizer, TokenizerError};

/// Decodes ids one by one, and gives text as soon as it is final.
///
/// A character may take several tokens, and a decoder may treat the start of a text in its own way. So each step decodes
/// the last few ids together and gives what is new, holding incomplete characters back.
#[derive(Debug)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    /// Ids from which the next text is computed; the first `given` are context only.
    ids: Vec<u32>,
    given: usize,
    /// Bytes beyond the context that were given already.
    shown: usize,
}

/// What stands for bytes that make no character (yet).
const INCOMPLETE: char = '\u{fffd}';

/// Most ids held back for one character: beyond, the bytes are wrong, or the text holds such characters itself, and only
/// the last of them can still become another.
const LONGEST_CHARACTER: usize = 8;

impl<'a> StreamDecoder<'a> {
    /// Starts a text; with `skip_special`, special tokens give no text.
    pub fn new(tokenizer: &'a Tokenizer, skip_special: bool) -> Self {
        Self {
            tokenizer,
            skip_special,
            ids: Vec::new(),
            given: 0,
            shown: 0,
        }
    }

    /// Takes the next id and gives the text that is now final; often one word, sometimes nothing.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the decoder fails.
    pub fn push(&mut self, id: u32) -> Result<String, TokenizerError> {
        self.ids.push(id);
        let waiting = self.ids.len() - self.given < LONGEST_CHARACTER;
        let new = self.new_text()?;
        if new.is_empty() || (new.ends_with(INCOMPLETE) && waiting) {
            return Ok(String::new());
        }
        let shown = self.shown;
        if let Some(sure) = new.strip_suffix(INCOMPLETE) {
            self.shown = shown.max(sure.len());
            return Ok(from(sure, shown).to_owned());
        }
        self.ids.drain(..self.given);
        (self.given, self.shown) = (self.ids.len(), 0);
        Ok(from(&new, shown).to_owned())
    }

    /// Ends the text and gives what was held back.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the decoder fails.
    pub fn finish(self) -> Result<String, TokenizerError> {
        let new = self.new_text()?;
        Ok(from(&new, self.shown).to_owned())
    }

    /// What the ids say beyond the context.
    fn new_text(&self) -> Result<String, TokenizerError> {
        let context = self
            .tokenizer
            .decode(&self.ids[..self.given], self.skip_special)?;
        let all = self.tokenizer.decode(&self.ids, self.skip_special)?;
        Ok(from(&all, context.len()).to_owned())
    }
}

/// What follows the first `at` bytes; a character that these would cut is part of it, so that no text is lost.
fn from(text: &str, at: usize) -> &str {
    &text[text.floor_char_boundary(at)..]
}

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
}

/// What stands for bytes that make no character (yet).
const INCOMPLETE: char = '\u{fffd}';

/// Most ids held back for one character: beyond, the bytes are wrong and will never make one.
const LONGEST_CHARACTER: usize = 8;

impl<'a> StreamDecoder<'a> {
    /// Starts a text; with `skip_special`, special tokens give no text.
    pub fn new(tokenizer: &'a Tokenizer, skip_special: bool) -> Self {
        Self {
            tokenizer,
            skip_special,
            ids: Vec::new(),
            given: 0,
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
        self.ids.drain(..self.given);
        self.given = self.ids.len();
        Ok(new)
    }

    /// Ends the text and gives what was held back.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Failed`] if the decoder fails.
    pub fn finish(self) -> Result<String, TokenizerError> {
        self.new_text()
    }

    /// What the ids say beyond the context.
    fn new_text(&self) -> Result<String, TokenizerError> {
        let context = self
            .tokenizer
            .decode(&self.ids[..self.given], self.skip_special)?;
        let all = self.tokenizer.decode(&self.ids, self.skip_special)?;
        Ok(all.get(context.len()..).unwrap_or_default().to_owned())
    }
}

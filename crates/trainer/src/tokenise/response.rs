//! A response as it goes on after its prompt.

use pref_data::Message;

use super::prompt::Prepared;
use super::{Formatter, SpecialTokens};
use crate::error::TrainError;

impl Formatter {
    /// Tokenises a response with its end; true if it was longer than allowed.
    pub(super) fn response(
        &self,
        prompt: &Prepared,
        text: &str,
    ) -> Result<(Vec<u32>, bool), TrainError> {
        let (text, ends) = match &prompt.messages {
            Some(_) => self.turn(prompt, text)?,
            None => {
                let text = format!("{}{text}", prompt.spaces);
                let ends = self.ends(&text);
                (text, ends)
            }
        };
        let specials = self.specials(prompt.messages.is_some(), &prompt.quotes);
        let mut ids = self
            .tokenizer
            .encode_after(&prompt.context, &text, specials)?;
        if !ends {
            ids.push(self.eos);
        }
        let cut = ids.len() > self.config.max_response_length;
        ids.truncate(self.config.max_response_length);
        Ok((ids, cut))
    }

    /// What the chat template makes of a response behind its prompt, up to the end of its turn; false if it writes no end.
    fn turn(&self, prompt: &Prepared, text: &str) -> Result<(String, bool), TrainError> {
        let chat = self.chat.as_ref().ok_or(TrainError::NoChatTemplate)?;
        let text = self.tokenizer.quote(&prompt.quotes, text)?;
        let mut written = match self.written(prompt, &text) {
            Some(written) => written,
            // A template that writes answers in another way than it asks for them.
            None => text.into_owned(),
        };
        written += &chat.turn.end;
        Ok((written, chat.turn.end_id.is_some()))
    }

    /// What the chat template writes of a response behind the prompt; none where what it writes does not begin with the
    /// prompt, or it refuses the chat.
    pub(super) fn written(&self, prompt: &Prepared, text: &str) -> Option<String> {
        let (chat, messages) = (self.chat.as_ref()?, prompt.messages.as_ref()?);
        let mut messages = messages.clone();
        messages.push(Message::new("assistant", text));
        let whole = chat.whole(&messages, &prompt.template).ok()?;
        let written = whole.strip_prefix(&prompt.context)?;
        written.strip_suffix(&chat.turn.behind).map(String::from)
    }

    /// Whether a raw response brings its own end.
    fn ends(&self, text: &str) -> bool {
        let text = text.trim_end();
        let spelled = |id: u32| self.tokenizer.id_to_token(id);
        let is_end = |id| spelled(id).is_some_and(|end| text.ends_with(&end));
        self.config.special_tokens == SpecialTokens::Parse
            && self.stop_ids().into_iter().any(is_end)
    }
}

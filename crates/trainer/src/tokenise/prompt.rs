//! What comes before a response: its text and its ids.

use llm_backbone::tokenizer::{Quotes, Specials};
use pref_data::{Message, Prompt, TemplateInputs};

use super::messages::Messages;
use super::{Formatter, SpecialTokens, Template, TokenizedPrompt, fit};
use crate::error::TrainError;

/// A prompt in text and ids, ready for its responses.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) tokens: TokenizedPrompt,
    /// The text that a response goes on after; with stand-ins where `quotes` has any.
    pub(super) context: String,
    /// The spaces at the end of a raw prompt: they belong to the response's first token, as in running text.
    pub(super) spaces: String,
    /// The messages that are left of a chat; none for a raw prompt.
    pub(super) messages: Option<Vec<Message>>,
    /// What the chat template is given beside them.
    pub(super) template: TemplateInputs,
    /// Stand-ins in all texts of a chat.
    pub(super) quotes: Quotes,
}

/// What fits of a prompt.
#[derive(Debug)]
pub(super) struct Fitted {
    pub(super) text: String,
    pub(super) ids: Vec<u32>,
    pub(super) messages: Option<Vec<Message>>,
    pub(super) cut: bool,
}

impl Formatter {
    /// Tokenises what comes before a response.
    ///
    /// # Errors
    /// A tokenizer or template that fails on this text.
    pub fn prompt(
        &self,
        prompt: &Prompt,
        template: &TemplateInputs,
        user_text: Option<&str>,
    ) -> Result<TokenizedPrompt, TrainError> {
        Ok(self.prepare(prompt, template, user_text, &[])?.tokens)
    }

    /// A prompt, made ready for these responses.
    pub(super) fn prepare(
        &self,
        prompt: &Prompt,
        template: &TemplateInputs,
        user_text: Option<&str>,
        responses: &[&str],
    ) -> Result<Prepared, TrainError> {
        let about = user_text.unwrap_or_default();
        let messages = self.messages(prompt);
        let quotes = match &messages {
            Some(messages) => {
                let mut texts: Vec<&str> = messages.iter().flat_map(Message::texts).collect();
                texts.extend(template.texts());
                texts.extend(responses);
                texts.push(about);
                self.tokenizer.quotes(texts.into_iter())?
            }
            None => Quotes::default(),
        };
        let specials = self.specials(messages.is_some(), &quotes);
        let about = self.tokenizer.quote(&quotes, about)?.into_owned();
        let mut about_ids = self.tokenizer.encode_as(&about, specials)?;
        let room = self.config.max_prompt_length - self.user_tokens; // invariant: checked by `new`
        let budget = room - about_ids.len().min(room / 2);
        let mut template = template.clone();
        let (fitted, spaces) = match messages {
            Some(mut messages) => {
                if !quotes.is_empty() {
                    let mut quote = |text: &str| self.quoted(&quotes, text);
                    template = template.map_texts(&mut quote)?;
                    for message in &mut messages {
                        *message = message.map_texts(&mut quote)?;
                    }
                }
                let fitting = Messages::new(self, &template, &quotes, budget);
                (fitting.fit(messages)?, String::new())
            }
            None => {
                let text = text_of(prompt);
                let cue = text.trim_end_matches(' ');
                (self.fit_raw(cue, budget)?, text[cue.len()..].to_owned())
            }
        };
        let soft_at = usize::from(self.begins_with_bos(&fitted.ids));
        let mut rest = fitted.ids[soft_at..].to_vec();
        let mut context = fitted.text;
        if !about.is_empty() {
            let (bos, text) = self.bos_apart(&context, specials);
            let before = format!("{bos}{about}");
            rest = self.tokenizer.encode_after(&before, text, specials)?;
            if fitted.messages.is_none() {
                context = before + text;
            }
        }
        let left = room.saturating_sub(soft_at + rest.len());
        let user_text_cut = about_ids.len() > left;
        about_ids.truncate(left);
        let ids = [&fitted.ids[..soft_at], &about_ids, &rest].concat();
        Ok(Prepared {
            tokens: self.not_empty(TokenizedPrompt {
                ids,
                soft_at,
                cut: fitted.cut,
                user_text_cut,
            }),
            context,
            spaces,
            messages: fitted.messages,
            template,
            quotes,
        })
    }

    /// What is special in a text: under a chat template nothing that users wrote, else what the configuration says.
    pub(super) fn specials<'q>(&self, chat: bool, quotes: &'q Quotes) -> Specials<'q> {
        match (chat, self.config.special_tokens) {
            (true, _) => Specials::Unquoted(quotes),
            (false, SpecialTokens::Parse) => Specials::Everywhere,
            (false, SpecialTokens::Text) => Specials::Nowhere,
        }
    }

    fn begins_with_bos(&self, ids: &[u32]) -> bool {
        let bos = self.tokenizer.bos();
        bos.is_some() && ids.first().copied() == bos
    }

    /// The BOS that a text itself begins with, and the rest.
    fn bos_apart<'t>(&self, text: &'t str, specials: Specials<'_>) -> (&'t str, &'t str) {
        let bos = self.tokenizer.bos();
        let bos = bos.and_then(|id| self.tokenizer.id_to_token(id));
        match bos.filter(|bos| text.starts_with(bos.as_str())) {
            Some(bos) if !matches!(specials, Specials::Nowhere) => text.split_at(bos.len()),
            _ => ("", text),
        }
    }

    /// Something must stand before the first token of a response.
    fn not_empty(&self, mut prompt: TokenizedPrompt) -> TokenizedPrompt {
        if prompt.ids.is_empty() {
            let bos = self.tokenizer.bos();
            prompt.ids.push(bos.unwrap_or(self.eos));
            prompt.soft_at = usize::from(bos.is_some());
        }
        prompt
    }

    /// The longest end of a raw prompt that fits.
    fn fit_raw(&self, text: &str, budget: usize) -> Result<Fitted, TrainError> {
        let made = |text: &str| fit::whole(text, budget, |text| self.raw_ids(text));
        let whole = made(text)?;
        let cut = whole.is_none();
        let (text, ids) = match whole {
            Some(ids) => (text, Some(ids)),
            None => fit::end(text, made)?,
        };
        Ok(Fitted {
            text: text.to_owned(),
            ids: match ids {
                Some(ids) => ids,
                None => self.raw_ids(text)?,
            },
            messages: None,
            cut,
        })
    }

    /// A raw prompt with the BOS that the model's own tokenizer adds.
    fn raw_ids(&self, text: &str) -> Result<Vec<u32>, TrainError> {
        let mut ids = Vec::new();
        if self.tokenizer.adds_bos() {
            ids.extend(self.tokenizer.bos());
        }
        let none = Quotes::default();
        let specials = self.specials(false, &none);
        ids.extend(self.tokenizer.encode_as(text, specials)?);
        if let Some(bos) = self.tokenizer.bos()
            && ids.starts_with(&[bos, bos])
        {
            ids.remove(0); // The text brought its own BOS.
        }
        Ok(ids)
    }

    /// The messages of a prompt that goes through the chat template.
    pub(super) fn messages(&self, prompt: &Prompt) -> Option<Vec<Message>> {
        let mut messages = match prompt {
            Prompt::Chat(messages) => messages.clone(),
            Prompt::Text(text) if self.config.template == Template::Chat => {
                let one = || vec![Message::new("user", text)];
                prompt.dialogue().unwrap_or_else(one)
            }
            Prompt::Text(_) => return None,
        };
        let has_system = messages.first().is_some_and(|m| m.role() == "system");
        if !has_system && !self.config.system.is_empty() {
            messages.insert(0, Message::new("system", &self.config.system));
        }
        Some(messages)
    }

    /// A text with stand-ins.
    fn quoted(&self, quotes: &Quotes, text: &str) -> Result<String, TrainError> {
        Ok(self.tokenizer.quote(quotes, text)?.into_owned())
    }
}

/// A plain prompt; nothing for a chat.
pub(super) fn text_of(prompt: &Prompt) -> &str {
    match prompt {
        Prompt::Text(text) => text,
        Prompt::Chat(_) => "",
    }
}

//! Comparison to token ids: `BOS | (soft tokens) | user text | prompt` and the two responses, each with EOS.

use std::sync::Arc;

use llm_backbone::chat::{ChatInputs, ChatTemplate};
use llm_backbone::tokenizer::Tokenizer;
use pref_data::{Comparison, Message, Prompt, TemplateInputs};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// How a plain-text prompt becomes tokens. Chat prompts always go through the model's chat template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// As it is, after the BOS that the model's own tokenizer would put there.
    #[default]
    Raw,
    /// As the user's message in the model's chat template.
    Chat,
}

/// What tokenisation needs to know beside the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptConfig {
    /// How plain-text prompts are presented.
    pub template: Template,
    /// A system message for chat prompts that have none; empty: the template's own default.
    pub system: String,
    /// The longest `soft tokens + user text + prompt`, in tokens. Longer prompts are cut from the left at a boundary:
    /// whole messages first, then words; the final header or cue is never cut. A user text that leaves the prompt less
    /// than half of the room beside the soft tokens, and less than it needs, loses its end at a token.
    pub max_prompt_length: usize,
    /// The longest response, EOS included, in tokens; longer ones lose their end.
    pub max_response_length: usize,
}

impl Default for PromptConfig {
    fn default() -> Self {
        Self {
            template: Template::Raw,
            system: String::new(),
            max_prompt_length: 512,
            max_response_length: 256,
        }
    }
}

/// Everything before the response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenizedPrompt {
    /// Token ids without soft tokens.
    pub ids: Vec<u32>,
    /// Where the soft tokens go: after a leading BOS, else in front.
    pub soft_at: usize,
    /// True if the prompt was longer than allowed and lost its beginning.
    pub cut: bool,
    /// True if the user text was longer than allowed and lost its end.
    pub user_text_cut: bool,
}

/// One comparison in tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenizedPair {
    /// The shared prefix.
    pub prompt: TokenizedPrompt,
    /// The preferred response with its EOS.
    pub chosen: Vec<u32>,
    /// The other response with its EOS.
    pub rejected: Vec<u32>,
    /// True if a response was longer than allowed.
    pub response_cut: bool,
}

impl TokenizedPair {
    /// Input tokens of the packed row, soft tokens included: the last token of a response is predicted, never read.
    pub fn row_length(&self, soft: usize) -> usize {
        soft + self.prompt.ids.len() + self.chosen.len() + self.rejected.len() - 2
    }
}

/// Turns text into ids for one model and one configuration. Copies share the tokenizer.
#[derive(Clone, Debug)]
pub struct Formatter {
    tokenizer: Arc<Tokenizer>,
    chat: Option<Arc<ChatTemplate>>,
    config: PromptConfig,
    /// Room kept for soft tokens in every system, so that policy and reference see the same ids.
    user_tokens: usize,
    eos: u32,
}

impl Formatter {
    /// A formatter that keeps room for `user_tokens` soft tokens.
    ///
    /// # Errors
    /// A tokenizer without EOS, a missing chat template where one is needed, or limits that leave no room.
    pub fn new(
        tokenizer: Tokenizer,
        config: PromptConfig,
        user_tokens: usize,
    ) -> Result<Self, TrainError> {
        let eos = tokenizer.eos().ok_or(TrainError::NoEos)?;
        let chat = tokenizer.chat().map(Arc::new);
        if config.template == Template::Chat {
            chat.as_ref().ok_or(TrainError::NoChatTemplate)?.check()?;
        }
        Self {
            tokenizer: Arc::new(tokenizer),
            chat,
            config: PromptConfig::default(),
            user_tokens,
            eos,
        }
        .limited(config)
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// Limits that leave no room.
    pub fn limited(self, config: PromptConfig) -> Result<Self, TrainError> {
        let user_tokens = self.user_tokens;
        if config.max_prompt_length < user_tokens + 8 {
            return Err(TrainError::config(
                "prompt.max_prompt_length",
                config.max_prompt_length,
                format!("at least {}, the soft tokens and 8 more", user_tokens + 8),
            ));
        }
        if config.max_response_length < 2 {
            let found = config.max_response_length;
            return Err(TrainError::config(
                "prompt.max_response_length",
                found,
                "at least 2",
            ));
        }
        Ok(Self { config, ..self })
    }

    /// The same with prompts that leave a response of up to `response` tokens room in a context of `positions`: prompts give
    /// way.
    ///
    /// # Errors
    /// A response that leaves no room; `key` names its limit.
    pub fn fitted(self, positions: usize, response: usize, key: &str) -> Result<Self, TrainError> {
        if response >= positions {
            let expected = format!("less than the model's context of {positions} tokens");
            return Err(TrainError::config(key, response, expected));
        }
        let room = positions - response;
        if self.config.max_prompt_length <= room {
            return Ok(self);
        }
        let config = PromptConfig {
            max_prompt_length: room,
            ..self.config.clone()
        };
        self.limited(config)
    }

    /// As [`fitted`](Self::fitted); warns where prompts give way.
    ///
    /// # Errors
    /// As [`fitted`](Self::fitted).
    pub fn fitted_with_warning(
        self,
        positions: usize,
        response: usize,
        key: &str,
    ) -> Result<Self, TrainError> {
        let asked = self.config.max_prompt_length;
        let fitted = self.fitted(positions, response, key)?;
        let room = fitted.config.max_prompt_length;
        if room < asked {
            tracing::warn!(
                "prompts are limited to {room} tokens instead of {asked}: the model's context has {positions}, a response may take {response}"
            );
        }
        Ok(fitted)
    }

    /// Has the chat template tell this time, in seconds since 1970, instead of that of the call: a run that goes on makes the
    /// same ids as when it began.
    #[must_use]
    pub fn with_clock(mut self, unix_seconds: u64) -> Self {
        let told =
            |chat: Arc<ChatTemplate>| Arc::new(Arc::unwrap_or_clone(chat).with_clock(unix_seconds));
        self.chat = self.chat.map(told);
        self
    }

    /// The soft tokens that it keeps room for.
    pub fn user_tokens(&self) -> usize {
        self.user_tokens
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The id that ends a response.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// The limits.
    pub fn config(&self) -> &PromptConfig {
        &self.config
    }

    /// Tokenises a comparison.
    ///
    /// # Errors
    /// A tokenizer or template that fails on this text.
    pub fn pair(&self, comparison: &Comparison) -> Result<TokenizedPair, TrainError> {
        let split = match self.config.template {
            Template::Chat => comparison.with_messages(),
            Template::Raw => None,
        };
        let comparison = split.as_ref().unwrap_or(comparison);
        let user_text = comparison.user_text.as_deref();
        let prompt = self.prompt(&comparison.prompt, &comparison.template, user_text)?;
        let (chosen, chosen_cut) = self.response(&comparison.prompt, &comparison.chosen)?;
        let (rejected, rejected_cut) = self.response(&comparison.prompt, &comparison.rejected)?;
        Ok(TokenizedPair {
            prompt,
            chosen,
            rejected,
            response_cut: chosen_cut || rejected_cut,
        })
    }

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
        let mut text = self.encode(user_text.unwrap_or_default())?;
        let room = self.config.max_prompt_length - self.user_tokens; // invariant: checked by `new`
        let budget = room - text.len().min(room / 2);
        let (ids, cut) = match self.messages(prompt) {
            None => self.fit_text(prompt_text(prompt), budget, &|t| self.raw_ids(t))?,
            Some(messages) => self.fit_messages(messages, template, budget)?,
        };
        let left = room.saturating_sub(ids.len());
        let user_text_cut = text.len() > left;
        text.truncate(left);
        let soft_at = usize::from(!ids.is_empty() && ids.first().copied() == self.tokenizer.bos());
        let mut all = ids[..soft_at].to_vec();
        all.extend(text);
        all.extend(&ids[soft_at..]);
        let mut prompt = TokenizedPrompt {
            ids: all,
            soft_at,
            cut,
            user_text_cut,
        };
        if prompt.ids.is_empty() {
            // Something must stand before the first token of a response.
            let bos = self.tokenizer.bos();
            prompt.ids.push(bos.unwrap_or(self.eos));
            prompt.soft_at = usize::from(bos.is_some());
        }
        Ok(prompt)
    }

    /// Tokenises a response; EOS is added unless it ends in it.
    fn response(&self, prompt: &Prompt, text: &str) -> Result<(Vec<u32>, bool), TrainError> {
        let raw = matches!(prompt, Prompt::Text(_)) && self.config.template == Template::Raw;
        let joined;
        let text = if raw {
            // The space between cue and response belongs to the response's first token, as in running text.
            joined = format!(" {}", text.trim_start_matches(' '));
            if prompt_text(prompt).ends_with([' ', ':']) {
                joined.as_str()
            } else {
                text
            }
        } else {
            text.trim_start_matches(' ')
        };
        let mut ids = self.encode(text)?;
        if ids.last() != Some(&self.eos) {
            ids.push(self.eos);
        }
        let cut = ids.len() > self.config.max_response_length;
        ids.truncate(self.config.max_response_length);
        Ok((ids, cut))
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, TrainError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.tokenizer.encode(text, true)?)
    }

    /// A raw prompt with the BOS that the model's own tokenizer adds, without the space before the response.
    fn raw_ids(&self, text: &str) -> Result<Vec<u32>, TrainError> {
        let mut ids = Vec::new();
        if self.tokenizer.adds_bos() {
            ids.extend(self.tokenizer.bos());
        }
        ids.extend(self.encode(text.trim_end_matches(' '))?);
        if let Some(bos) = self.tokenizer.bos()
            && ids.starts_with(&[bos, bos])
        {
            ids.remove(0); // The text brought its own BOS.
        }
        Ok(ids)
    }

    fn messages(&self, prompt: &Prompt) -> Option<Vec<Message>> {
        let mut messages = match prompt {
            Prompt::Chat(messages) => messages.clone(),
            Prompt::Text(text) if self.config.template == Template::Chat => {
                let one = || vec![Message::new("user", text.trim_end())];
                prompt.dialogue().unwrap_or_else(one)
            }
            Prompt::Text(_) => return None,
        };
        let has_system = messages.first().is_some_and(|m| m.role() == "system");
        if !has_system && !self.config.system.is_empty() {
            messages.insert(0, Message::new("system", self.config.system.clone()));
        }
        Some(messages)
    }

    fn chat_ids(
        &self,
        messages: &[Message],
        template: &TemplateInputs,
    ) -> Result<Vec<u32>, TrainError> {
        let messages: Vec<_> = messages.iter().map(Message::fields).collect();
        let chat = self.chat.as_ref().ok_or(TrainError::NoChatTemplate)?;
        let text = chat.render_with(&ChatInputs {
            messages: &messages,
            tools: template.tools.as_ref(),
            variables: &template.chat_template_kwargs,
            add_generation_prompt: true,
        })?;
        self.encode(&text)
    }

    /// Drops the oldest messages (a system message stays, what is left begins with the user where it can) until the
    /// rest fits, then words of the last one.
    fn fit_messages(
        &self,
        mut messages: Vec<Message>,
        template: &TemplateInputs,
        budget: usize,
    ) -> Result<(Vec<u32>, bool), TrainError> {
        let mut cut = false;
        loop {
            let ids = self.chat_ids(&messages, template)?;
            if ids.len() <= budget {
                return Ok((ids, cut));
            }
            cut = true;
            let first = usize::from(messages.first().is_some_and(|m| m.role() == "system"));
            if messages.len() - first > 1 {
                messages.remove(first);
                // Many templates refuse a chat that begins with an answer.
                while messages.len() - first > 1 && messages[first].role() != "user" {
                    messages.remove(first);
                }
                continue;
            }
            let Some(last) = messages.pop() else {
                return Ok((ids, cut));
            };
            let with = |text: &str| {
                let mut all = messages.clone();
                let mut cut = last.clone();
                cut.set_content(text);
                all.push(cut);
                self.chat_ids(&all, template)
            };
            return self.fit_text(&last.content(), budget, &with);
        }
    }

    /// The longest tail of `text` that starts at a word, or inside the last one if that alone is too long, and whose
    /// ids fit.
    fn fit_text(
        &self,
        text: &str,
        budget: usize,
        ids: &dyn Fn(&str) -> Result<Vec<u32>, TrainError>,
    ) -> Result<(Vec<u32>, bool), TrainError> {
        let all = ids(text)?;
        if all.len() <= budget {
            return Ok((all, false));
        }
        let words: Vec<usize> = text
            .char_indices()
            .zip(text.chars().skip(1))
            .filter(|((_, a), b)| a.is_whitespace() && !b.is_whitespace())
            .map(|((i, a), _)| i + a.len_utf8())
            .collect();
        let characters = || text.char_indices().map(|(i, _)| i).collect::<Vec<_>>();
        let start = match first_fit(text, &words, budget, ids)? {
            Some(start) => start,
            None => first_fit(text, &characters(), budget, ids)?.unwrap_or(text.len()),
        };
        Ok((ids(&text[start..])?, true))
    }
}

/// The first of `starts` at which the tail of `text` fits; tails only get shorter.
fn first_fit(
    text: &str,
    starts: &[usize],
    budget: usize,
    ids: &dyn Fn(&str) -> Result<Vec<u32>, TrainError>,
) -> Result<Option<usize>, TrainError> {
    let (mut low, mut high) = (0, starts.len());
    while low < high {
        let middle = (low + high) / 2;
        if ids(&text[starts[middle]..])?.len() <= budget {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(starts.get(low).copied())
}

fn prompt_text(prompt: &Prompt) -> &str {
    match prompt {
        Prompt::Text(text) => text,
        Prompt::Chat(_) => "",
    }
}

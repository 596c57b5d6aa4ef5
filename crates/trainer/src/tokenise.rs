//! Comparison to token ids: `BOS | (soft tokens) | user text | prompt` and the two responses, each with its end.
//!
//! A response's ids are those of the text: prompt and response together say what the chat template (or, raw, one behind the
//! other) makes of both, and the prompt's ids are those that a response is written after.

mod fit;
mod messages;
mod prompt;
mod response;
mod turn;
mod warnings;

use std::sync::Arc;

use llm_backbone::tokenizer::Tokenizer;
use pref_data::Comparison;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::pack::RowTokens;
use turn::Chat;

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

/// What the text of a special token (`</s>`) is in raw prompts, their responses and users' texts. Under a chat template it is
/// always text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpecialTokens {
    /// That token: data may be rendered already.
    #[default]
    Parse,
    /// Text.
    Text,
}

/// What tokenisation needs to know beside the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptConfig {
    /// How plain-text prompts are presented.
    pub template: Template,
    /// What the text of a special token is where no chat template is used.
    pub special_tokens: SpecialTokens,
    /// A system message for chat prompts that have none; empty: the template's own default.
    pub system: String,
    /// The longest `soft tokens + user text + prompt`, in tokens. Longer prompts are cut: first the oldest turns go, then a
    /// system message loses its end, then the oldest messages behind the question go, and the question loses its beginning,
    /// at a word, only where it is too long by itself; the final header or cue is never cut. A user text that leaves the prompt less than half of the room beside the soft
    /// tokens, and less than it needs, loses its end at a token.
    pub max_prompt_length: usize,
    /// The longest response, its end included, in tokens; longer ones lose their end.
    pub max_response_length: usize,
}

impl Default for PromptConfig {
    fn default() -> Self {
        Self {
            template: Template::Raw,
            special_tokens: SpecialTokens::Parse,
            system: String::new(),
            max_prompt_length: 512,
            max_response_length: 256,
        }
    }
}

impl PromptConfig {
    /// Refuses limits that leave no room beside so many soft tokens.
    ///
    /// # Errors
    /// Names the key.
    pub fn validate(&self, user_tokens: usize) -> Result<(), TrainError> {
        if self.max_prompt_length < user_tokens.saturating_add(8) {
            return Err(TrainError::config(
                "prompt.max_prompt_length",
                self.max_prompt_length,
                format!(
                    "at least {}, the soft tokens of users.user_tokens and 8 more",
                    user_tokens + 8
                ),
            ));
        }
        if self.max_response_length < 2 {
            let found = self.max_response_length;
            return Err(TrainError::config(
                "prompt.max_response_length",
                found,
                "at least 2",
            ));
        }
        Ok(())
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

/// One comparison in tokens. Of a thumb one response is there, and the other has no token at all, not even an end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenizedPair {
    /// The shared prefix.
    pub prompt: TokenizedPrompt,
    /// The preferred response with its end.
    pub chosen: Vec<u32>,
    /// The other response with its end.
    pub rejected: Vec<u32>,
    /// True if a response was longer than allowed.
    pub response_cut: bool,
}

impl TokenizedPair {
    /// Input tokens of the packed row, soft tokens included: the last token of a response is predicted, never read.
    pub fn row_length(&self, soft: usize) -> usize {
        RowTokens::from(self).length(soft)
    }

    /// The same with both responses as long as the shorter one.
    pub(crate) fn shared(&self) -> Self {
        let shared = self.chosen.len().min(self.rejected.len());
        Self {
            prompt: self.prompt.clone(),
            chosen: self.chosen[..shared].to_vec(),
            rejected: self.rejected[..shared].to_vec(),
            response_cut: self.response_cut,
        }
    }
}

/// Turns text into ids for one model and one configuration. Copies share the tokenizer.
#[derive(Clone, Debug)]
pub struct Formatter {
    tokenizer: Arc<Tokenizer>,
    chat: Option<Arc<Chat>>,
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
        let (tokenizer, chat) = Chat::of(tokenizer)?;
        let chat = chat.map(Arc::new);
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
        config.validate(self.user_tokens)?;
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
        let told = |chat: Arc<Chat>| Arc::new(Arc::unwrap_or_clone(chat).with_clock(unix_seconds));
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

    /// The id that ends a raw response.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// Every id that ends a generated response: the tokenizer's, and the chat template's end of turn. In ascending order.
    pub fn stop_ids(&self) -> Vec<u32> {
        let mut ids = self.tokenizer.stop_ids();
        ids.push(self.eos);
        ids.extend(self.chat.as_ref().and_then(|chat| chat.turn.end_id));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The same for texts in which special tokens are something else where no chat template is used.
    #[must_use]
    pub fn with_special_tokens(mut self, special_tokens: SpecialTokens) -> Self {
        self.config.special_tokens = special_tokens;
        self
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
        let responses = comparison.responses();
        let said: Vec<&str> = responses.into_iter().flatten().collect();
        let about = comparison.user_text.as_deref();
        let prompt = self.prepare(&comparison.prompt, &comparison.template, about, &said)?;
        let tokens = |text: Option<&str>| match text {
            Some(text) => self.response(&prompt, text),
            None => Ok((Vec::new(), false)),
        };
        let [(chosen, chosen_cut), (rejected, rejected_cut)] =
            [tokens(responses[0])?, tokens(responses[1])?];
        Ok(TokenizedPair {
            prompt: prompt.tokens,
            chosen,
            rejected,
            response_cut: chosen_cut || rejected_cut,
        })
    }
}

//! What is to be written, and what was.

use llm_backbone::generate::End;
use llm_backbone::sampling::SamplingConfig;
use pref_data::{Comparison, Place, Prompt, TemplateInputs, Thumb, UserId, general};
use user_model::UserRef;

/// A response to write.
#[derive(Clone, Debug)]
pub struct Job {
    /// For whom.
    pub user: UserRef,
    /// To what.
    pub prompt: Prompt,
    /// What the chat template is given beside the prompt's messages.
    pub template: TemplateInputs,
    /// What the user said of themselves.
    pub user_text: Option<String>,
    /// What tells the prompt from others: with seed, user and step it fixes every draw.
    pub key: String,
    /// How tokens are chosen. The model's own stop ids end a response too.
    pub sampling: SamplingConfig,
    /// Tell every token's log-prob.
    pub log_probs: bool,
}

impl Job {
    /// A response to `prompt` for `user`.
    pub fn new(prompt: Prompt, user: UserRef, sampling: SamplingConfig) -> Self {
        Self {
            user,
            key: general::source_of(&prompt),
            prompt,
            template: TemplateInputs::default(),
            user_text: None,
            sampling,
            log_probs: false,
        }
    }

    /// A response to it, as a text to judge.
    pub fn text(&self, response: &str) -> Comparison {
        Comparison {
            user: match &self.user {
                UserRef::Generic => None,
                UserRef::Id(id) => Some(UserId::new(id.as_str())),
            },
            user_text: self.user_text.clone(),
            prompt: self.prompt.clone(),
            template: self.template.clone(),
            chosen: response.into(),
            rejected: String::new(),
            thumb: Some(Thumb::Up),
            source: self.key.clone(),
            place: Place::default(),
            group: None,
        }
    }

    /// The user's part in the key of a draw.
    pub(super) fn user_key(&self) -> String {
        match &self.user {
            UserRef::Generic => String::new(),
            UserRef::Id(id) => format!("user {id}"),
        }
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Its text.
    pub text: String,
    /// Its tokens, stop ids excluded.
    pub tokens: Vec<u32>,
    /// Each token's log-prob under the policy in nats, whatever the sampling settings; empty unless the job asked for them.
    pub log_probs: Vec<f32>,
    /// Why it ended.
    pub end: End,
}

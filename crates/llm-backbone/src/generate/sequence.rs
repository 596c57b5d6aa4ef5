//! One sequence in flight: how its next token is chosen from logits.

use crate::generate::Request;
use crate::sampling::{DrawKey, LogitsProcessor, SamplingError};

/// A chosen token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Its log-prob under the model in nats, whatever the sampling settings, where the request asked for it.
    pub log_prob: Option<f32>,
}

/// Why a sequence has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum End {
    /// At this stop id, which is not part of it.
    Stop(u32),
    /// At its `max_new_tokens`.
    Length,
    /// No token could be chosen.
    Failed(SamplingError),
}

/// A request, with what has been generated so far.
#[derive(Debug)]
pub(super) struct Sequence {
    sampling: LogitsProcessor,
    user: String,
    prompt_key: String,
    log_probs: bool,
    /// Prompt and generated tokens.
    history: Vec<u32>,
    /// How many of these are generated.
    new: usize,
}

impl Sequence {
    pub(super) fn new(request: &Request<'_>) -> Self {
        Self {
            sampling: request.sampling.clone(),
            user: request.user.into(),
            prompt_key: request.prompt_key.into(),
            log_probs: request.log_probs,
            history: request.prompt.to_vec(),
            new: 0,
        }
    }

    /// The last token.
    pub(super) fn last(&self) -> u32 {
        self.history.last().copied().unwrap_or(0) // invariant: a prompt is not empty
    }

    /// Chooses the next token from `logits`, `[vocabulary]`.
    pub(super) fn choose(&self, logits: &[f32]) -> (Option<Token>, Option<End>) {
        let config = self.sampling.config();
        if self.new >= config.max_new_tokens {
            return (None, Some(End::Length));
        }
        let key = DrawKey {
            seed: config.seed,
            user: &self.user,
            prompt: &self.prompt_key,
            step: self.new,
        };
        let id = match self
            .sampling
            .sample(&mut logits.to_vec(), &self.history, &key)
        {
            Ok(id) if self.sampling.stops_at(id) => return (None, Some(End::Stop(id))),
            Ok(id) => id,
            Err(error) => return (None, Some(End::Failed(error))),
        };
        let log_prob = self.log_probs.then(|| log_prob(logits, id));
        let end = (self.new + 1 == config.max_new_tokens).then_some(End::Length);
        (Some(Token { id, log_prob }), end)
    }

    pub(super) fn push(&mut self, token: Token) {
        self.history.push(token.id);
        self.new += 1;
    }
}

/// `log softmax(logits)` at `id`.
fn log_prob(logits: &[f32], id: u32) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - top).exp()).sum();
    let logit = logits.get(id as usize).copied().unwrap_or(top); // invariant: a token of the vocabulary
    (f64::from(logit - top) - sum.ln()) as f32
}

//! Sampling with a key/value cache and a soft prompt per sequence.
//!
//! A [`Request`] is first read ([`Model::prefill`]), then admitted into a [`Batch`], which advances all of its sequences by one
//! token at a time. Sequences come and go as they please: what one of them gets depends on the request alone, up to the
//! rounding of products that are computed together. [`Model::generate`] does it all for a few requests.

mod batch;
mod prefill;
mod sequence;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::model::Model;
use crate::sampling::{LogitsProcessor, SamplingError};

pub use batch::{Batch, Room, SequenceId, Step};
pub use prefill::Prefilled;
pub use sequence::{End, Token};

/// One sequence to continue.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Token ids, without soft tokens.
    pub prompt: &'a [u32],
    /// A soft prompt, `[T_u, d]`.
    pub soft: Option<Tensor<2>>,
    /// Where the soft tokens go.
    pub soft_at: usize,
    /// Keys and values in front of the prompt, `[T_u, width]`; see [`Prefix`](crate::Prefix).
    pub prefix: Option<Tensor<2>>,
    /// How tokens are chosen, and when to stop.
    pub sampling: &'a LogitsProcessor,
    /// The user: part of the key of every draw.
    pub user: &'a str,
    /// What tells this prompt from others: part of the key of every draw.
    pub prompt_key: &'a str,
    /// Tell every token's log-prob.
    pub log_probs: bool,
}

impl<'a> Request<'a> {
    /// A prompt without soft tokens, of no user.
    pub fn new(prompt: &'a [u32], sampling: &'a LogitsProcessor) -> Self {
        Self {
            prompt,
            soft: None,
            soft_at: 0,
            prefix: None,
            sampling,
            user: "",
            prompt_key: "",
            log_probs: false,
        }
    }

    /// Tokens of prompt, soft prompt and prefix.
    fn length(&self) -> usize {
        let tokens = |of: &Option<Tensor<2>>| of.as_ref().map_or(0, |of| of.dims()[0]);
        self.prompt.len() + tokens(&self.soft) + tokens(&self.prefix)
    }

    /// The most tokens that it may become.
    fn most(&self) -> usize {
        let new = self.sampling.config().max_new_tokens;
        self.length().saturating_add(new)
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// An empty prompt.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// Prompt and new tokens exceed the context.
    #[error("a prompt of {prompt} tokens and {new} new ones exceed the model's context of {limit}")]
    Context {
        /// Tokens of the prompt, soft tokens included.
        prompt: usize,
        /// `max_new_tokens`.
        new: usize,
        /// The model's limit.
        limit: usize,
    },
    /// A sequence that is longer than any of the batch may be.
    #[error("prompt and new tokens are {found}, the batch has room for {room} of each sequence")]
    TooLong {
        /// Tokens of soft prompt, prompt and `max_new_tokens`.
        found: usize,
        /// See [`Room::tokens`].
        room: usize,
    },
    /// One sequence too many.
    #[error("the batch has its {room} sequences: wait until one has ended")]
    Full {
        /// See [`Room::sequences`].
        room: usize,
    },
    /// A token that the model does not have.
    #[error("token {token} in a prompt: the model has {vocabulary} tokens")]
    Token {
        /// The token's id.
        token: u32,
        /// Rows of the embedding matrix.
        vocabulary: usize,
    },
    /// A place for soft tokens behind a prompt's end.
    #[error("soft tokens at {soft_at} of a prompt of {length} tokens")]
    SoftAt {
        /// The place asked for.
        soft_at: usize,
        /// Tokens of the prompt.
        length: usize,
    },
    /// A soft prompt for another model.
    #[error("a soft prompt of width {found} for a model of width {expected}")]
    SoftWidth {
        /// Width of the soft prompt.
        found: usize,
        /// `d` of the model.
        expected: usize,
    },
    /// A prefix for another model.
    #[error("a prefix of {found} numbers a token for a model that keeps {expected}")]
    PrefixWidth {
        /// Width of the prefix.
        found: usize,
        /// What the model's cache keeps of a token.
        expected: usize,
    },
    /// Sampling failed.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

impl Model {
    /// Continues every request until a stop id or its `max_new_tokens`, all together; `on_token` sees each token as it
    /// comes. Returns the new tokens, stop ids excluded.
    ///
    /// # Errors
    /// An empty or too long prompt, a token or a place that does not exist, or logits that are no numbers.
    pub fn generate(
        &self,
        requests: &[Request<'_>],
        mut on_token: impl FnMut(usize, u32),
    ) -> Result<Vec<Vec<u32>>, GenerateError> {
        let read = requests.iter().map(|request| self.prefill(request));
        let read: Vec<Prefilled> = read.collect::<Result<_, _>>()?;
        let Some(tokens) = requests.iter().map(Request::most).max() else {
            return Ok(Vec::new());
        };
        let sequences = requests.len();
        let mut batch = Batch::new(self, Room { sequences, tokens });
        for one in read {
            batch.admit(one)?;
        }
        let mut outputs = vec![Vec::new(); requests.len()];
        while !batch.is_empty() {
            for Step { id, token, end } in batch.step() {
                // Ids count from 0 in the order of admission.
                if let (Some(token), Some(output)) = (token, outputs.get_mut(id.number())) {
                    output.push(token.id);
                    on_token(id.number(), token.id);
                }
                if let Some(End::Failed(error)) = end {
                    return Err(error.into());
                }
            }
        }
        Ok(outputs)
    }
}

/// A table of ids or positions.
fn ints(values: Vec<i32>, shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

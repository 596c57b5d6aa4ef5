//! A prompt read by the model: what a batch takes in.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::sequence::Sequence;
use super::{GenerateError, Request, ints};
use crate::cache::KvCache;
use crate::model::{Model, ModelInput};
use crate::soft_prompt;

/// A request whose prompt the model has read. It depends on no batch, and can be made while one is at work.
#[derive(Debug)]
pub struct Prefilled {
    pub(super) sequence: Sequence,
    /// One row: keys and values of the prompt.
    pub(super) cache: KvCache,
    /// The state after the last token, `[1, d]`.
    pub(super) hidden: Tensor<2>,
    /// The most tokens that it may become.
    pub(super) most: usize,
}

impl Model {
    /// Reads the prompt of a request.
    ///
    /// # Errors
    /// An empty or too long prompt, or a token or a place that does not exist.
    pub fn prefill(&self, request: &Request<'_>) -> Result<Prefilled, GenerateError> {
        self.validate(request)?;
        let model = self.valid();
        let device = model.device();
        let ids: Vec<i32> = request.prompt.iter().map(|&id| id as i32).collect();
        let text = ids.len();
        let mut embeddings = model.embed(ints(ids, [1, text], &device));
        if let Some(soft) = &request.soft {
            let soft = soft.clone().inner().unsqueeze();
            embeddings = soft_prompt::insert(embeddings, soft, &[request.soft_at]);
        }
        let [_, seq, d] = embeddings.dims();
        let visible: Vec<bool> = (0..seq * seq).map(|i| i % seq <= i / seq).collect();
        let mut cache = model.cache(1, seq);
        let hidden = model.forward(ModelInput {
            embeddings,
            positions: ints((0..seq as i32).collect(), [1, seq], &device),
            visible: Tensor::from_data(TensorData::new(visible, [1, 1, seq, seq]), &device),
            cache: Some(&mut cache),
        });
        Ok(Prefilled {
            sequence: Sequence::new(request),
            cache,
            hidden: hidden.narrow(1, seq - 1, 1).reshape([1, d]),
            most: request.most(),
        })
    }

    fn validate(&self, request: &Request<'_>) -> Result<(), GenerateError> {
        let (prompt, vocabulary) = (request.prompt, self.config().vocab_size());
        if prompt.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocabulary) {
            return Err(GenerateError::Token { token, vocabulary });
        }
        if let Some(soft) = &request.soft {
            let ([_, found], expected) = (soft.dims(), self.d_model());
            if found != expected {
                return Err(GenerateError::SoftWidth { found, expected });
            }
            let (soft_at, length) = (request.soft_at, prompt.len());
            if soft_at > length {
                return Err(GenerateError::SoftAt { soft_at, length });
            }
        }
        let limit = self.config().max_positions();
        if request.most() > limit {
            return Err(GenerateError::Context {
                prompt: request.length(),
                new: request.sampling.config().max_new_tokens,
                limit,
            });
        }
        Ok(())
    }
}

//! A prompt read by the model: what a batch takes in.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::sequence::Sequence;
use super::{GenerateError, Request, ints};
use crate::cache::KvCache;
use crate::fused::rounded;
use crate::model::{Model, ModelInput};
use crate::prefix::Prefix;
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
        let prefix = request.prefix.clone();
        let prefix = prefix.map(|numbers| Prefix::new(numbers.inner().unsqueeze()));
        let first = prefix.as_ref().map_or(0, Prefix::tokens);
        let keys = first + seq;
        let mut cache = model.cache(1, keys);
        if let Some(prefix) = prefix {
            prefix.begin(&model, &mut cache);
        }
        let visible: Vec<bool> = (0..seq * keys)
            .map(|i| i % keys <= first + i / keys)
            .collect();
        let positions = (first as i32..keys as i32).collect();
        let input = ModelInput {
            embeddings,
            positions: ints(positions, [1, seq], &device),
            visible: Tensor::from_data(TensorData::new(visible, [1, 1, seq, keys]), &device),
            prefix: None, // It is in the cache.
            cache: Some(&mut cache),
        };
        let hidden = rounded(|| model.forward(input));
        Ok(Prefilled {
            sequence: Sequence::new(request),
            cache,
            hidden: hidden.narrow(1, seq - 1, 1).reshape([1, d]),
            most: request.most(),
        })
    }

    /// Refuses no tokens, and one that the model does not have.
    pub(crate) fn validate_tokens(&self, tokens: &[u32]) -> Result<(), GenerateError> {
        let vocabulary = self.config().vocab_size();
        if tokens.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        match tokens.iter().find(|&&token| token as usize >= vocabulary) {
            Some(&token) => Err(GenerateError::Token { token, vocabulary }),
            None => Ok(()),
        }
    }

    fn validate(&self, request: &Request<'_>) -> Result<(), GenerateError> {
        let prompt = request.prompt;
        self.validate_tokens(prompt)?;
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
        if let Some(prefix) = &request.prefix {
            let ([_, found], expected) = (prefix.dims(), self.config().cached_per_token());
            if found != expected {
                return Err(GenerateError::PrefixWidth { found, expected });
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

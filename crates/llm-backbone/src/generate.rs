//! Batched sampling with a key/value cache and a soft prompt per row.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::cache::KvCache;
use crate::model::{Model, ModelInput, host};
use crate::sampling::{DrawKey, LogitsProcessor, SamplingError};
use crate::soft_prompt;

/// One sequence to continue.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Token ids, without soft tokens.
    pub prompt: &'a [u32],
    /// Where the soft tokens go.
    pub soft_at: usize,
    /// The user: part of the key of every draw.
    pub user: &'a str,
    /// What tells this prompt from others: part of the key of every draw.
    pub prompt_key: &'a str,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// An empty prompt.
    #[error("the prompt of request {row} is empty")]
    EmptyPrompt {
        /// The request.
        row: usize,
    },
    /// Prompt and new tokens exceed the context.
    #[error("a prompt of {prompt} tokens and {new} new ones exceed the model's context of {limit}")]
    Context {
        /// Tokens of the longest prompt, soft tokens included.
        prompt: usize,
        /// `max_new_tokens`.
        new: usize,
        /// The model's limit.
        limit: usize,
    },
    /// A token that the model does not have.
    #[error("token {token} in the prompt of request {row}: the model has {vocabulary} tokens")]
    Token {
        /// The request.
        row: usize,
        /// The token's id.
        token: u32,
        /// Rows of the embedding matrix.
        vocabulary: usize,
    },
    /// A place for soft tokens behind a prompt's end.
    #[error("soft tokens at {soft_at} of request {row}, whose prompt has {length} tokens")]
    SoftAt {
        /// The request.
        row: usize,
        /// The place asked for.
        soft_at: usize,
        /// Tokens of its prompt.
        length: usize,
    },
    /// The soft prompts do not belong to the requests.
    #[error("{found} soft prompts for {expected} requests")]
    Soft {
        /// Rows of soft prompts.
        found: usize,
        /// Requests.
        expected: usize,
    },
    /// Sampling failed.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
}

/// A sequence in flight.
struct Sequence {
    /// The index of its request.
    request: usize,
    /// Length of the prompt with soft tokens.
    length: usize,
    /// Prompt and generated tokens.
    history: Vec<u32>,
    done: bool,
}

impl Model {
    /// Continues every request until a stop id or `max_new_tokens`; `on_token` sees each token as it comes.
    ///
    /// `soft` is `[requests, T_u, d]`. Returns the new tokens, stop ids excluded. A sequence does not depend on the
    /// others in its batch, nor on their order.
    ///
    /// # Errors
    /// An empty or too long prompt, a token or a place that does not exist, or logits that are no numbers.
    pub fn generate(
        &self,
        requests: &[Request<'_>],
        soft: Option<Tensor<3>>,
        processor: &LogitsProcessor,
        mut on_token: impl FnMut(usize, u32),
    ) -> Result<Vec<Vec<u32>>, GenerateError> {
        let mut outputs = vec![Vec::new(); requests.len()];
        let max_new = processor.config().max_new_tokens;
        if requests.is_empty() || max_new == 0 {
            return Ok(outputs);
        }
        let model = &self.valid();
        let soft = soft.map(Tensor::inner);
        let (mut live, mut cache, mut hidden) = model.prefill(requests, soft, max_new)?;
        let prefix = cache.filled();
        for step in 0..max_new {
            let logits = in_pool(|| host(model.logits(hidden)));
            let vocabulary = logits.len() / live.len();
            let drawn = live
                .par_iter()
                .zip(logits.par_chunks(vocabulary))
                .map(|(sequence, row)| {
                    let request = &requests[sequence.request];
                    let key = DrawKey {
                        seed: processor.config().seed,
                        user: request.user,
                        prompt: request.prompt_key,
                        step,
                    };
                    let draw = || processor.sample(&mut row.to_vec(), &sequence.history, &key);
                    (!sequence.done).then(draw).transpose()
                })
                .collect::<Result<Vec<Option<u32>>, SamplingError>>()?;
            let mut next = Vec::with_capacity(live.len());
            for (sequence, token) in live.iter_mut().zip(drawn) {
                sequence.done |= token.is_none_or(|token| processor.stops_at(token));
                if let Some(token) = token.filter(|_| !sequence.done) {
                    sequence.history.push(token);
                    outputs[sequence.request].push(token);
                    on_token(sequence.request, token);
                }
                next.push(token.unwrap_or(0) as i32);
            }
            if step + 1 == max_new || live.iter().all(|s| s.done) {
                break;
            }
            drop_finished(&mut live, &mut next, &mut cache, model);
            hidden = in_pool(|| model.decode(&live, next, &mut cache, prefix, step));
        }
        Ok(outputs)
    }

    /// Runs the prompts, padded on the right, and returns the state after the last token of each, `[batch, d]`.
    fn prefill(
        &self,
        requests: &[Request<'_>],
        soft: Option<Tensor<3>>,
        max_new: usize,
    ) -> Result<(Vec<Sequence>, KvCache, Tensor<2>), GenerateError> {
        let device = self.device();
        let batch = requests.len();
        let soft_tokens = soft.as_ref().map_or(0, |s| s.dims()[1]);
        if let Some(soft) = &soft
            && soft.dims()[0] != batch
        {
            let found = soft.dims()[0];
            return Err(GenerateError::Soft {
                found,
                expected: batch,
            });
        }
        if let Some(row) = requests.iter().position(|r| r.prompt.is_empty()) {
            return Err(GenerateError::EmptyPrompt { row });
        }
        let vocabulary = self.config().vocab_size();
        for (row, request) in requests.iter().enumerate() {
            let (soft_at, length) = (request.soft_at, request.prompt.len());
            if soft.is_some() && soft_at > length {
                return Err(GenerateError::SoftAt {
                    row,
                    soft_at,
                    length,
                });
            }
            let unknown = |&&token: &&u32| token as usize >= vocabulary;
            if let Some(&token) = request.prompt.iter().find(unknown) {
                return Err(GenerateError::Token {
                    row,
                    token,
                    vocabulary,
                });
            }
        }
        let text = requests.iter().map(|r| r.prompt.len()).max().unwrap_or(0);
        let seq = text + soft_tokens;
        let limit = self.config().max_positions();
        if seq.saturating_add(max_new) > limit {
            return Err(GenerateError::Context {
                prompt: seq,
                new: max_new,
                limit,
            });
        }
        let mut ids = vec![0i32; batch * text];
        let mut visible = vec![false; batch * seq * seq];
        for (row, request) in requests.iter().enumerate() {
            for (slot, &id) in ids[row * text..].iter_mut().zip(request.prompt) {
                *slot = id as i32;
            }
            for i in 0..seq {
                visible[(row * seq + i) * seq..][..=i].fill(true);
            }
        }
        let live: Vec<Sequence> = requests
            .iter()
            .enumerate()
            .map(|(request, r)| Sequence {
                request,
                length: r.prompt.len() + soft_tokens,
                history: r.prompt.to_vec(),
                done: false,
            })
            .collect();
        let positions: Vec<i32> = (0..batch).flat_map(|_| 0..seq as i32).collect();
        let mut embeddings = self.embed(ints(ids, [batch, text], &device));
        if let Some(soft) = soft {
            let at: Vec<usize> = requests.iter().map(|r| r.soft_at).collect();
            embeddings = soft_prompt::insert(embeddings, soft, &at);
        }
        let mut cache = self.cache(batch, seq + max_new);
        let hidden = self.forward(ModelInput {
            embeddings,
            positions: ints(positions, [batch, seq], &device),
            visible: Tensor::from_data(TensorData::new(visible, [batch, 1, seq, seq]), &device),
            cache: Some(&mut cache),
        });
        let [_, _, d] = hidden.dims();
        let last: Vec<i32> = live
            .iter()
            .enumerate()
            .map(|(row, s)| (row * seq + s.length - 1) as i32)
            .collect();
        let last = Tensor::<1, Int>::from_data(TensorData::new(last, [batch]), &device);
        let states = hidden.reshape([batch * seq, d]).select(0, last);
        Ok((live, cache, states))
    }

    /// Runs one token per live sequence; `prefix` slots hold padded prompts, the ones after them generated tokens.
    fn decode(
        &self,
        live: &[Sequence],
        tokens: Vec<i32>,
        cache: &mut KvCache,
        prefix: usize,
        step: usize,
    ) -> Tensor<2> {
        let device = self.device();
        let batch = live.len();
        let keys = cache.filled() + 1;
        let positions: Vec<i32> = live.iter().map(|s| (s.length + step) as i32).collect();
        let visible: Vec<bool> = live
            .iter()
            .flat_map(|s| (0..keys).map(move |slot| slot < s.length || slot >= prefix))
            .collect();
        let hidden = self.forward(ModelInput {
            embeddings: self.embed(ints(tokens, [batch, 1], &device)),
            positions: ints(positions, [batch, 1], &device),
            visible: Tensor::from_data(TensorData::new(visible, [batch, 1, 1, keys]), &device),
            cache: Some(cache),
        });
        let [_, _, d] = hidden.dims();
        hidden.reshape([batch, d])
    }
}

/// Once half of the sequences are done, the others go on without them.
fn drop_finished(
    live: &mut Vec<Sequence>,
    next: &mut Vec<i32>,
    cache: &mut KvCache,
    model: &Model,
) {
    let keep: Vec<usize> = (0..live.len()).filter(|&i| !live[i].done).collect();
    if keep.len() * 2 > live.len() {
        return;
    }
    let rows: Vec<i32> = keep.iter().map(|&i| i as i32).collect();
    cache.select_rows(&Tensor::from_data(
        TensorData::new(rows, [keep.len()]),
        &model.device(),
    ));
    *next = keep.iter().map(|&i| next[i]).collect();
    live.retain(|s| !s.done);
}

/// Runs `work` on a thread of the pool, from which its hundreds of small products are shared out with less waiting than
/// from a thread outside.
fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

fn ints(values: Vec<i32>, shape: [usize; 2], device: &burn::tensor::Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

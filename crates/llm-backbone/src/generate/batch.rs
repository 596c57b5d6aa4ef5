//! Sequences that are continued together, each from its admission to its own end.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::sequence::{End, Sequence, Token};
use super::{GenerateError, Prefilled, Request, ints};
use crate::cache::KvCache;
use crate::fused::rounded;
use crate::model::{Model, ModelInput};
use crate::sampling::SamplingError;

/// How much a batch may hold; its cache takes `sequences * tokens` slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Sequences at a time.
    pub sequences: usize,
    /// Tokens of each: soft prompt, prompt, and new ones.
    pub tokens: usize,
}

/// A sequence's name within its batch, given once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(usize);

impl SequenceId {
    /// How many were admitted before it.
    pub fn number(self) -> usize {
        self.0
    }
}

/// What a step gave one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The sequence.
    pub id: SequenceId,
    /// Its next token; none where it ended before one.
    pub token: Option<Token>,
    /// Set where it has ended, and left the batch.
    pub end: Option<End>,
}

/// Sequences in flight on one model.
///
/// ```
/// # use burn::tensor::Device;
/// use llm_backbone::Model;
/// use llm_backbone::generate::{Batch, Request, Room};
/// use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/llama");
/// let model = Model::open(path.as_ref(), &Device::flex())?;
/// let sampling = LogitsProcessor::new(SamplingConfig { max_new_tokens: 3, ..Default::default() })?;
/// let mut batch = Batch::new(&model, Room { sequences: 2, tokens: 32 });
/// batch.admit(model.prefill(&Request::new(&[1, 20], &sampling))?)?;
/// batch.step();
/// batch.admit(model.prefill(&Request::new(&[1, 30, 7], &sampling))?)?; // Joins the other, one token later.
/// let mut ended = 0;
/// while !batch.is_empty() {
///     ended += batch.step().iter().filter(|step| step.end.is_some()).count();
/// }
/// assert_eq!(ended, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Batch {
    model: Model,
    room: Room,
    admitted: usize,
    /// A row of the cache for each, in the same order.
    live: Vec<(SequenceId, Sequence)>,
    cache: KvCache,
    /// Admitted since the last step.
    fresh: Vec<(SequenceId, Prefilled)>,
}

impl Batch {
    /// An empty batch. The memory of its cache is reserved here, and never grows.
    pub fn new(model: &Model, room: Room) -> Self {
        let model = model.valid();
        Self {
            cache: model.cache(room.sequences, room.tokens).vacant(),
            model,
            room,
            admitted: 0,
            live: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// What it may hold.
    pub fn room(&self) -> Room {
        self.room
    }

    /// Sequences in it.
    pub fn len(&self) -> usize {
        self.live.len() + self.fresh.len()
    }

    /// True if there is nothing to continue.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`admit`](Self::admit) would take a request, before its prompt is read.
    ///
    /// # Errors
    /// As `admit`.
    pub fn has_room_for(&self, request: &Request<'_>) -> Result<(), GenerateError> {
        self.has_room(request.most())
    }

    fn has_room(&self, found: usize) -> Result<(), GenerateError> {
        let Room { sequences, tokens } = self.room;
        if found > tokens {
            let room = tokens;
            return Err(GenerateError::TooLong { found, room });
        }
        if self.len() >= sequences {
            return Err(GenerateError::Full { room: sequences });
        }
        Ok(())
    }

    /// Takes a sequence in; the next step gives its first token.
    ///
    /// # Errors
    /// [`GenerateError::Full`] until a sequence has ended, [`GenerateError::TooLong`] always.
    pub fn admit(&mut self, read: Prefilled) -> Result<SequenceId, GenerateError> {
        self.has_room(read.most)?;
        let id = SequenceId(self.admitted);
        self.admitted += 1;
        self.fresh.push((id, read));
        Ok(id)
    }

    /// Takes a sequence out before its end; false if it is not there.
    pub fn remove(&mut self, id: SequenceId) -> bool {
        let before = self.len();
        self.fresh.retain(|(fresh, _)| *fresh != id);
        if let Some(row) = self.live.iter().position(|(live, _)| *live == id) {
            self.leave(row);
        }
        self.len() < before
    }

    /// Advances every sequence by one token; those that end leave.
    pub fn step(&mut self) -> Vec<Step> {
        if self.is_empty() {
            return Vec::new();
        }
        let logits = in_pool(|| {
            rounded(|| {
                let mut states: Vec<Tensor<2>> = Vec::with_capacity(1 + self.fresh.len());
                if !self.live.is_empty() {
                    states.push(self.decode());
                }
                states.extend(self.fresh.iter().map(|(_, read)| read.hidden.clone()));
                let logits = self.model.logits(joined(states));
                logits.try_into_vec_as::<f32>().map_err(|e| e.to_string())
            })
        });
        let sequences: Vec<_> = self
            .live
            .iter()
            .map(|(id, sequence)| (*id, sequence))
            .chain(self.fresh.iter().map(|(id, read)| (*id, &read.sequence)))
            .collect();
        let steps: Vec<Step> = match logits {
            Ok(logits) => sequences
                .par_iter()
                .zip(logits.par_chunks(logits.len() / sequences.len()))
                .map(|((id, sequence), row)| {
                    let (token, end) = sequence.choose(row);
                    Step {
                        id: *id,
                        token,
                        end,
                    }
                })
                .collect(),
            Err(problem) => {
                let failed = || End::Failed(SamplingError::Device(problem.clone()));
                let step = |(id, _): (SequenceId, _)| Step {
                    id,
                    token: None,
                    end: Some(failed()),
                };
                sequences.into_iter().map(step).collect()
            }
        };
        self.take(&steps);
        steps
    }

    /// Adds the tokens of a step, first those of the live sequences, and lets go who has ended.
    fn take(&mut self, steps: &[Step]) {
        let (of_live, of_fresh) = steps.split_at(self.live.len());
        // From the back: the sequence that takes a place has been looked at.
        for (row, step) in of_live.iter().enumerate().rev() {
            match (step.token, &step.end) {
                (Some(token), None) => self.live[row].1.push(token),
                _ => self.leave(row),
            }
        }
        for ((id, mut read), step) in self.fresh.drain(..).zip(of_fresh) {
            if let (Some(token), None) = (step.token, &step.end) {
                read.sequence.push(token);
                self.cache.push(read.cache);
                self.live.push((id, read.sequence));
            }
        }
    }

    fn leave(&mut self, row: usize) {
        self.live.swap_remove(row);
        self.cache.swap_remove(row);
    }

    /// Runs the last token of every live sequence: the states after them, `[live, d]`.
    fn decode(&mut self) -> Tensor<2> {
        let device = self.model.device();
        let filled = self.cache.filled();
        let (batch, keys) = (filled.len(), filled.iter().max().map_or(0, |most| most + 1));
        let positions = filled.iter().map(|&filled| filled as i32).collect();
        let visible: Vec<bool> = filled
            .iter()
            .flat_map(|filled| (0..keys).map(move |slot| slot <= *filled))
            .collect();
        let tokens = self.live.iter().map(|(_, s)| s.last() as i32).collect();
        let hidden = self.model.forward(ModelInput {
            embeddings: self.model.embed(ints(tokens, [batch, 1], &device)),
            positions: ints(positions, [batch, 1], &device),
            visible: Tensor::from_data(TensorData::new(visible, [batch, 1, 1, keys]), &device),
            prefix: None, // It is in the cache.
            cache: Some(&mut self.cache),
        });
        let [_, _, d] = hidden.dims();
        hidden.reshape([batch, d])
    }
}

fn joined(mut states: Vec<Tensor<2>>) -> Tensor<2> {
    match states.pop() {
        Some(only) if states.is_empty() => only,
        last => {
            states.extend(last);
            Tensor::cat(states, 0)
        }
    }
}

/// Runs `work` on a thread of the pool, from which its hundreds of small products are shared out with less waiting than
/// from a thread outside.
fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

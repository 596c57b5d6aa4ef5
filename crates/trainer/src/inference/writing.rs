//! Responses on their way.

use llm_backbone::generate::{Batch, End, GenerateError, Prefilled, Room, SequenceId};
use llm_backbone::tokenizer::StreamDecoder;

use super::{Engine, Response};
use crate::error::TrainError;

/// The running batch of an [`Engine`], in text.
#[derive(Debug)]
pub struct Writing<'a> {
    engine: &'a Engine,
    batch: Batch,
    in_work: Vec<Draft<'a>>,
    finished: Vec<Finished>,
}

/// New text of one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whose.
    pub id: SequenceId,
    /// Never empty.
    pub text: String,
}

/// A response that has ended.
#[derive(Debug)]
pub struct Finished {
    /// As [`Writing::admit`] named it.
    pub id: SequenceId,
    /// The response, or why there is none: numbers that are none, or tokens that the tokenizer fails on.
    pub response: Result<Response, TrainError>,
}

/// A response so far.
#[derive(Debug)]
struct Draft<'a> {
    id: SequenceId,
    decoder: StreamDecoder<'a>,
    begun: bool,
    tokens: Vec<u32>,
    log_probs: Vec<f32>,
}

impl<'a> Writing<'a> {
    pub(super) fn new(engine: &'a Engine, room: Room) -> Self {
        Self {
            engine,
            batch: Batch::new(&engine.policy().model, room),
            in_work: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// Places that are free.
    pub fn free(&self) -> usize {
        self.batch.room().sequences - self.batch.len()
    }

    /// True if there is nothing to continue.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Takes a job in that [`Engine::read`] has read; the next step gives its first token.
    ///
    /// # Errors
    /// No place is free, or the job is longer than a place.
    pub fn admit(&mut self, read: Prefilled) -> Result<SequenceId, TrainError> {
        let id = self.batch.admit(read)?;
        self.in_work.push(Draft {
            id,
            decoder: StreamDecoder::new(self.engine.formatter().tokenizer(), true),
            begun: false,
            tokens: Vec::new(),
            log_probs: Vec::new(),
        });
        Ok(id)
    }

    /// Takes a response out before its end; false if it is not in work.
    pub fn remove(&mut self, id: SequenceId) -> bool {
        self.in_work.retain(|draft| draft.id != id);
        self.batch.remove(id)
    }

    /// Advances every response by one token and gives what is new of their texts.
    pub fn step(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for step in self.batch.step() {
            let place = self.in_work.iter().position(|draft| draft.id == step.id);
            let Some(place) = place else {
                continue; // invariant: what is in the batch is in work
            };
            let draft = &mut self.in_work[place];
            let mut failed = None;
            if let Some(token) = step.token {
                draft.tokens.push(token.id);
                draft.log_probs.extend(token.log_prob);
                match draft.decoder.push(token.id) {
                    Ok(text) => pieces.extend(draft.piece(&text)),
                    Err(error) => failed = Some(TrainError::from(error)),
                }
            }
            if let Some(error) = failed {
                self.batch.remove(step.id);
                self.end(place, Err(error));
            } else if let Some(end) = step.end {
                pieces.extend(self.ended(place, end));
            }
        }
        pieces
    }

    /// The responses that have ended since the last call.
    pub fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// Ends a draft; returns what the decoder held back.
    fn ended(&mut self, place: usize, end: End) -> Option<Piece> {
        let draft = &mut self.in_work[place];
        if let End::Failed(error) = end {
            self.end(place, Err(GenerateError::from(error).into()));
            return None;
        }
        let tokenizer = self.engine.formatter().tokenizer();
        let decoder = std::mem::replace(&mut draft.decoder, StreamDecoder::new(tokenizer, true));
        let (rest, failure) = match decoder.finish() {
            Ok(rest) => (draft.piece(&rest), None),
            Err(error) => (None, Some(error)),
        };
        let whole = match failure {
            None => tokenizer.decode(&draft.tokens, true),
            Some(error) => Err(error),
        };
        let (tokens, log_probs) = (
            std::mem::take(&mut draft.tokens),
            std::mem::take(&mut draft.log_probs),
        );
        let response = whole.map(|text| Response {
            text: text.trim().into(),
            tokens,
            log_probs,
            end,
        });
        self.end(place, response.map_err(TrainError::from));
        rest
    }

    fn end(&mut self, place: usize, response: Result<Response, TrainError>) {
        let id = self.in_work.swap_remove(place).id;
        self.finished.push(Finished { id, response });
    }
}

impl Draft<'_> {
    /// New text as a piece. The space that some tokenizers put before the first word is none of the response's.
    fn piece(&mut self, text: &str) -> Option<Piece> {
        let text = match self.begun {
            true => text,
            false => text.trim_start(),
        };
        self.begun |= !text.is_empty();
        (!text.is_empty()).then(|| Piece {
            id: self.id,
            text: text.into(),
        })
    }
}

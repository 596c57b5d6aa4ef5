//! What was trained, in use: text for users, and comparisons scored.
//!
//! An [`Engine`] is a policy with its users, opened from a run's folder or adapters and the files of the base model, without a
//! command line; it never changes. [`Engine::score`] packs comparisons as training does. For text:
//!
//! 1. [`Engine::read`] turns a [`Job`] into tokens, looks its user's soft prompt or prefix up, and lets the model read the prompt. It
//!    touches no other sequence, so it may run beside a batch at work, or on several threads.
//! 2. [`Writing::admit`] puts it into the running batch, if one of a fixed number of places is free and its tokens fit; the memory
//!    of the keys and values is reserved once, and a refusal is a typed error.
//! 3. [`Writing::step`] advances every sequence by one token and gives the new pieces of text.
//! 4. [`Writing::take_finished`] takes out what has ended, with its log-probs where they were asked for.
//!
//! Sampling settings and seed belong to each job. A sequence's numbers do not depend on its company: a prompt is read alone, each
//! row of the cache fills up by itself, attention sees its own slots only, and a draw is a function of (seed, user, prompt, step).

mod job;
mod rewards;
mod trained;
mod worth;
mod writing;

use std::cmp::Reverse;

use burn::module::Module;
use burn::tensor::Tensor;
use llm_backbone::generate::{Prefilled, Request, Room};
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use pref_data::{Comparison, Skipped};
use user_model::{UserRef, UserTable};

use crate::dataset::{Dataset, leave_out_refused};
use crate::error::TrainError;
use crate::eval;
use crate::example::Example;
use crate::policy::Policy;
use crate::progress::Progress;
use crate::replicas;
use crate::task::Task;
use crate::tokenise::{Formatter, SpecialTokens, TokenizedPrompt};

pub use job::{Job, Response};
pub use rewards::RewardModel;
pub use trained::{Opened, Trained};
pub use worth::best;
pub use writing::{Finished, Piece, Writing};

/// The limits of a response that is written and of one that is scored, as errors call them.
const MAX_NEW: &str = "sampling.max_new_tokens";
const MAX_RESPONSE: &str = "prompt.max_response_length";

/// A policy and its users, ready to write and to score.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    table: Option<UserTable>,
    formatter: Formatter,
    micro_rows: usize,
}

/// Packed rows that are scored at a time.
const MICRO_ROWS: usize = 8;

impl Engine {
    /// An engine of what is in memory, such as the [`Outcome`](crate::session::Outcome) of a run.
    pub fn new(policy: Policy, table: Option<UserTable>, formatter: Formatter) -> Self {
        let policy = policy.valid();
        Self {
            policy: Policy {
                model: policy.model.with_norms_kept(),
                users: policy.users,
                head: policy.head,
            },
            table,
            formatter,
            micro_rows: MICRO_ROWS,
        }
    }

    /// Scores so many packed rows at a time on each core; default: 8.
    #[must_use]
    pub fn with_micro_rows(self, micro_rows: usize) -> Self {
        Self { micro_rows, ..self }
    }

    /// Takes special tokens that a raw prompt spells for text, or for these tokens, whatever the configuration says.
    #[must_use]
    pub fn with_special_tokens(self, special_tokens: SpecialTokens) -> Self {
        let formatter = self.formatter.with_special_tokens(special_tokens);
        Self { formatter, ..self }
    }

    /// Packed rows that are in work at a time on each core.
    pub(crate) fn micro_rows(&self) -> usize {
        self.micro_rows
    }

    /// The policy, without gradients.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its users; none for a policy without a user model.
    pub fn table(&self) -> Option<&UserTable> {
        self.table.as_ref()
    }

    /// Text to ids.
    pub fn formatter(&self) -> &Formatter {
        &self.formatter
    }

    /// The user of that id.
    ///
    /// # Errors
    /// An unknown id, with near matches; or a policy without users.
    pub fn user(&self, id: &str) -> Result<UserRef, TrainError> {
        match &self.table {
            Some(table) => Ok(table.user(id)?),
            None => Err(TrainError::NoUsers { id: id.into() }),
        }
    }

    /// Comparisons made ready for [`score`](Self::score), in the order given; prompts are cut so that the longest response fits
    /// the model's context.
    ///
    /// # Errors
    /// No comparisons, or a text that the tokenizer or the chat template fails on.
    pub fn dataset(&self, comparisons: &[Comparison]) -> Result<Dataset, TrainError> {
        self.dataset_with_room(comparisons, 0)
    }

    /// The same with room for so many tokens of prompt beyond those that the configuration allows.
    ///
    /// # Errors
    /// As [`dataset`](Self::dataset).
    pub fn dataset_with_room(
        &self,
        comparisons: &[Comparison],
        more: usize,
    ) -> Result<Dataset, TrainError> {
        self.fitting(Dataset::new(comparisons, &self.scoring_formatter(more)?)?)
    }

    /// The same without comparisons that the chat template refuses, which are taken out of `comparisons` and counted.
    ///
    /// # Errors
    /// As [`dataset`](Self::dataset); where none is left, the error names the first.
    pub fn dataset_of_accepted(
        &self,
        comparisons: &mut Vec<Comparison>,
        skipped: &mut Skipped,
    ) -> Result<Dataset, TrainError> {
        let formatter = self.scoring_formatter(0)?;
        self.fitting(leave_out_refused(comparisons, &formatter, skipped)?)
    }

    fn scoring_formatter(&self, more: usize) -> Result<Formatter, TrainError> {
        let mut limits = self.formatter.config().clone();
        let most = limits.max_response_length;
        limits.max_prompt_length = limits.max_prompt_length.saturating_add(more);
        let formatter = self.formatter.clone().limited(limits)?;
        formatter.fitted(self.positions(), most, MAX_RESPONSE)
    }

    fn fitting(&self, dataset: Dataset) -> Result<Dataset, TrainError> {
        dataset.validate_context(self.policy.user_tokens(), self.positions())?;
        Ok(dataset)
    }

    /// What `task`, such as the objective of [`Opened::preference`], says of every example, in the order given.
    ///
    /// # Errors
    /// Users that the table does not know, or a reference cache that cannot be written.
    pub fn score<T: Task>(
        &self,
        task: &T,
        examples: &[Example],
        progress: &dyn Progress,
    ) -> Result<Vec<T::Report>, TrainError> {
        self.score_with(self.table(), task, examples, progress)
    }

    /// What `task` says of every example, in the order given, with these users in the place of the engine's own.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn score_with<T: Task>(
        &self,
        table: Option<&UserTable>,
        task: &T,
        examples: &[Example],
        progress: &dyn Progress,
    ) -> Result<Vec<T::Report>, TrainError> {
        let rows = self.micro_rows;
        eval::evaluate(task, &self.policy, table, examples, rows, progress)
    }

    /// The model's context.
    fn positions(&self) -> usize {
        self.policy.model.config().max_positions()
    }

    /// Refuses a reward model, which ranks texts and writes none.
    ///
    /// # Errors
    /// [`TrainError::NoWriter`].
    pub fn validate_writer(&self) -> Result<(), TrainError> {
        match self.policy.head {
            Some(_) => Err(TrainError::NoWriter),
            None => Ok(()),
        }
    }

    /// The tokens of a job's prompt, cut so that its longest response fits the model's context.
    ///
    /// # Errors
    /// A response that leaves the prompt no room, a text that the tokenizer or the chat template fails on, or a reward model, which
    /// writes nothing.
    pub fn tokenise(&self, job: &Job) -> Result<TokenizedPrompt, TrainError> {
        self.validate_writer()?;
        let most = job.sampling.max_new_tokens;
        let formatter = self
            .formatter
            .clone()
            .fitted(self.positions(), most, MAX_NEW)?;
        formatter.prompt(&job.prompt, &job.template, job.user_text.as_deref())
    }

    /// Lets the model read a job's prompt, for [`Writing::admit`].
    ///
    /// # Errors
    /// As [`tokenise`](Self::tokenise), settings out of range, or an unknown user.
    pub fn read(&self, job: &Job) -> Result<Prefilled, TrainError> {
        self.read_prompt(job, &self.tokenise(job)?)
    }

    fn read_prompt(&self, job: &Job, prompt: &TokenizedPrompt) -> Result<Prefilled, TrainError> {
        let sampling = self.processor(&job.sampling)?;
        let (soft, prefix) = match self.policy.places().prefix {
            0 => (self.user_tokens(&job.user)?, None),
            _ => (None, self.user_tokens(&job.user)?),
        };
        let request = Request {
            soft,
            soft_at: prompt.soft_at,
            prefix,
            user: &job.user_key(),
            prompt_key: &job.key,
            log_probs: job.log_probs,
            ..Request::new(&prompt.ids, &sampling)
        };
        Ok(self.policy.model.prefill(&request)?)
    }

    /// An empty batch on this engine.
    pub fn writing(&self, room: Room) -> Writing<'_> {
        Writing::new(self, room)
    }

    /// Writes a response to every job, in their order, `sequences` at a time: as one ends, another takes its place.
    ///
    /// # Errors
    /// As [`read`](Self::read), a policy that gives numbers that are none, or [`TrainError::Stopped`].
    pub fn respond(
        &self,
        jobs: &[Job],
        sequences: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Response>, TrainError> {
        let prompts = jobs.iter().map(|job| self.tokenise(job));
        let prompts: Vec<TokenizedPrompt> = prompts.collect::<Result<_, _>>()?;
        let prompts: Vec<&TokenizedPrompt> = prompts.iter().collect();
        self.respond_to(jobs, &prompts, sequences, progress)
    }

    /// The same to prompts that are tokens already, one for each job.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub(crate) fn respond_to(
        &self,
        jobs: &[Job],
        prompts: &[&TokenizedPrompt],
        sequences: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Response>, TrainError> {
        const WHAT: &str = "sampling";
        let most = |(job, prompt)| self.most(job, prompt);
        let mut writing = self.writing(Room {
            sequences: sequences.clamp(1, jobs.len().max(1)),
            tokens: jobs
                .iter()
                .zip(prompts.iter().copied())
                .map(most)
                .max()
                .unwrap_or(0),
        });
        let mut waiting: Vec<usize> = (0..jobs.len()).collect();
        waiting.sort_by_key(|&i| Reverse(prompts[i].ids.len())); // The shortest go first, from the back.
        let threads = replicas::on(&self.policy.model.device());
        let read = |&i: &usize| (i, self.read_prompt(&jobs[i], prompts[i]));
        let mut admitted = Vec::with_capacity(jobs.len());
        let mut responses = vec![None; jobs.len()];
        let mut done = 0;
        progress.report(WHAT, done, jobs.len());
        while done < jobs.len() {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            // As many prompts side by side as there are threads, unless that leaves the batch empty.
            let free = writing.free().min(waiting.len());
            if free >= threads.min(waiting.len()) || writing.is_empty() {
                let next = waiting.split_off(waiting.len() - free);
                for (i, read) in replicas::map(&next, threads, read) {
                    writing.admit(read?)?;
                    admitted.push(i);
                }
            }
            writing.step();
            for Finished { id, response } in writing.take_finished() {
                responses[admitted[id.number()]] = Some(response?);
                done += 1;
            }
            progress.report(WHAT, done, jobs.len());
        }
        Ok(responses.into_iter().flatten().collect())
    }

    /// Writes one response and gives its text piece by piece as it comes.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub fn stream(&self, job: &Job, mut on_text: impl FnMut(&str)) -> Result<Response, TrainError> {
        let prompt = self.tokenise(job)?;
        let mut writing = self.writing(Room {
            sequences: 1,
            tokens: self.most(job, &prompt),
        });
        writing.admit(self.read_prompt(job, &prompt)?)?;
        loop {
            for piece in writing.step() {
                on_text(&piece.text);
            }
            if let Some(finished) = writing.take_finished().pop() {
                return finished.response;
            }
        }
    }

    /// The most tokens that a job may become.
    fn most(&self, job: &Job, prompt: &TokenizedPrompt) -> usize {
        let length = self.policy.user_tokens() + prompt.ids.len();
        length + job.sampling.max_new_tokens
    }

    /// A user's soft prompt or prefix, `[T_u, width]`; none for a policy without users.
    fn user_tokens(&self, user: &UserRef) -> Result<Option<Tensor<2>>, TrainError> {
        match (&self.policy.users, &self.table) {
            (Some(model), Some(table)) if self.policy.user_tokens() > 0 => {
                let device = self.policy.model.device();
                let rows = table.batch(std::slice::from_ref(user), &device)?;
                Ok(Some(model.soft_prompt(&rows).squeeze_dim(0)))
            }
            _ => Ok(None),
        }
    }

    /// Sampling settings with what ends a response: the model's own stop ids and the chat template's end of turn.
    fn processor(&self, sampling: &SamplingConfig) -> Result<LogitsProcessor, TrainError> {
        let mut sampling = sampling.clone();
        sampling.stop_ids.extend(self.formatter.stop_ids());
        sampling.stop_ids.sort_unstable();
        sampling.stop_ids.dedup();
        Ok(LogitsProcessor::new(sampling)?)
    }
}

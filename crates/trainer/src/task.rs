//! What is learnt from comparisons. A [`Task`] turns the model's states into a loss per row; everything else of training is
//! the [`Learner`](crate::learner::Learner)'s and the [`Session`](crate::session::Session)'s, for every task alike.

mod language;
mod online;
mod preference;
mod ranked;
mod reward;

use std::fmt::Debug;

use burn::tensor::Tensor;
use pdpo_loss::{Branch, ScoredRow};
use serde_json::Value;
use user_model::{RowBatch, UserTable};

use crate::error::TrainError;
use crate::example::Example;
pub use crate::kl::{BatchFigures, WholeBatch};
use crate::metrics::Line;
use crate::pack::{DeviceBatch, PackedBatch, RowTokens};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::tokenise::TokenizedPair;
pub use language::{Language, Responses};
pub use online::{Online, OnlineRow, Sample, Sampled, Surroundings};
pub use preference::Preference;
pub use reward::Reward;

/// A comparison in one branch: a row of a forward pass.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The comparison's place in its batch.
    pub index: usize,
    /// The comparison.
    pub example: &'a Example,
    /// Whose soft prompt it gets.
    pub branch: Branch,
}

/// Rows of one forward pass, on the host and on the device.
#[derive(Debug)]
pub struct MicroBatch<'a> {
    /// What the rows are.
    pub rows: &'a [Row<'a>],
    /// Their tokens.
    pub packed: &'a PackedBatch,
    /// The same on the device.
    pub on_device: &'a DeviceBatch,
    /// What is known of the whole batch.
    pub figures: BatchFigures,
}

/// When examples are made, and of what.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The policy as it is.
    pub policy: &'a Policy,
    /// Its users.
    pub table: Option<&'a UserTable>,
    /// The number of the step, counted from 0; of a validation always the same, so that all of them draw alike.
    pub step: usize,
    /// Whether it is a validation.
    pub validates: bool,
    /// Hears of it, and may end it.
    pub progress: &'a dyn Progress,
}

/// What the model says of every scored token, `[scored]` each.
#[derive(Debug)]
pub struct Outputs {
    /// What is learnt from, with gradient: log-probs, unless a task says otherwise, such as rewards.
    pub values: Tensor<1>,
    /// `log(sum over the vocabulary of p^2)`, without gradient, where a task needs it.
    pub squares: Option<Tensor<1>>,
}

/// What a task says of the rows of a [`MicroBatch`].
#[derive(Debug)]
pub struct RowLosses<R> {
    /// `[rows]`, with gradient.
    pub losses: Tensor<1>,
    /// The same on the host, with whatever else is worth logging, in the order of the rows.
    pub reports: Vec<R>,
}

/// Something to learn. Training, validation and evaluation call [`Task::losses`] alike.
pub trait Task: Send + Sync {
    /// What is reported of a row.
    type Report: Clone + Debug + Send;

    /// What a run that goes on from a checkpoint must share, as the configuration says it: section to keys.
    fn settings(&self) -> Value;

    /// The branches of a comparison that count in training.
    fn branches(&self) -> &'static [Branch];

    /// The one of them that a step computes, where one is drawn: by the comparison's own number from 0 to 1 and the pass over the data.
    /// Default: all are computed.
    fn draw(&self, uniform: f64, epoch: usize) -> Option<Branch> {
        let _ = (uniform, epoch);
        None
    }

    /// Rows of a comparison that a step computes. Default: one in each branch.
    fn rows_each(&self) -> usize {
        self.branches().len()
    }

    /// The peak rate of the policy's head where it is not that of the adapters. Default: it is.
    fn head_rate(&self) -> Option<f64> {
        None
    }

    /// Whether a row's loss depends on the other rows of its batch.
    fn needs_whole_batch(&self) -> bool {
        false
    }

    /// Whether anything is learnt from a comparison; others are left out. Default: yes.
    fn learns_from(&self, pair: &TokenizedPair) -> bool {
        let _ = pair;
        true
    }

    /// Makes the examples that a step, or a validation, looks at in the place of those of the data. It must depend on these and on
    /// `moment` alone. Default: none, the data's are looked at.
    ///
    /// # Errors
    /// What the task needs for it and lacks, or [`TrainError::Stopped`].
    fn made(
        &self,
        examples: &[&Example],
        moment: Moment<'_>,
    ) -> Result<Option<Vec<Example>>, TrainError> {
        let _ = (examples, moment);
        Ok(None)
    }

    /// How many examples [`made`](Self::made) makes of so many. Default: as many.
    fn examples_of(&self, examples: usize) -> usize {
        examples
    }

    /// Updates of the weights in a step, all on the same examples. Default: one.
    fn updates(&self) -> usize {
        1
    }

    /// Computes what [`losses`](Self::losses) needs of these comparisons beside the policy. What is there already costs
    /// nothing.
    ///
    /// # Errors
    /// A cache that cannot be written.
    fn prepare(&self, examples: &[&Example], progress: &dyn Progress) -> Result<(), TrainError> {
        let _ = (examples, progress);
        Ok(())
    }

    /// Whether [`losses`](Self::losses) needs to know something of a whole batch, which [`figures`](Self::figures) measures.
    fn needs_figures(&self) -> bool {
        false
    }

    /// Measures what [`losses`](Self::losses) needs to know of a whole batch, without gradient. Default: nothing.
    ///
    /// # Errors
    /// Comparisons that are not prepared.
    fn figures(&self, batch: WholeBatch<'_>) -> Result<BatchFigures, TrainError> {
        let _ = batch;
        Ok(BatchFigures::default())
    }

    /// Input tokens of a comparison's row at most, `soft` soft tokens included. Default: as many as are read.
    fn row_length(&self, pair: &TokenizedPair, soft: usize) -> usize {
        self.reads(pair).length(soft)
    }

    /// What is read of a comparison, and asked of it. Default: how likely the tokens of both responses are.
    fn reads<'a>(&self, pair: &'a TokenizedPair) -> RowTokens<'a> {
        pair.into()
    }

    /// From the states that predict scored tokens, `[scored, d]`, to what is learnt from; `users` holds one row per row of the
    /// batch where there is a user model. Default: their log-probs.
    ///
    /// # Errors
    /// A policy that lacks what the task needs of it.
    fn outputs(
        &self,
        policy: &Policy,
        states: Tensor<2>,
        (batch, users): (&DeviceBatch, Option<&RowBatch>),
    ) -> Result<Outputs, TrainError> {
        let _ = users;
        Ok(Outputs {
            values: policy.model.log_probs(states, batch.targets.clone()),
            squares: None,
        })
    }

    /// The loss of every row from these outputs.
    ///
    /// # Errors
    /// Comparisons that are not prepared.
    fn losses(
        &self,
        micro: &MicroBatch<'_>,
        outputs: Outputs,
    ) -> Result<RowLosses<Self::Report>, TrainError>;

    /// What the mean over a batch is over, such as comparisons or tokens.
    fn size(&self, batch: &[&Example]) -> usize;

    /// The part of the batch's loss that a few rows carry: `losses` is `[rows]`, `size` is that of the whole batch. The parts of
    /// all micro-batches add up.
    ///
    /// # Errors
    /// Rows and losses that differ in number.
    fn share(
        &self,
        losses: Tensor<1>,
        rows: &[Row<'_>],
        size: usize,
    ) -> Result<Tensor<1>, TrainError>;

    /// The mean loss of evaluated rows, each in its own user's branch.
    fn mean_loss(&self, reports: &[Self::Report]) -> f64;

    /// Fills a line of the metrics, but for its loss, with what is known of some rows, one per comparison.
    fn describe(&self, line: &mut Line, rows: &[(&Example, &Self::Report)]);
}

/// A task that ranks responses.
pub trait Ranking: Task<Report = ScoredRow> {
    /// How far each row's preferred response is rewarded beyond the other, `[rows]`, with gradient.
    ///
    /// # Errors
    /// Comparisons that are not prepared.
    fn margins(&self, micro: &MicroBatch<'_>, outputs: Outputs) -> Result<Tensor<1>, TrainError>;
}

//! Who says what a response is worth to a user.

use std::fmt::Debug;

use pref_data::Comparison;

use crate::error::TrainError;
use crate::progress::Progress;

/// Gives responses rewards, which a policy is optimised for ([`Online`](crate::task::Online)). A
/// [`RewardModel`](crate::inference::RewardModel) is one; any crate may write another.
pub trait Scorer: Debug + Send + Sync {
    /// What the response of each text (`chosen`) is worth to its user, or to the generic user where it names none, or one who is not
    /// known; in the order given. Only differences between responses to one prompt for one user need mean something. A pure
    /// function of a text and its company.
    ///
    /// # Errors
    /// A text that cannot be scored, or a reward that is no finite number. [`TrainError::Unscored`] has a run save what it has learned.
    fn rewards(
        &self,
        texts: &[Comparison],
        beside: Beside<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError>;

    /// Whether a response is worth something beside others alone. The mean over a group is then the same whatever is written, and a validation
    /// asks what responses are worth beside the base model's. Default: no.
    fn compares(&self) -> bool {
        false
    }

    /// What tells it from others: a run that goes on must have the same.
    ///
    /// # Errors
    /// Files that cannot be read.
    fn key(&self) -> Result<String, TrainError>;

    /// Whether this user has rewards of their own. Default: yes.
    fn knows(&self, user: &str) -> bool {
        let _ = user;
        true
    }

    /// The longest response that it reads to the end, in tokens of its own. Default: any.
    fn longest(&self) -> Option<usize> {
        None
    }

    /// What rewards took since this was last asked; none (default) where that is of no interest.
    fn effort(&self) -> Option<Effort> {
        None
    }
}

/// What responses are seen beside.
#[derive(Clone, Copy, Debug)]
pub enum Beside<'a> {
    /// The others of their group: so many texts, one after the other, answer one prompt for one user.
    Group(usize),
    /// What the frozen base model answers to the same prompt, one text for each.
    Base(&'a [String]),
}

/// What a [`Scorer`] needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Calls of somebody who takes time or money.
    pub calls: u64,
    /// Answers that were known from before.
    pub cached: u64,
}

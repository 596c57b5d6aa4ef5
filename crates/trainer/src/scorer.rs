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
    /// A text that cannot be scored, or a reward that is no finite number.
    fn rewards(
        &self,
        texts: &[Comparison],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError>;

    /// What tells it from others: a run that goes on must have the same.
    fn key(&self) -> String;

    /// Whether this user has rewards of their own. Default: yes.
    fn knows(&self, user: &str) -> bool {
        let _ = user;
        true
    }

    /// The longest response that it reads to the end, in tokens of its own. Default: any.
    fn longest(&self) -> Option<usize> {
        None
    }
}

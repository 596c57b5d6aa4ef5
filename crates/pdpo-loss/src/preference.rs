//! The preference losses, one file each, and the registry that finds them by name.

mod dpo;
mod ipo;

use std::fmt::Debug;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{LossError, PairLogProbs, Rewards};
pub use dpo::Dpo;
pub use ipo::Ipo;

/// A loss on comparisons: what [`Objective`](crate::Objective) minimises in each branch. Any crate may write one.
pub trait PairLoss: Debug + Send + Sync {
    /// One loss per row, `[rows]`, differentiable in the policy's log-probabilities.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`] where the loss needs what `pairs` lacks.
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError>;

    /// The implicit rewards of the same rows, without gradient; see [`Rewards`].
    ///
    /// # Errors
    ///
    /// As [`losses`](Self::losses).
    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError>;

    /// Whether the loss reads the reference's log-probabilities. They are neither computed nor stored for one that
    /// does not. Default: yes.
    fn needs_reference(&self) -> bool {
        true
    }

    /// Whether a row's loss depends on the other rows of its batch. Such a loss is another one under gradient
    /// accumulation. Default: no.
    fn needs_batch_statistics(&self) -> bool {
        false
    }
}

/// The losses that this crate brings, by name. In TOML: `loss = "dpo"` and the loss's own keys; a key that the loss does not
/// have is refused.
///
/// # How to add a loss
///
/// 1. A file in `src/preference/`: a struct with the loss's keys, `Default`, `validate`, and [`PairLoss`]: the formula, its
///    source in the doc comment, tests against hand calculations.
/// 2. A variant here and its line in [`as_loss`](Self::as_loss) and [`validate`](Self::validate).
/// 3. Cases in `tests/fixtures/trl.json`, if TRL offers the loss.
///
/// `PairLogProbs` carries sums and token counts, so losses on means, on either response alone
/// (KTO, APO, NCA, SPPO) or on the sorted batch (AOT) need no other input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "loss", rename_all = "lowercase")]
#[non_exhaustive]
pub enum PreferenceLoss {
    /// Direct preference optimisation.
    Dpo(Dpo),
    /// Identity preference optimisation.
    Ipo(Ipo),
}

impl PreferenceLoss {
    /// The loss itself.
    pub fn as_loss(&self) -> &dyn PairLoss {
        match self {
            Self::Dpo(loss) => loss,
            Self::Ipo(loss) => loss,
        }
    }

    /// Refuses numbers that the formula is not defined for.
    ///
    /// # Errors
    ///
    /// Names the key and what was found.
    pub fn validate(&self) -> Result<(), LossError> {
        match self {
            Self::Dpo(loss) => loss.validate(),
            Self::Ipo(loss) => loss.validate(),
        }
    }
}

impl Default for PreferenceLoss {
    /// DPO with beta 0.1.
    fn default() -> Self {
        Self::Dpo(Dpo::default())
    }
}

impl PairLoss for PreferenceLoss {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        self.as_loss().losses(pairs)
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        self.as_loss().rewards(pairs)
    }

    fn needs_reference(&self) -> bool {
        self.as_loss().needs_reference()
    }

    fn needs_batch_statistics(&self) -> bool {
        self.as_loss().needs_batch_statistics()
    }
}

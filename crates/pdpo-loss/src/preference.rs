//! The preference losses, one file each, and the registry that finds them by name.

mod alphapo;
mod aot;
mod aot_unpaired;
mod apo_down;
mod apo_zero;
mod apo_zero_unpaired;
mod bco_pair;
mod bradley_terry;
mod cpo;
mod discopop;
mod divergence;
mod dpo;
mod exo_pair;
mod exponential;
mod hinge;
mod ipo;
mod kto;
mod ld_dpo;
mod logistic;
mod nca_pair;
mod orpo;
mod robust;
mod sft;
mod sigmoid_norm;
mod simpo;
mod sppo_hard;
mod sum;
mod thumbs;
mod wpo;

use std::fmt::Debug;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{LossError, PairLogProbs, Part, Rewards};
pub use alphapo::Alphapo;
pub use aot::Aot;
pub use aot_unpaired::AotUnpaired;
pub use apo_down::ApoDown;
pub use apo_zero::ApoZero;
pub use apo_zero_unpaired::ApoZeroUnpaired;
pub use bco_pair::BcoPair;
pub use bradley_terry::BradleyTerry;
pub use cpo::Cpo;
pub use discopop::Discopop;
pub use divergence::Divergence;
pub use dpo::Dpo;
pub use exo_pair::ExoPair;
pub use hinge::Hinge;
pub use ipo::Ipo;
pub use kto::Kto;
pub(crate) use ld_dpo::LdDpo;
pub use nca_pair::NcaPair;
pub use orpo::Orpo;
pub use robust::Robust;
pub use sft::Sft;
pub use sigmoid_norm::SigmoidNorm;
pub use simpo::Simpo;
pub use sppo_hard::SppoHard;
pub use sum::{Sum, Weighted};
pub(crate) use wpo::Wpo;

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

    /// The terms that [`losses`](Self::losses) is the sum of, by name. Default: one, `preference`.
    ///
    /// # Errors
    ///
    /// As [`losses`](Self::losses).
    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        Ok(vec![Part {
            name: "preference",
            values: self.losses(pairs)?,
        }])
    }

    /// Refuses settings that the formula is not defined for. Default: none.
    ///
    /// # Errors
    ///
    /// [`LossError::Setting`] names the key and what was found.
    fn validate(&self) -> Result<(), LossError> {
        Ok(())
    }

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

    /// Whether the loss reads the log-probabilities of [`PairLogProbs::with_shared`]. Default: no.
    fn needs_shared(&self) -> bool {
        false
    }

    /// Whether the loss reads [`PairLogProbs::with_squares`]. Default: no.
    fn needs_squares(&self) -> bool {
        false
    }

    /// Whether the loss reads [`PairLogProbs::with_kl`]. Default: no.
    fn needs_kl(&self) -> bool {
        false
    }

    /// Whether the loss is defined for rows of which one response does not exist. Default: no.
    fn takes_thumbs(&self) -> bool {
        false
    }
}

/// Makes the registry of `name => Type` lines.
macro_rules! losses {
    ($($(#[$doc:meta])* $name:literal => $loss:ident,)*) => {
        /// The losses that this crate brings, by name. In TOML: `loss = "dpo"` and the loss's own keys; a key that the loss
        /// does not have is refused.
        ///
        /// # How to add a loss
        ///
        /// 1. A file in `src/preference/`: a struct with the loss's keys, `Default`, and [`PairLoss`]: the formula, its source
        ///    in the doc comment, tests against hand calculations where they say more than the fixture.
        /// 2. Its line in the list at the end of `src/preference.rs`, and one in `docs/losses.md`.
        /// 3. Cases in `tests/fixtures/losses.json`, which another implementation computes. A test fails for a loss without.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "loss")]
        #[non_exhaustive]
        pub enum PreferenceLoss {
            $($(#[$doc])* #[serde(rename = $name)] $loss($loss),)*
        }

        impl PreferenceLoss {
            /// Every name.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Every loss with its default settings, in the order of [`NAMES`](Self::NAMES).
            pub fn all() -> Vec<Self> {
                vec![$(Self::$loss($loss::default())),*]
            }

            /// The name of this one.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$loss(_) => $name,)*
                }
            }

            /// The loss itself.
            pub fn as_loss(&self) -> &dyn PairLoss {
                match self {
                    $(Self::$loss(loss) => loss,)*
                }
            }
        }
    };
}

losses! {
    /// Direct preference optimisation; with label smoothing cDPO, with a length penalty R-DPO.
    "dpo" => Dpo,
    /// DPO that is unbiased where a known share of labels is flipped.
    "robust" => Robust,
    /// A margin of 1, as of SLiC.
    "hinge" => Hinge,
    /// Identity preference optimisation.
    "ipo" => Ipo,
    /// Exact optimisation: reverse KL to the labels.
    "exo_pair" => ExoPair,
    /// Noise contrastive alignment.
    "nca_pair" => NcaPair,
    /// A binary classifier of each response.
    "bco_pair" => BcoPair,
    /// Self-play with a win probability of 1 and 0.
    "sppo_hard" => SppoHard,
    /// Alignment via optimal transport, of differences.
    "aot" => Aot,
    /// Alignment via optimal transport, of either side.
    "aot_unpaired" => AotUnpaired,
    /// Anchored: preferred responses up, others down.
    "apo_zero" => ApoZero,
    /// Anchored: both down, the others further.
    "apo_down" => ApoDown,
    /// The discovered loss of DiscoPOP.
    "discopop" => Discopop,
    /// DPO on means over tokens.
    "sigmoid_norm" => SigmoidNorm,
    /// The negative log-likelihood of the preferred response.
    "sft" => Sft,
    /// Means over tokens with a margin, without reference.
    "simpo" => Simpo,
    /// SimPO with another shape of rewards.
    "alphapo" => Alphapo,
    /// Odds ratios beside the negative log-likelihood, without reference.
    "orpo" => Orpo,
    /// Contrastive preference optimisation, without reference.
    "cpo" => Cpo,
    /// Kahneman-Tversky optimisation, on thumbs or pairs.
    "kto" => Kto,
    /// The same without a KL term.
    "apo_zero_unpaired" => ApoZeroUnpaired,
    /// A weighted sum of others.
    "sum" => Sum,
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

    fn parts(&self, pairs: &PairLogProbs) -> Result<Vec<Part>, LossError> {
        self.as_loss().parts(pairs)
    }

    fn validate(&self) -> Result<(), LossError> {
        self.as_loss().validate()
    }

    fn needs_reference(&self) -> bool {
        self.as_loss().needs_reference()
    }

    fn needs_batch_statistics(&self) -> bool {
        self.as_loss().needs_batch_statistics()
    }

    fn needs_shared(&self) -> bool {
        self.as_loss().needs_shared()
    }

    fn needs_squares(&self) -> bool {
        self.as_loss().needs_squares()
    }

    fn needs_kl(&self) -> bool {
        self.as_loss().needs_kl()
    }

    fn takes_thumbs(&self) -> bool {
        self.as_loss().takes_thumbs()
    }
}

/// For keys that are not written where they change nothing.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

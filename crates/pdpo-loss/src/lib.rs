//! Preference losses on log-probabilities, and their personalised combination (P-DPO).
//!
//! This crate starts where a language model ends: it takes the log-probability of each response
//! under the policy and under the reference, and returns losses and implicit rewards. It knows
//! nothing of models, tokenizers, users or files.
//!
//! A training step reads:
//!
//! 1. fill a [`PairLogProbs`] (one row per comparison and branch);
//! 2. [`Objective::evaluate`] gives one loss per row with its parts, and rewards, margins, accuracies: what validation and
//!    reports read, too;
//! 3. [`Personalised::combine`] weighs the rows into the part of the batch objective that they
//!    carry, so that gradients of several micro-batches simply add up.
//!
//! Where a policy learns from responses that it has just written, and that somebody has rewarded, a step reads
//! [`PolicyGradient`].
//!
//! A loss is a [`PairLoss`]: one of this crate's, found by name in a file ([`ObjectiveConfig`]), or one's own.
//!
//! Formulas: Li, Zhou, Lipton, Leqi, "Personalized Language Modeling from Personalized Human
//! Feedback" (arXiv 2402.05133), which builds on DPO (arXiv 2305.18290) and IPO (arXiv 2310.12036); each other loss names its
//! source.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use pdpo_loss::{Branch, Dpo, Objective, Pair, PairLogProbs};
//!
//! let device = Device::flex().autodiff();
//! let pair = |chosen: [f32; 2], rejected: [f32; 2]| Pair {
//!     chosen: Tensor::from_floats(chosen, &device),
//!     rejected: Tensor::from_floats(rejected, &device),
//! };
//! let mut policy = pair([-20.0, -22.0], [-27.0, -25.0]);
//! policy.chosen = policy.chosen.require_grad();
//! let reference = pair([-22.0, -22.0], [-25.0, -25.0]);
//! let tokens = pair([9.0, 9.0], [10.0, 10.0]);
//! let pairs = PairLogProbs::new(policy, Some(reference), tokens)?;
//!
//! let objective = Objective::new(Dpo::new(0.1)?, 0.5)?;
//! let branches = [Branch::User, Branch::Generic];
//! let rows = objective.evaluate(&pairs, &branches)?;
//! let loss = objective.mix().combine(rows.loss, &branches, 1)?;
//! let gradients = loss.backward();
//! # assert!(pairs.policy().chosen.grad(&gradients).is_some());
//! # Ok::<(), pdpo_loss::LossError>(())
//! ```

mod error;
mod keys;
mod objective;
mod pairs;
mod personalised;
mod policy_gradient;
mod preference;
mod rewards;

pub use error::LossError;
pub use objective::{Evaluation, Objective, ObjectiveConfig, Part, ScoredRow};
pub use pairs::{Pair, PairLogProbs};
pub use personalised::{Branch, Branches, Personalised};
pub use policy_gradient::{
    Aggregation, Grpo, PolicyGradient, Rewarded, Rloo, SampledLogProbs, ScaleRewards,
    against_group, leave_one_out, standardised,
};
pub use preference::{
    Alphapo, Aot, AotUnpaired, ApoDown, ApoZero, ApoZeroUnpaired, BcoPair, BradleyTerry, Cpo,
    Discopop, Divergence, Dpo, ExoPair, Hinge, Ipo, Kto, NcaPair, Orpo, PairLoss, PreferenceLoss,
    Robust, Sft, SigmoidNorm, Simpo, SppoHard, Sum, Weighted,
};
pub use rewards::Rewards;

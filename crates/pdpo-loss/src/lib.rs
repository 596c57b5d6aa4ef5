//! Preference losses on log-probabilities, and their personalised combination (P-DPO).
//!
//! This crate starts where a language model ends: it takes the log-probability of each response
//! under the policy and under the reference, and returns losses and implicit rewards. It knows
//! nothing of models, tokenizers, users or files.
//!
//! A training step reads:
//!
//! 1. fill a [`PairLogProbs`] (one row per comparison and branch);
//! 2. [`PreferenceLoss::per_comparison`] gives one loss per row;
//! 3. [`Personalised::combine`] weighs the rows into the part of the batch objective that they
//!    carry, so that gradients of several micro-batches simply add up;
//! 4. [`PreferenceLoss::rewards`] gives what one logs: rewards, margins, accuracies.
//!
//! Formulas: Li, Zhou, Lipton, Leqi, "Personalized Language Modeling from Personalized Human
//! Feedback" (arXiv 2402.05133), which builds on DPO (arXiv 2305.18290) and IPO (arXiv 2310.12036).
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use pdpo_loss::{Branch, PairLogProbs, Personalised, PreferenceLoss};
//!
//! let device = Device::flex().autodiff();
//! let row = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
//! let pairs = PairLogProbs {
//!     policy_chosen: row([-20.0, -22.0]).require_grad(),
//!     policy_rejected: row([-27.0, -25.0]),
//!     reference_chosen: row([-22.0, -22.0]),
//!     reference_rejected: row([-25.0, -25.0]),
//!     chosen_tokens: row([9.0, 9.0]),
//!     rejected_tokens: row([10.0, 10.0]),
//! };
//! let losses = PreferenceLoss::dpo(0.1)?.per_comparison(&pairs);
//! let branches = [Branch::User, Branch::Generic];
//! let objective = Personalised::new(0.5)?.combine(losses, &branches, 1)?;
//! let gradients = objective.backward();
//! # assert!(pairs.policy_chosen.grad(&gradients).is_some());
//! # Ok::<(), pdpo_loss::LossError>(())
//! ```

mod error;
mod pairs;
mod personalised;
mod preference;
mod rewards;

pub use error::LossError;
pub use pairs::PairLogProbs;
pub use personalised::{Branch, Personalised};
pub use preference::PreferenceLoss;
pub use rewards::Rewards;

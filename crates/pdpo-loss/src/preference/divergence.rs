//! What keeps a policy near its reference (f-DPO: Wang et al., arXiv 2309.16240).

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::exponential::exponential;
use super::is_default;
use crate::error::validate;
use crate::{LossError, Pair, PairLogProbs};

/// The f-divergence from the reference that a policy is regularised by. With `t = pi(y) / pi_ref(y)`, its implicit reward is
/// `beta f'(t)`, up to what both responses share, so the loss compares scores `f'(t)` (arXiv 2309.16240, in the form that TRL
/// has). Losses that look at either response alone have no such form: what both share does not cancel there.
///
/// In TOML: `divergence = "js"`, or `divergence = { alpha = 0.5 }`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divergence {
    /// `f'(t) = log t` (up to a constant): DPO's own.
    #[default]
    ReverseKl,
    /// `f'(t) = 1 - 1 / t`.
    ForwardKl,
    /// Jensen-Shannon: `f'(t) = log(2 t / (1 + t))`.
    Js,
    /// `f'(t) = (t^(a - 1) - 1) / (a - 1)`, `a` from 0 (forward KL) to 1 (reverse KL).
    Alpha(f64),
}

impl Divergence {
    /// Whether it is DPO's own, for keys that are not written where they change nothing.
    pub(super) fn is_own(&self) -> bool {
        is_default(self)
    }

    pub(super) fn validate(&self) -> Result<(), LossError> {
        match *self {
            Self::Alpha(alpha) => {
                validate("divergence.alpha", alpha, 0.0..=1.0, "a number from 0 to 1")
            }
            Self::ReverseKl | Self::ForwardKl | Self::Js => Ok(()),
        }
    }

    /// The scores `f'(pi(y) / pi_ref(y))` of both responses, `[rows]` each.
    ///
    /// # Errors
    ///
    /// [`LossError::NoReference`].
    pub(super) fn scores(&self, pairs: &PairLogProbs) -> Result<Pair, LossError> {
        Ok(pairs.log_ratios()?.map(|ratio| self.score(ratio)))
    }

    /// The same, each divided by its response's token count.
    pub(super) fn mean_scores(&self, pairs: &PairLogProbs) -> Result<Pair, LossError> {
        Ok(pairs.per_token(self.scores(pairs)?))
    }

    fn score(&self, log_ratio: Tensor<1>) -> Tensor<1> {
        match *self {
            Self::ReverseKl => log_ratio,
            Self::ForwardKl => power(log_ratio, -1.0),
            Self::Js => log_sigmoid(log_ratio) + std::f64::consts::LN_2,
            Self::Alpha(alpha) => power(log_ratio, alpha - 1.0),
        }
    }
}

/// `(t^p - 1) / p` of `log t`; at `p = 0` its limit, `log t`. Where `t^p` is above e^30 it grows with `log t` only.
fn power(log_ratio: Tensor<1>, p: f64) -> Tensor<1> {
    if p.abs() < 1e-6 {
        return log_ratio;
    }
    (exponential(log_ratio * p) - 1.0) / p
}

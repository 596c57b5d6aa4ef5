//! The preference losses, one file each.

mod dpo;
mod ipo;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::check_beta;
use crate::{LossError, PairLogProbs, Rewards};

/// A loss on comparisons. In TOML: `loss = "dpo"`, `beta = 0.1`.
///
/// Reading one from a file checks its numbers and refuses unknown keys; one built by hand can be
/// checked with [`validate`](Self::validate).
///
/// # How to add a loss
///
/// 1. A file in `src/preference/` with `per_comparison(pairs, ...) -> Tensor<1>`: the formula, its
///    source in the doc comment, tests against hand calculations.
/// 2. A variant here and one in `Raw` below; the compiler then points at every `match` to extend:
///    [`validate`](Self::validate), [`per_comparison`](Self::per_comparison),
///    [`rewards`](Self::rewards), [`needs_batch_statistics`](Self::needs_batch_statistics).
/// 3. Cases in `tests/fixtures/trl.json`, if TRL offers the loss.
///
/// `PairLogProbs` carries sums and token counts, so losses on means, on either response alone
/// (KTO, APO, NCA, SPPO) or on the sorted batch (AOT) need no other input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "loss", rename_all = "lowercase", try_from = "Raw")]
pub enum PreferenceLoss {
    /// Direct preference optimisation: `-log sigma(beta * delta)`; with label smoothing, its
    /// conservative form (cDPO).
    Dpo {
        /// Strength of the pull towards the reference, above 0.
        beta: f64,
        /// Assumed share of flipped labels, from 0 to below 0.5; 0 if not given.
        label_smoothing: f64,
    },
    /// Identity preference optimisation: `(mean delta - 1 / (2 beta))^2`.
    Ipo {
        /// IPO's tau, above 0.
        beta: f64,
    },
}

/// What stands in a file, before its numbers are checked.
#[derive(Deserialize)]
#[serde(tag = "loss", rename_all = "lowercase", deny_unknown_fields)]
enum Raw {
    Dpo {
        beta: f64,
        #[serde(default)]
        label_smoothing: f64,
    },
    Ipo {
        beta: f64,
    },
}

impl TryFrom<Raw> for PreferenceLoss {
    type Error = LossError;

    fn try_from(raw: Raw) -> Result<Self, LossError> {
        let loss = match raw {
            Raw::Dpo {
                beta,
                label_smoothing,
            } => Self::Dpo {
                beta,
                label_smoothing,
            },
            Raw::Ipo { beta } => Self::Ipo { beta },
        };
        loss.validate()?;
        Ok(loss)
    }
}

impl PreferenceLoss {
    /// DPO without label smoothing.
    ///
    /// # Errors
    ///
    /// [`LossError::Beta`] unless `beta` is finite and positive.
    pub fn dpo(beta: f64) -> Result<Self, LossError> {
        let loss = Self::Dpo {
            beta,
            label_smoothing: 0.0,
        };
        loss.validate().map(|()| loss)
    }

    /// IPO.
    ///
    /// # Errors
    ///
    /// [`LossError::Beta`] unless `beta` is finite and positive.
    pub fn ipo(beta: f64) -> Result<Self, LossError> {
        let loss = Self::Ipo { beta };
        loss.validate().map(|()| loss)
    }

    /// Checks the loss's own numbers.
    ///
    /// # Errors
    ///
    /// [`LossError::Beta`] or [`LossError::LabelSmoothing`], naming what was found.
    pub fn validate(&self) -> Result<(), LossError> {
        match *self {
            Self::Dpo {
                beta,
                label_smoothing,
            } => {
                check_beta(beta)?;
                if (0.0..0.5).contains(&label_smoothing) {
                    Ok(())
                } else {
                    Err(LossError::LabelSmoothing {
                        found: label_smoothing,
                    })
                }
            }
            Self::Ipo { beta } => check_beta(beta),
        }
    }

    /// The loss's `beta`.
    pub fn beta(&self) -> f64 {
        match *self {
            Self::Dpo { beta, .. } | Self::Ipo { beta } => beta,
        }
    }

    /// One loss per row, `[batch]`, differentiable in the policy's log-probabilities.
    ///
    /// The rows must agree in number: see [`PairLogProbs::rows`], which checks it.
    pub fn per_comparison(&self, pairs: &PairLogProbs) -> Tensor<1> {
        match *self {
            Self::Dpo {
                beta,
                label_smoothing,
            } => dpo::per_comparison(pairs, beta, label_smoothing),
            Self::Ipo { beta } => ipo::per_comparison(pairs, beta),
        }
    }

    /// The implicit rewards of the same rows, without gradient; see [`Rewards`].
    pub fn rewards(&self, pairs: &PairLogProbs) -> Rewards {
        let (chosen, rejected) = match self {
            Self::Dpo { .. } => pairs.log_ratios(),
            Self::Ipo { .. } => pairs.mean_log_ratios(),
        };
        Rewards::from_log_ratios(chosen, rejected, self.beta())
    }

    /// Whether a row's loss depends on the other rows of its batch. Such losses are not the same
    /// under gradient accumulation.
    pub fn needs_batch_statistics(&self) -> bool {
        match self {
            Self::Dpo { .. } | Self::Ipo { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_read_from_toml_with_smoothing_left_out() {
        let loss: PreferenceLoss = toml::from_str("loss = \"dpo\"\nbeta = 0.1").unwrap();
        assert_eq!(loss, PreferenceLoss::dpo(0.1).unwrap());
        let loss: PreferenceLoss = toml::from_str("loss = \"ipo\"\nbeta = 0.5").unwrap();
        assert_eq!(loss, PreferenceLoss::Ipo { beta: 0.5 });
    }

    #[test]
    fn a_loss_survives_a_round_trip_through_toml() {
        let loss = PreferenceLoss::Dpo {
            beta: 0.25,
            label_smoothing: 0.125,
        };
        let text = toml::to_string(&loss).unwrap();
        assert!(text.contains("loss = \"dpo\""), "{text}");
        assert_eq!(toml::from_str::<PreferenceLoss>(&text).unwrap(), loss);
    }

    #[test]
    fn bad_numbers_and_unknown_keys_are_refused_by_name() {
        for (text, needle) in [
            ("loss = \"dpo\"\nbeta = -1.0", "`beta` is -1"),
            ("loss = \"dpo\"\nbeta = inf", "`beta` is inf"),
            ("loss = \"ipo\"\nbeta = 0.0", "`beta` is 0"),
            (
                "loss = \"dpo\"\nbeta = 0.1\nlabel_smoothing = 0.5",
                "`label_smoothing` is 0.5",
            ),
            (
                "loss = \"ipo\"\nbeta = 0.1\nlabel_smoothing = 0.1",
                "label_smoothing",
            ),
            ("loss = \"dpo\"\nbeta = 0.1\nbetta = 1.0", "betta"),
            ("loss = \"hinge\"\nbeta = 0.1", "hinge"),
            ("loss = \"dpo\"", "beta"),
        ] {
            let error = toml::from_str::<PreferenceLoss>(text).unwrap_err();
            assert!(error.to_string().contains(needle), "{text}: {error}");
        }
    }

    #[test]
    fn neither_loss_looks_at_the_rest_of_the_batch() {
        assert!(!PreferenceLoss::dpo(0.1).unwrap().needs_batch_statistics());
        assert!(!PreferenceLoss::ipo(0.1).unwrap().needs_batch_statistics());
    }
}

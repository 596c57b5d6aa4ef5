//! What can be wrong with a loss or with its inputs.

use std::fmt::Display;
use std::ops::RangeBounds;

/// A loss setting or an input that the formulas are not defined for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// A setting out of range, or one that does not go with the others.
    #[error("`{key}` is {found}, expected {expected}")]
    Setting {
        /// The setting's key, such as `beta`, or `parts.ipo.beta` in a sum.
        key: String,
        /// The value given.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// Two inputs that hold one value per row differ in length.
    #[error("`{field}` has {found} rows, expected {expected}")]
    Rows {
        /// The input that differs.
        field: &'static str,
        /// Its length.
        found: usize,
        /// The length of the others.
        expected: usize,
    },
    /// The loss compares the policy with a reference.
    #[error("this loss needs the reference's log-probabilities, and none are given")]
    NoReference,
    /// The loss weighs what one response has beyond the other's length (LD-DPO).
    #[error("this loss needs log-probabilities over the shared length, and none are given")]
    NoShared,
    /// The loss weighs rows by the policy's own distribution (WPO).
    #[error("this loss needs sums of squared probabilities, and none are given")]
    NoSquares,
    /// The loss has a KL term.
    #[error("this loss needs its batch's KL term, and none is given")]
    NoKl,
    /// Numbers that a device does not give back.
    #[error("the device's numbers could not be read: {0}")]
    Device(String),
    /// A loss of another crate refuses its settings or inputs.
    #[error("{0}")]
    Other(String),
}

impl LossError {
    pub(crate) fn setting(key: impl Into<String>, found: impl Display, expected: &str) -> Self {
        Self::Setting {
            key: key.into(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    /// The same of a setting within `section`.
    pub(crate) fn within(self, section: &str) -> Self {
        match self {
            Self::Setting {
                key,
                found,
                expected,
            } => Self::Setting {
                key: format!("{section}.{key}"),
                found,
                expected,
            },
            other => other,
        }
    }
}

/// Larger factors mean nothing, and overflow in `f32`.
const LARGEST: f64 = 1e6;
/// Smaller ones are lost beside others in `f32`.
pub(crate) const SMALLEST: f64 = 1e-6;

/// `Ok` where the setting is within its range, which `expected` tells in words.
pub(crate) fn validate(
    key: &str,
    found: f64,
    range: impl RangeBounds<f64>,
    expected: &str,
) -> Result<(), LossError> {
    match range.contains(&found) {
        true => Ok(()),
        false => Err(LossError::setting(key, found, expected)),
    }
}

/// A factor such as `beta`: 1e-6 to 1e6.
pub(crate) fn validate_factor(key: &str, found: f64) -> Result<(), LossError> {
    let range = SMALLEST..=LARGEST;
    validate(key, found, range, "a number from 1e-6 to 1e6")
}

/// The weight of a term that is added to others: 0 to 1e6.
pub(crate) fn validate_weight(key: &str, found: f64) -> Result<(), LossError> {
    validate(key, found, 0.0..=LARGEST, "a number from 0 to 1e6")
}

/// A share of flipped labels: at one half and above, labels say nothing or the opposite.
pub(crate) fn validate_smoothing(found: f64) -> Result<(), LossError> {
    let expected = "a number from 0 to below 0.5";
    validate("label_smoothing", found, 0.0..0.5, expected)
}

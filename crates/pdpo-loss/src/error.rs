//! What can be wrong with a loss or with its inputs.

/// A loss setting or an input that the formulas are not defined for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// `beta` scales the log-ratios (DPO) or sets the target margin (IPO).
    #[error("`beta` is {found}, expected a number above 0, at most 1e6")]
    Beta {
        /// The value given.
        found: f64,
    },
    /// At one half and above, the labels say nothing or the opposite.
    #[error("`label_smoothing` is {found}, expected a number from 0 to below 0.5")]
    LabelSmoothing {
        /// The value given.
        found: f64,
    },
    /// `alpha` is the share of the user-specific term.
    #[error("`alpha` is {found}, expected a number from 0 to 1")]
    Alpha {
        /// The value given.
        found: f64,
    },
    /// A term that is added to the loss has a weight.
    #[error("`{key}` is {found}, expected a number from 0 to 1e6")]
    Weight {
        /// The weight's key.
        key: &'static str,
        /// The value given.
        found: f64,
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
    /// Numbers that a device does not give back.
    #[error("the device's numbers could not be read: {0}")]
    Device(String),
    /// A loss of another crate refuses its settings or inputs.
    #[error("{0}")]
    Other(String),
}

/// Larger factors mean nothing, and overflow in `f32`.
pub(crate) const LARGEST: f64 = 1e6;

/// `Ok` when `beta` is above 0 and at most [`LARGEST`].
pub(crate) fn validate_beta(beta: f64) -> Result<(), LossError> {
    if beta > 0.0 && beta <= LARGEST {
        Ok(())
    } else {
        Err(LossError::Beta { found: beta })
    }
}

//! Row gradients, summed per user over the micro-batches of a step.

use std::collections::BTreeMap;

use burn::tensor::Gradients;

use crate::{RowBatch, TableError, UserRef};

/// Gradients of users' rows. Add every micro-batch's, clip, then give them to
/// [`UserTable::step`](crate::UserTable::step).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowGradients {
    rows: BTreeMap<UserRef, Vec<f32>>,
}

impl RowGradients {
    /// No gradients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the gradients of a backward pass on the leaf of `batch`. A leaf that the loss does not
    /// depend on adds nothing.
    ///
    /// # Errors
    ///
    /// [`TableError::Device`] if the gradient cannot be read.
    pub fn add(&mut self, batch: &RowBatch, gradients: &Gradients) -> Result<(), TableError> {
        let Some(gradient) = batch.leaf.as_ref().and_then(|leaf| leaf.grad(gradients)) else {
            return Ok(());
        };
        let values = gradient
            .try_into_vec_as::<f32>()
            .map_err(|error| TableError::Device(error.to_string()))?;
        self.add_values(batch, &values)
    }

    /// Adds gradients given as `[distinct, row_len]` numbers, in the order of `batch.users()`.
    ///
    /// # Errors
    ///
    /// [`TableError::Length`] unless there are as many numbers as in the leaf.
    pub fn add_values(&mut self, batch: &RowBatch, values: &[f32]) -> Result<(), TableError> {
        let row_len = batch.leaf.as_ref().map_or(0, |leaf| leaf.dims()[1]);
        let expected = batch.users.len() * row_len;
        if values.len() != expected {
            return Err(length("the row gradients", values.len(), expected));
        }
        let rows = values.chunks(row_len.max(1));
        let mut rows = batch.users.iter().zip(rows);
        rows.try_for_each(|(user, values)| self.add_row(user, values))
    }

    /// Adds the gradients of another micro-batch.
    ///
    /// # Errors
    ///
    /// [`TableError::Length`] if the two hold rows of different lengths.
    pub fn merge(&mut self, other: &Self) -> Result<(), TableError> {
        let mut rows = other.iter();
        rows.try_for_each(|(user, values)| self.add_row(user, values))
    }

    fn add_row(&mut self, user: &UserRef, values: &[f32]) -> Result<(), TableError> {
        let row = self
            .rows
            .entry(user.clone())
            .or_insert_with(|| vec![0.0; values.len()]);
        if row.len() != values.len() {
            let what = format!("the gradient of {user}");
            return Err(length(&what, values.len(), row.len()));
        }
        row.iter_mut()
            .zip(values)
            .for_each(|(sum, value)| *sum += value);
        Ok(())
    }

    /// The sum of squares of all gradients, for clipping by the global norm together with other
    /// parameters.
    pub fn squared_norm(&self) -> f64 {
        let squares = self.rows.values().flatten().map(|&g| f64::from(g).powi(2));
        squares.sum()
    }

    /// Multiplies every gradient by `factor`.
    pub fn scale(&mut self, factor: f32) {
        self.rows.values_mut().flatten().for_each(|g| *g *= factor);
    }

    /// The users and their gradients, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (&UserRef, &[f32])> {
        self.rows.iter().map(|(user, row)| (user, row.as_slice()))
    }

    /// The number of users with a gradient.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no user has a gradient.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

pub(crate) fn length(what: &str, found: usize, expected: usize) -> TableError {
    TableError::Length {
        what: what.to_owned(),
        found,
        expected,
    }
}

//! Row-wise, lazy AdamW.

use serde::{Deserialize, Serialize};

use crate::gradients::length;
use crate::table::{Row, RowMoments};
use crate::{RowGradients, TableError, UserRef, UserTable};

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) on rows: only the rows that a step has gradients
/// for move, and bias correction counts each row's own steps. On full batches it equals dense AdamW.
///
/// Weight decay, too, reaches only the rows of the step; on offsets it pulls a user towards the
/// generic user.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RowAdamW {
    /// Decay of the running mean of gradients.
    pub beta_1: f32,
    /// Decay of the running mean of squared gradients.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay, multiplied by the learning rate.
    pub weight_decay: f32,
}

impl Default for RowAdamW {
    /// The values of the paper's runs: 0.9, 0.999, 1e-8, no decay.
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

impl RowAdamW {
    /// One step of one row at learning rate `lr`.
    fn update(&self, row: &mut Row, gradient: &[f32], lr: f64) {
        let zeros = || RowMoments {
            first: vec![0.0; gradient.len()],
            second: vec![0.0; gradient.len()],
            steps: 0,
        };
        let moments = row.moments.get_or_insert_with(zeros);
        moments.steps += 1;
        let steps = i32::try_from(moments.steps).unwrap_or(i32::MAX);
        let correct_1 = 1.0 - self.beta_1.powi(steps);
        let correct_2 = 1.0 - self.beta_2.powi(steps);
        let keep = (1.0 - lr * f64::from(self.weight_decay)) as f32;
        let lr = lr as f32;
        let state = moments.first.iter_mut().zip(&mut moments.second);
        for ((value, (first, second)), &g) in row.values.iter_mut().zip(state).zip(gradient) {
            *first = *first * self.beta_1 + g * (1.0 - self.beta_1);
            *second = *second * self.beta_2 + g * g * (1.0 - self.beta_2);
            let delta = (*first / correct_1) / ((*second / correct_2).sqrt() + self.epsilon);
            *value = *value * keep - delta * lr;
        }
    }
}

impl UserTable {
    /// Moves the rows that have gradients, by one AdamW step each; a row that did not exist starts
    /// from its initial value. Scale the gradients before to clip them.
    ///
    /// # Errors
    ///
    /// [`TableError`] if a user is unknown or owns no row, a gradient has the wrong length or is
    /// not finite, or a first row cannot be drawn. Then no row has moved.
    pub fn step(
        &mut self,
        gradients: &RowGradients,
        lr: f64,
        adamw: &RowAdamW,
    ) -> Result<(), TableError> {
        let mut moved = Vec::with_capacity(gradients.len());
        for (user, gradient) in gradients.iter() {
            self.validate_gradient(user, gradient)?;
            let mut row = match self.rows.get(user) {
                Some(row) => row.clone(),
                None => Row {
                    values: self.row(user)?,
                    moments: None,
                },
            };
            adamw.update(&mut row, gradient, lr);
            moved.push((user.clone(), row));
        }
        self.rows.extend(moved);
        Ok(())
    }

    fn validate_gradient(&self, user: &UserRef, gradient: &[f32]) -> Result<(), TableError> {
        self.validate_known(user)?;
        if !self.config.owns_row(user) {
            return Err(TableError::NoRow { user: user.clone() });
        }
        if gradient.len() != self.config.row_len() {
            let what = format!("the gradient of {user}");
            return Err(length(&what, gradient.len(), self.config.row_len()));
        }
        match gradient.iter().find(|g| !g.is_finite()) {
            Some(&found) => Err(TableError::NotFinite {
                user: user.clone(),
                found,
            }),
            None => Ok(()),
        }
    }
}

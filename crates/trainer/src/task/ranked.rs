//! What the tasks that rank two responses by an objective have in common.

use burn::tensor::Tensor;
use pdpo_loss::{Branch, Objective, PairLogProbs, ScoredRow};

use super::{Row, RowLosses};
use crate::error::TrainError;

/// The loss of every row of a micro-batch.
pub(super) fn losses(
    objective: &Objective,
    pairs: &PairLogProbs,
    rows: &[Row<'_>],
) -> Result<RowLosses<ScoredRow>, TrainError> {
    let evaluation = objective.evaluate(pairs, &branches(rows))?;
    Ok(RowLosses {
        reports: evaluation.rows()?,
        losses: evaluation.loss,
    })
}

/// The part of a batch's loss that these rows carry; `size` comparisons are in the batch. A drawn branch stands for both.
pub(super) fn share(
    objective: &Objective,
    losses: Tensor<1>,
    rows: &[Row<'_>],
    size: usize,
) -> Result<Tensor<1>, TrainError> {
    if rows.iter().all(|row| row.example.drawn.is_some()) {
        return Ok(losses.sum().div_scalar(size.max(1) as f64));
    }
    Ok((objective.mix()).combine(losses, &branches(rows), size)?)
}

/// The branch that is drawn for a comparison; none where all are computed.
pub(super) fn draw(objective: &Objective, uniform: f64, epoch: usize) -> Option<Branch> {
    let draws = objective.draws();
    draws.then(|| objective.mix().draw(uniform, epoch))
}

/// The mean loss of rows; 0 of none.
pub(super) fn mean_loss(reports: &[ScoredRow]) -> f64 {
    let sum: f64 = reports.iter().map(|row| f64::from(row.loss)).sum();
    sum / reports.len().max(1) as f64
}

fn branches(rows: &[Row<'_>]) -> Vec<Branch> {
    rows.iter().map(|row| row.branch).collect()
}

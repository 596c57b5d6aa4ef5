//! The lines of a run's metrics.

use crate::example::Example;
use crate::learner::StepReport;
use crate::metrics::Line;
use crate::schedule::Rates;
use crate::task::Task;

/// When a line is written: after which step, how far into the data, and how long it took in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub(super) step: usize,
    pub(super) epoch: f64,
    pub(super) seconds: f64,
}

/// The line of a training step. Rewards are those of the user branch, of the generic one where there is no other.
pub(super) fn train_line<T: Task>(
    task: &T,
    batch: &[&Example],
    report: &StepReport<T::Report>,
    rates: &Rates,
    when: When,
) -> Line {
    let mut line = Line {
        split: "train".into(),
        step: when.step,
        epoch: when.epoch,
        loss: report.loss,
        grad_norm: Some(report.grad_norms.model),
        users_grad_norm: report.grad_norms.users,
        learning_rate: Some(rates.adapters),
        users_learning_rate: Some(rates.users),
        tokens_per_second: Some(report.tokens as f64 / when.seconds),
        ..Default::default()
    };
    let rows = report.one_row_each();
    let rows: Vec<_> = rows.map(|r| (batch[r.example], &r.row)).collect();
    task.describe(&mut line, &rows);
    line
}

/// The line of a validation.
pub(super) fn validation_line<T: Task>(
    task: &T,
    examples: &[Example],
    reports: &[T::Report],
    when: When,
) -> Line {
    let mut line = Line {
        split: "validation".into(),
        step: when.step,
        epoch: when.epoch,
        loss: task.mean_loss(reports),
        comparisons_per_second: examples.len() as f64 / when.seconds,
        ..Default::default()
    };
    let rows: Vec<_> = examples.iter().zip(reports).collect();
    task.describe(&mut line, &rows);
    line
}

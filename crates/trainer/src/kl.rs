//! KTO's KL term: how much more likely than the reference the policy finds responses that answer other prompts.

use burn::module::Module;
use pdpo_loss::Branch;
use user_model::UserTable;

use crate::error::TrainError;
use crate::example::Example;
use crate::host::host;
use crate::learner::input;
use crate::policy::Policy;
use crate::replicas;
use crate::task::{Row, Task};

/// What a loss needs to know of all rows of a batch together, beside its own rows. Nothing, for most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchFigures {
    user: Option<f32>,
    generic: Option<f32>,
}

impl BatchFigures {
    /// KL terms of 0.
    pub(crate) fn without_kl() -> Self {
        Self {
            user: Some(0.0),
            generic: Some(0.0),
        }
    }

    /// The KL term of a branch, in nats; none where it was not asked for.
    pub fn kl(&self, branch: Branch) -> Option<f32> {
        match branch {
            Branch::User => self.user,
            Branch::Generic => self.generic,
        }
    }
}

/// A whole batch, and who computes on it.
#[derive(Clone, Copy, Debug)]
pub struct WholeBatch<'a> {
    /// The policy, once for each thread or device.
    pub workers: &'a [&'a Policy],
    /// The users' rows.
    pub table: Option<&'a UserTable>,
    /// Its comparisons.
    pub examples: &'a [&'a Example],
    /// The branches to look at.
    pub branches: &'a [Branch],
    /// Rows that a worker computes at a time.
    pub micro_rows: usize,
}

/// `max(0, mean of log pi(y' | x, u) - log pi_ref(y' | x))` over a batch in each branch, with `y'` another prompt's response
/// (arXiv 2402.01306, section 4.1). Without gradient: one forward pass of a row that holds `y'` alone. The reference's
/// log-probs are known already.
///
/// # Errors
/// Examples without such a response or without their reference, or users that the table does not know.
pub(crate) fn estimate<T: Task>(
    task: &T,
    batch: WholeBatch<'_>,
) -> Result<BatchFigures, TrainError> {
    let mismatched = batch.examples.iter().map(|example| example.mismatched());
    let examples: Vec<Example> = mismatched
        .collect::<Option<_>>()
        .ok_or(TrainError::NoMismatched)?;
    let mut figures = BatchFigures::default();
    let policies: Vec<Policy> = batch.workers.iter().map(|policy| policy.valid()).collect();
    let policies: Vec<&Policy> = policies.iter().collect();
    for &branch in batch.branches {
        let row = |(index, example)| Row {
            index,
            example,
            branch,
        };
        let rows: Vec<Row<'_>> = examples.iter().enumerate().map(row).collect();
        let micros: Vec<&[Row<'_>]> = rows.chunks(batch.micro_rows.max(1)).collect();
        let ratios = replicas::map_with(&micros, &policies, |policy, micro| {
            log_ratios(task, policy, batch.table, micro)
        });
        let mut sum = 0.0;
        for ratios in ratios {
            sum += ratios?.iter().sum::<f64>();
        }
        let mean = (sum / rows.len().max(1) as f64).max(0.0) as f32;
        match branch {
            Branch::User => figures.user = Some(mean),
            Branch::Generic => figures.generic = Some(mean),
        }
    }
    Ok(figures)
}

/// `log pi(y' | x, u) - log pi_ref(y' | x)` of some rows.
fn log_ratios<T: Task>(
    task: &T,
    policy: &Policy,
    table: Option<&UserTable>,
    rows: &[Row<'_>],
) -> Result<Vec<f64>, TrainError> {
    let apart = vec![1; rows.len()];
    let (packed, on_device, users) = input(task, policy, table, (rows, &apart))?;
    let found = policy.response_log_probs(&packed, &on_device, users.as_ref());
    let found = host(found.chosen)?;
    let known = rows.iter().map(|row| row.example.item.reference.get());
    let ratios = found.into_iter().zip(known);
    ratios
        .map(|(policy, known)| {
            let known = known.ok_or(TrainError::NoReference)?;
            Ok(f64::from(policy) - f64::from(known.chosen))
        })
        .collect()
}

//! KTO's KL term: how much more likely than the reference the policy finds responses that answer other prompts.

use burn::module::Module;
use pdpo_loss::Branch;
use user_model::UserTable;

use crate::error::TrainError;
use crate::example::Example;
use crate::host::host;
use crate::learner::input;
use crate::policy::{Policy, sum_responses};
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

/// `max(0, mean of log pi(y' | x, u) - log pi_ref(y' | x))` over a batch in each branch, with `y'` another prompt's response
/// (arXiv 2402.01306, section 4.1). Without gradient: one forward pass of a row that holds `y'` alone.
///
/// `workers` compute `micro_rows` rows at a time each. The reference's log-probs are known already.
///
/// # Errors
/// Examples without such a response or without their reference, or users that the table does not know.
pub(crate) fn estimate<T: Task>(
    task: &T,
    workers: &[&Policy],
    table: Option<&UserTable>,
    batch: &[&Example],
    branches: &[Branch],
    micro_rows: usize,
) -> Result<BatchFigures, TrainError> {
    let mismatched = batch.iter().map(|example| example.mismatched());
    let examples: Vec<Example> = mismatched
        .collect::<Option<_>>()
        .ok_or(TrainError::NoMismatched)?;
    let mut figures = BatchFigures::default();
    let policies: Vec<Policy> = workers.iter().map(|policy| policy.valid()).collect();
    let policies: Vec<&Policy> = policies.iter().collect();
    for &branch in branches {
        let row = |(index, example)| Row {
            index,
            example,
            branch,
        };
        let rows: Vec<Row<'_>> = examples.iter().enumerate().map(row).collect();
        let micros: Vec<&[Row<'_>]> = rows.chunks(micro_rows.max(1)).collect();
        let ratios = replicas::map_with(&micros, &policies, |policy, micro| {
            log_ratios(task, policy, table, micro)
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
    let (packed, on_device, users) = input(task, policy, table, rows)?;
    let tokens = policy.token_log_probs(&packed, &on_device, users.as_ref());
    let found = host(sum_responses(tokens, &on_device.membership).chosen)?;
    let known = rows.iter().map(|row| row.example.item.reference.get());
    let ratios = found.into_iter().zip(known);
    ratios
        .map(|(policy, known)| {
            let known = known.ok_or(TrainError::NoReference)?;
            Ok(f64::from(policy) - f64::from(known.chosen))
        })
        .collect()
}

//! A user from a few answers: only their row moves, and everything that is trained stays as it is.

use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::Tensor;
use user_model::{
    Belief, Fit, Margins, RowGradients, TableError, UserModelConfig, UserRef, UserTable,
};

use crate::error::TrainError;
use crate::eval;
use crate::example::Example;
use crate::inference::Engine;
use crate::learner::input;
use crate::policy::Policy;
use crate::progress::{Progress, Quiet};
use crate::replicas;
use crate::task::{BatchFigures, MicroBatch, Ranking};

/// What was made of a user's answers.
#[derive(Clone, Debug)]
pub struct FittedUser {
    /// The most probable row, how sure it is, and how well it explains the answers.
    pub fit: Fit,
    /// How likely the generic user finds the answers, as a logarithm.
    pub generic_log_likelihood: f64,
    /// The generic user's row.
    generic: Vec<f32>,
}

impl FittedUser {
    /// The user's row, and whether it explains the answers at least as well as the generic user's, which it else is.
    pub fn row(&self) -> (Vec<f32>, bool) {
        let better = self.fit.log_likelihood() >= self.generic_log_likelihood;
        let row = match better {
            true => self.fit.belief.mean(),
            false => &self.generic,
        };
        (row.to_vec(), better)
    }
}

impl Engine {
    /// The row that explains a user's answers best, given what is believed of users before ([`UserTable::belief`], or what an
    /// earlier fit left). The answers' own ids do not matter.
    ///
    /// # Errors
    /// A policy without users, whose users own no rows, no answers, or [`TrainError::Stopped`].
    pub fn fit<T: Ranking>(
        &self,
        task: &T,
        answers: &[Example],
        belief: &Belief,
        progress: &dyn Progress,
    ) -> Result<FittedUser, TrainError> {
        const WHAT: &str = "fit";
        let Some(table) = self.table() else {
            let id = "a new user".into();
            return Err(TrainError::NoUsers { id });
        };
        if answers.is_empty() {
            let after = "to fit a user to".into();
            return Err(TrainError::Empty { after });
        }
        task.prepare(&answers.iter().collect::<Vec<_>>(), progress)?;
        let answering = Answering {
            // On the autodiff device, with nothing to train but rows.
            policy: self.policy().clone().train().no_grad(),
            config: table.config(),
            task,
            micro_rows: self.micro_rows(),
            states: answers.iter().map(|_| OnceLock::new()).collect(),
        };
        let generic = generic_row(table)?;
        let at_generic = answering.margins(answers, &generic)?;
        const STARTS: usize = 8;
        let mut starts = Vec::new();
        for row in belief.starts(STARTS) {
            let scored = answering.scored(self, answers, &row)?;
            starts.push(user_model::log_likelihood(&scored));
        }
        let mut rounds = 0;
        let fit = belief.fit(&starts, |row| {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            rounds += 1;
            progress.report(WHAT, rounds, Belief::ROUNDS);
            match *row == *generic {
                true => Ok(at_generic.clone()),
                false => answering.margins(answers, row),
            }
        })?;
        progress.report(WHAT, Belief::ROUNDS, Belief::ROUNDS);
        Ok(FittedUser {
            generic_log_likelihood: user_model::log_likelihood(&at_generic.values),
            fit,
            generic,
        })
    }
}

/// The row that makes a user the generic one.
fn generic_row(table: &UserTable) -> Result<Vec<f32>, TrainError> {
    match table.row(&UserRef::Generic) {
        Err(TableError::NoRow { .. }) => Ok(vec![0.0; table.config().row_len()]),
        row => Ok(row?),
    }
}

/// Computes what a row makes of answers.
struct Answering<'a, T> {
    policy: Policy,
    config: &'a UserModelConfig,
    task: &'a T,
    micro_rows: usize,
    /// The states of each chunk of answers, where a row changes none: it is the head that makes rewards of them.
    states: Vec<OnceLock<Tensor<2>>>,
}

impl<T: Ranking> Answering<'_, T> {
    /// Each answer's margin at a row, with its gradient.
    fn margins(&self, answers: &[Example], row: &[f32]) -> Result<Margins, TrainError> {
        let threads = replicas::on(&self.policy.model.device());
        let each = answers
            .len()
            .div_ceil(threads)
            .clamp(1, self.micro_rows.max(1));
        let chunks: Vec<(usize, &[Example])> = answers.chunks(each).enumerate().collect();
        let mut all = Margins {
            values: Vec::new(),
            gradients: Vec::new(),
        };
        for chunk in replicas::map(&chunks, threads, |chunk| self.of_chunk(*chunk, row)) {
            let chunk = chunk?;
            all.values.extend(chunk.values);
            all.gradients.extend(chunk.gradients);
        }
        Ok(all)
    }

    /// Each answer's margin at a row.
    fn scored(
        &self,
        engine: &Engine,
        answers: &[Example],
        row: &[f32],
    ) -> Result<Vec<f64>, TrainError> {
        if self.policy.has_user_heads() {
            return Ok(self.margins(answers, row)?.values);
        }
        let (table, examples) = self.with_row(answers, row)?;
        let (policy, rows) = (engine.policy(), self.micro_rows);
        let scored = eval::evaluate(self.task, policy, Some(&table), &examples, rows, &Quiet)?;
        Ok(scored
            .iter()
            .map(|row| f64::from(row.reward_chosen - row.reward_rejected))
            .collect())
    }

    /// The answers, each of a user of its own with the same row, so that gradients stay apart.
    fn with_row(
        &self,
        answers: &[Example],
        row: &[f32],
    ) -> Result<(UserTable, Vec<Example>), TrainError> {
        let mut table = UserTable::new(self.config.clone()).map_err(TableError::from)?;
        let mut examples = answers.to_vec();
        for (index, example) in examples.iter_mut().enumerate() {
            example.user = UserRef::id(format!("{index:08}"));
            table.set_row(&example.user, row.to_vec())?;
        }
        Ok((table, examples))
    }

    /// One forward and backward pass.
    fn of_chunk(
        &self,
        (chunk, answers): (usize, &[Example]),
        row: &[f32],
    ) -> Result<Margins, TrainError> {
        let (table, examples) = self.with_row(answers, row)?;
        let all: Vec<usize> = (0..examples.len()).collect();
        let rows = eval::own_rows(&examples, &all);
        let (packed, on_device, users) = input(self.task, &self.policy, Some(&table), &rows)?;
        let scored = || (self.policy).scored_states(&packed, &on_device, users.as_ref());
        let states = match self.policy.has_user_heads() {
            true => self.states[chunk].get_or_init(scored).clone(),
            false => scored(),
        };
        let outputs = (self.task).outputs(&self.policy, states, (&on_device, users.as_ref()))?;
        let micro = MicroBatch {
            rows: &rows,
            packed: &packed,
            on_device: &on_device,
            figures: BatchFigures::without_kl(),
        };
        let margins = self.task.margins(&micro, outputs)?;
        let values = host(margins.clone())?;
        let mut gradients = RowGradients::new();
        if let Some(users) = &users {
            gradients.add(users, &margins.sum().backward())?;
        }
        Ok(Margins {
            values,
            gradients: gradients.iter().map(|(_, row)| row.to_vec()).collect(),
        })
    }
}

fn host(values: Tensor<1>) -> Result<Vec<f64>, TrainError> {
    let values = crate::host::host(values.without_autodiff())?;
    Ok(values.into_iter().map(f64::from).collect())
}

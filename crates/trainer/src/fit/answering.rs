//! What a row makes of comparisons, with gradients and without.

use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::Tensor;
use user_model::{Margins, RowGradients, TableError, UserModelConfig, UserRef, UserTable};

use crate::error::TrainError;
use crate::eval;
use crate::example::Example;
use crate::inference::Engine;
use crate::learner::input;
use crate::policy::Policy;
use crate::progress::Progress;
use crate::replicas;
use crate::task::{BatchFigures, MicroBatch, Ranking};

/// Computes what a row makes of answers.
pub(crate) struct Answering<'a, T> {
    engine: &'a Engine,
    /// On the autodiff device, with nothing to train but rows.
    policy: Policy,
    config: &'a UserModelConfig,
    task: &'a T,
    answers: &'a [Example],
    /// The states of each chunk of answers, where a row changes none: it is the head that makes rewards of them.
    states: Vec<OnceLock<Tensor<2>>>,
}

impl<'a, T: Ranking> Answering<'a, T> {
    /// What an engine's policy makes of them, as `task` rewards.
    ///
    /// # Errors
    /// A policy without users.
    pub(crate) fn new(
        engine: &'a Engine,
        task: &'a T,
        answers: &'a [Example],
    ) -> Result<Self, TrainError> {
        let Some(table) = engine.table() else {
            let id = "a new user".into();
            return Err(TrainError::NoUsers { id });
        };
        Ok(Self {
            engine,
            policy: engine.policy().clone().train().no_grad(),
            config: table.config(),
            task,
            answers,
            states: answers.iter().map(|_| OnceLock::new()).collect(),
        })
    }

    /// Each answer's margin at a row, with its gradient.
    pub(crate) fn margins(&self, row: &[f32]) -> Result<Margins, TrainError> {
        let threads = replicas::on(&self.policy.model.device());
        let each = (self.answers)
            .len()
            .div_ceil(threads)
            .clamp(1, self.engine.micro_rows().max(1));
        let chunks: Vec<(usize, &[Example])> = self.answers.chunks(each).enumerate().collect();
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
    pub(crate) fn scored(
        &self,
        row: &[f32],
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, TrainError> {
        if self.policy.has_user_heads() {
            return Ok(self.margins(row)?.values);
        }
        let (table, examples) = self.with_row(self.answers, row)?;
        let (policy, rows) = (self.engine.policy(), self.engine.micro_rows());
        let scored = eval::evaluate(self.task, policy, Some(&table), &examples, rows, progress)?;
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

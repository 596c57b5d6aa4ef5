//! What a row makes of comparisons, with gradients and without.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::Tensor;
use pdpo_loss::ScoredRow;
use user_model::{Margins, RowGradients, TableError, UserRef, UserTable};

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
    table: &'a UserTable,
    task: &'a T,
    answers: &'a [Example],
    chunks: Vec<Chunk>,
}

/// Answers of one forward and backward pass.
struct Chunk {
    /// Their places.
    places: Vec<usize>,
    /// Their states, where a row changes none: it is the head that makes rewards of them.
    states: OnceLock<Tensor<2>>,
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
            table,
            task,
            answers,
            chunks: chunks(engine, task, answers),
        })
    }

    /// Each answer's margin at a row, with its gradient.
    pub(crate) fn margins(&self, row: &[f32]) -> Result<Margins, TrainError> {
        let threads = replicas::on(&self.policy.model.device());
        let found = replicas::map(&self.chunks, threads, |chunk| self.of_chunk(chunk, row));
        let mut all = Margins {
            values: vec![0.0; self.answers.len()],
            gradients: vec![Vec::new(); self.answers.len()],
        };
        for (chunk, found) in self.chunks.iter().zip(found) {
            let found = found?;
            let each = found.values.into_iter().zip(found.gradients);
            for (&place, (value, gradient)) in chunk.places.iter().zip(each) {
                (all.values[place], all.gradients[place]) = (value, gradient);
            }
        }
        Ok(all)
    }

    /// The users that the policy knows.
    pub(crate) fn table(&self) -> &'a UserTable {
        self.table
    }

    /// How many answers.
    pub(crate) fn count(&self) -> usize {
        self.answers.len()
    }

    /// Whether all answers' margins at a row take no longer than those of some.
    pub(crate) fn scores_all_alike(&self) -> bool {
        self.policy.has_user_heads()
    }

    /// The margins of some answers at each of some rows, `[rows, answers]`.
    pub(crate) fn scored(
        &self,
        rows: &[&[f32]],
        some: Range<usize>,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        if self.scores_all_alike() {
            let of = |row: &&[f32]| Ok(self.margins(row)?.values[some.clone()].to_vec());
            return rows.iter().map(of).collect();
        }
        let answers = &self.answers[some];
        let mut table = self.empty_table()?;
        let mut examples = Vec::with_capacity(rows.len() * answers.len());
        for (index, row) in rows.iter().enumerate() {
            let user = UserRef::id(format!("{index:08}"));
            table.set_row(&user, row.to_vec())?;
            examples.extend(answers.iter().map(|answer| answer.of(&user)));
        }
        let (policy, at_a_time) = (self.engine.policy(), self.engine.micro_rows());
        let table = Some(&table);
        let scored = eval::evaluate(self.task, policy, table, &examples, at_a_time, progress)?;
        let margin = |row: &ScoredRow| f64::from(row.margin());
        let by_row = scored.chunks(answers.len().max(1));
        Ok(by_row.map(|row| row.iter().map(margin).collect()).collect())
    }

    fn empty_table(&self) -> Result<UserTable, TrainError> {
        Ok(UserTable::new(self.table.config().clone()).map_err(TableError::from)?)
    }

    /// Answers, each of a user of its own with the same row, so that gradients stay apart.
    fn with_row(
        &self,
        places: &[usize],
        row: &[f32],
    ) -> Result<(UserTable, Vec<Example>), TrainError> {
        let mut table = self.empty_table()?;
        let mut examples = Vec::with_capacity(places.len());
        for (index, &place) in places.iter().enumerate() {
            let user = UserRef::id(format!("{index:08}"));
            table.set_row(&user, row.to_vec())?;
            examples.push(self.answers[place].of(&user));
        }
        Ok((table, examples))
    }

    /// One forward and backward pass.
    fn of_chunk(&self, chunk: &Chunk, row: &[f32]) -> Result<Margins, TrainError> {
        let (table, examples) = self.with_row(&chunk.places, row)?;
        let all: Vec<usize> = (0..examples.len()).collect();
        let rows = eval::own_rows(&examples, &all);
        let apart = vec![1; rows.len()];
        let inputs = input(self.task, &self.policy, Some(&table), (&rows, &apart))?;
        let (packed, on_device, users) = inputs;
        let scored = || (self.policy).scored_states(&packed, &on_device, users.as_ref());
        let states = match self.policy.has_user_heads() {
            true => chunk.states.get_or_init(scored).clone(),
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

/// Answers of like length go through the model together, so that little of a pass is padding; the longest first, and more chunks than
/// threads, so that these end at about the same time.
fn chunks<T: Ranking>(engine: &Engine, task: &T, answers: &[Example]) -> Vec<Chunk> {
    const FOR_EACH_THREAD: usize = 3;
    let threads = replicas::on(&engine.policy().model.device());
    let passes = match threads {
        1 => 1,
        threads => threads * FOR_EACH_THREAD,
    };
    let each = answers.len().div_ceil(passes);
    let each = each.clamp(1, engine.micro_rows().max(1));
    let mut places: Vec<usize> = (0..answers.len()).collect();
    places.sort_by_key(|&place| Reverse(task.row_length(answers[place].pair(), 0)));
    let chunk = |places: &[usize]| Chunk {
        places: places.to_vec(),
        states: OnceLock::new(),
    };
    places.chunks(each).map(chunk).collect()
}

fn host(values: Tensor<1>) -> Result<Vec<f64>, TrainError> {
    let values = crate::host::host(values.without_autodiff())?;
    Ok(values.into_iter().map(f64::from).collect())
}

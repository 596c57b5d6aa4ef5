//! One optimiser step, from comparisons to updated weights: the page to read first.
//!
//! A batch of comparisons becomes rows, one per comparison and branch; those of one prompt and one user are one packed row
//! (`sharing.rs`). Rows of similar length share a forward pass (a micro-batch); each row's loss carries its share of the whole batch's, so
//! gradients simply add up and do not depend on how rows fall into micro-batches.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::iter::repeat_n;
use std::slice;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use pdpo_loss::Branch;
use tracing::trace_span;
use user_model::{RowAdamW, RowBatch, RowGradients, UserRef, UserTable};

use crate::adapters;
use crate::blockwise;
use crate::config::{
    Checkpointing, Clip, TrainingSection, UserTokens, validate_dropout, validate_whole_batch,
};
use crate::error::TrainError;
use crate::example::Example;
use crate::gradients::{BatchGradients, GradNorms};
use crate::pack::{DeviceBatch, PackedBatch, RowTokens};
use crate::policy::Policy;
use crate::profile::{TARGET, flops};
use crate::progress::Quiet;
use crate::replicas;
use crate::schedule::Rates;
use crate::sharing::{self, AtOnce, Pass};
use crate::task::{BatchFigures, MicroBatch, Row, Task, WholeBatch};

/// AdamW's constants, as in `transformers`.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// What a step reports.
#[derive(Clone, Debug)]
pub struct StepReport<R> {
    /// The loss of the batch.
    pub loss: f64,
    /// The norms of the gradients before clipping.
    pub grad_norms: GradNorms,
    /// Per row.
    pub rows: Vec<RowReport<R>>,
    /// The branch that is told of.
    pub shown: Branch,
    /// Input tokens without padding.
    pub tokens: usize,
    /// The share of padding among input tokens.
    pub padding: f64,
}

/// What of a step may be no finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFinite {
    /// Its loss.
    Loss,
    /// The gradient of adapters, or of all weights of a model that is trained whole.
    Model,
    /// The gradient of the user model.
    Users,
}

impl NotFinite {
    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loss => "the loss",
            Self::Model => "the norm of the model's gradient (`grad_norm`)",
            Self::Users => "the norm of the users' gradient (`users_grad_norm`)",
        }
    }
}

/// What one row did.
#[derive(Clone, Debug)]
pub struct RowReport<R> {
    /// The index of the comparison in the batch.
    pub example: usize,
    /// The branch.
    pub branch: Branch,
    /// What the task says of it.
    pub row: R,
}

impl<R> StepReport<R> {
    /// The first that is no finite number, with its value: training has diverged.
    pub fn not_finite(&self) -> Option<(NotFinite, f64)> {
        let norms = &self.grad_norms;
        let all = [
            (NotFinite::Loss, self.loss),
            (NotFinite::Model, norms.model),
            (NotFinite::Users, norms.users.unwrap_or(0.0)),
        ];
        all.into_iter().find(|(_, value)| !value.is_finite())
    }

    /// One row per comparison at most: that of the user branch where that counts, else that of the generic branch.
    pub fn one_row_each(&self) -> impl Iterator<Item = &RowReport<R>> {
        self.rows.iter().filter(|row| row.branch == self.shown)
    }
}

/// Everything that training changes, and how.
pub struct Learner<T: Task> {
    /// What is learnt.
    pub task: T,
    /// Adapters and shared tensors.
    pub policy: Policy,
    /// The users' rows.
    pub table: Option<UserTable>,
    /// AdamW states of `policy`.
    pub optimizer: ModuleOptimizer,
    /// The policy on further devices, its trained weights as of when the copy was made.
    copies: Vec<Policy>,
    micro_rows: usize,
    threads: usize,
    blockwise: bool,
    max_grad_norm: f64,
    clip: Clip,
    weight_decay: f64,
}

/// What the forward and backward pass of one micro-batch yields.
struct Done<R> {
    gradients: BatchGradients,
    loss: f64,
    reports: Vec<R>,
    tokens: usize,
    slots: usize,
}

impl<T: Task> Learner<T> {
    /// A learner at step 0.
    ///
    /// # Errors
    /// Settings out of range, or that do not go together.
    pub fn new(
        task: T,
        mut policy: Policy,
        table: Option<UserTable>,
        training: &TrainingSection,
    ) -> Result<Self, TrainError> {
        training.validate()?;
        policy.model = adapters::with_stable_ids(policy.model);
        let optimizer = AdamWConfig::new()
            .with_beta_1(BETA_1)
            .with_beta_2(BETA_2)
            .with_epsilon(EPSILON)
            .with_weight_decay(training.weight_decay as f32)
            .init();
        let blockwise = training.gradient_checkpointing == Checkpointing::Blocks;
        validate_dropout(training.gradient_checkpointing, policy.model.has_dropout())?;
        let threads = match task.needs_whole_batch() {
            true => validate_whole_batch(training, task.branches().len()).map(|()| 1)?,
            false => replicas::of(&policy.model, training.replicas),
        };
        Ok(Self {
            task,
            policy,
            table,
            optimizer,
            copies: Vec::new(),
            micro_rows: training.micro_rows,
            threads: threads.min(training.micro_rows),
            blockwise,
            max_grad_norm: training.max_grad_norm,
            clip: training.clip,
            weight_decay: training.weight_decay,
        })
    }

    /// Lets further devices compute gradients beside the policy's own. Weights, optimiser and users' rows stay where they
    /// are; every device has up to `training.micro_rows` rows in work. On the CPU the devices share its threads.
    ///
    /// # Errors
    /// Dropout (which device draws for a row would be chance), or a loss that looks at its whole batch.
    pub fn with_devices(mut self, further: &[Device]) -> Result<Self, TrainError> {
        let devices = further.len() + 1;
        let refuse = |with, way_out| {
            let found = format!("{devices} devices, with {with}");
            Err(TrainError::config("device", found, way_out))
        };
        if !further.is_empty() && self.policy.model.has_dropout() {
            return refuse("dropout in the adapters", "one device, or lora.dropout = 0");
        }
        if !further.is_empty() && self.task.needs_whole_batch() {
            return refuse("a loss over its whole batch", "one device");
        }
        let copy = |device| self.policy.clone().fork(device);
        self.copies = further.iter().map(copy).collect();
        self.threads = (self.threads / devices).max(1);
        Ok(self)
    }

    /// Rows in work at a time, on all devices together, in a step of `batch` comparisons.
    pub(crate) fn rows_at_once(&self, batch: usize) -> usize {
        let allowed = self.micro_rows.saturating_mul(1 + self.copies.len());
        allowed.min(batch.saturating_mul(self.task.rows_each()))
    }

    /// One step: gradients of the batch, clipping, AdamW. Where the loss or a norm is no number,
    /// nothing changes.
    ///
    /// # Errors
    /// Rows that do not fit the user table.
    pub fn step<E: Borrow<Example>>(
        &mut self,
        batch: &[E],
        rates: &Rates,
    ) -> Result<StepReport<T::Report>, TrainError> {
        let (mut gradients, mut report) = self.gradients(batch)?;
        let _span = trace_span!(target: TARGET, "optimiser").entered();
        report.grad_norms = gradients.norms(&self.policy);
        if report.not_finite().is_some() {
            return Ok(report);
        }
        let norms = &report.grad_norms;
        gradients.clip(&self.policy, norms, self.clip, self.max_grad_norm);
        let module = gradients.module;
        self.policy = self
            .optimizer
            .step(rates.module.clone(), self.policy.clone(), module);
        if let Some(table) = &mut self.table {
            let optimizer = RowAdamW {
                beta_1: BETA_1,
                beta_2: BETA_2,
                epsilon: EPSILON,
                weight_decay: self.weight_decay as f32,
            };
            table.step(&gradients.rows, rates.rows, &optimizer)?;
        }
        Ok(report)
    }

    /// Gradients of the whole batch's loss.
    ///
    /// # Errors
    /// Rows that do not fit the user table.
    pub fn gradients<E: Borrow<Example>>(
        &self,
        batch: &[E],
    ) -> Result<(BatchGradients, StepReport<T::Report>), TrainError> {
        let batch: Vec<&Example> = batch.iter().map(Borrow::borrow).collect();
        self.task.prepare(&batch, &Quiet)?;
        let rows = self.rows(&batch);
        let size = self.task.size(&batch);
        let copies: Vec<Policy> = (self.copies.iter())
            .map(|copy| replicas::refreshed(copy, &self.policy))
            .collect();
        let workers: Vec<&Policy> = repeat_n(&self.policy, self.threads)
            .chain(&copies)
            .collect();
        // No worker idle.
        let each = self.rows_at_once(batch.len()).div_ceil(workers.len());
        let passes = self.passes(&rows, each, workers.len());
        let micro = |pass: &Pass| pass.members.iter().map(|&i| rows[i]).collect();
        let micros: Vec<Vec<Row<'_>>> = passes.iter().map(micro).collect();
        let micros: Vec<(&[Row<'_>], &[usize])> = (micros.iter().zip(&passes))
            .map(|(rows, pass)| (&rows[..], &pass.sizes[..]))
            .collect();
        let figures = self.task.figures(WholeBatch {
            workers: &workers,
            table: self.table.as_ref(),
            examples: &batch,
            branches: self.task.branches(),
            micro_rows: each,
        })?;
        let done = trace_span!(target: TARGET, "gradients").in_scope(|| {
            replicas::map_with(&micros, &workers, |policy, &micro| {
                self.micro_gradients(policy, micro, (size, figures))
            })
        });
        let device = self.policy.model.device();
        let mut report = StepReport {
            loss: 0.0,
            grad_norms: GradNorms::default(),
            rows: Vec::with_capacity(rows.len()),
            shown: self.task.branches()[0],
            tokens: 0,
            padding: 0.0,
        };
        let mut module = GradientsAccumulator::new();
        let mut row_gradients = RowGradients::default();
        let mut slots = 0;
        for ((micro, _), done) in micros.into_iter().zip(done) {
            let done = done?;
            slots += done.slots;
            report.tokens += done.tokens;
            report.loss += done.loss;
            let reports = micro.iter().zip(done.reports);
            report.rows.extend(reports.map(|(row, report)| RowReport {
                example: row.index,
                branch: row.branch,
                row: report,
            }));
            row_gradients.merge(&done.gradients.rows)?;
            let gradients = done.gradients.module;
            module.accumulate(&self.policy, gradients.to_device(&device, &self.policy));
        }
        report.padding = 1.0 - report.tokens as f64 / slots.max(1) as f64;
        let gradients = BatchGradients {
            module: module.grads(),
            rows: row_gradients,
        };
        Ok((gradients, report))
    }

    /// The rows of a batch.
    fn rows<'a>(&self, batch: &[&'a Example]) -> Vec<Row<'a>> {
        let of_example = |(index, &example): (usize, &&'a Example)| {
            let drawn = example.drawn.as_ref().map(slice::from_ref);
            let branches = drawn.unwrap_or(self.task.branches()).iter();
            branches.map(move |&branch| Row {
                index,
                example,
                branch,
            })
        };
        batch.iter().enumerate().flat_map(of_example).collect()
    }

    /// The passes over the rows of a batch, the longest first, so that threads end together.
    fn passes(&self, rows: &[Row<'_>], each: usize, workers: usize) -> Vec<Pass> {
        if self.task.needs_whole_batch() {
            return vec![Pass::apart(rows.len())]; // One pass, which shared rows might need two of.
        }
        let whose = whose(rows, self.table.as_ref());
        let at_once = AtOnce::new(&self.policy, each, workers);
        sharing::passes(&tokens(&self.task, rows), &whose, at_once, |rows| {
            rows.sort_by_key(|row| Reverse(row.length));
        })
    }

    /// Forward and backward pass of a few rows.
    fn micro_gradients(
        &self,
        policy: &Policy,
        (rows, sizes): (&[Row<'_>], &[usize]),
        (size, figures): (usize, BatchFigures),
    ) -> Result<Done<T::Report>, TrainError> {
        let policy = replicas::with_own_leaves(policy);
        let table = self.table.as_ref();
        let (packed, on_device, users) = input(&self.task, &policy, table, (rows, sizes))?;
        let micro = MicroBatch {
            rows,
            packed: &packed,
            on_device: &on_device,
            figures,
        };
        let loss = |outputs| {
            let done = self.task.losses(&micro, outputs)?;
            let loss = self.task.share(done.losses, rows, size)?;
            Ok((loss, done.reports))
        };
        let inputs = (&on_device, users.as_ref());
        let outputs = |states| self.task.outputs(&policy, states, inputs);
        let (gradients, loss, reports) = if self.blockwise {
            blockwise::gradients(&policy, &packed, &on_device, users.as_ref(), outputs, loss)?
        } else {
            let flops = || flops::forward(&policy.model, &packed);
            let outputs = trace_span!(target: TARGET, "forward", flops = flops())
                .in_scope(|| outputs(policy.scored_states(&packed, &on_device, users.as_ref())))?;
            let (loss, reports) = loss(outputs)?;
            let value = f64::from(loss.clone().into_scalar::<f32>());
            let flops = || flops::backward(&policy.model, &packed);
            let _span = trace_span!(target: TARGET, "backward", flops = flops()).entered();
            let gradients = loss.backward();
            let mut rows = RowGradients::default();
            if let Some(users) = &users {
                rows.add(users, &gradients)?;
            }
            let module = GradientsParams::from_grads(gradients, &policy);
            (BatchGradients { module, rows }, value, reports)
        };
        Ok(Done {
            gradients,
            loss,
            reports,
            tokens: packed.tokens,
            slots: packed.rows * packed.seq,
        })
    }
}

/// What a few rows give the model: tokens, the same on the device, and the users' rows. `sizes` says how many stand in each packed row: one
/// user's, with one prompt.
pub(crate) fn input<T: Task>(
    task: &T,
    policy: &Policy,
    table: Option<&UserTable>,
    (rows, sizes): (&[Row<'_>], &[usize]),
) -> Result<(PackedBatch, DeviceBatch, Option<RowBatch>), TrainError> {
    let _span = trace_span!(target: TARGET, "data").entered();
    let device = policy.model.device();
    let UserTokens { soft, prefix } = policy.places();
    let packed = PackedBatch::of_rows(&tokens(task, rows), sizes, soft, &device).behind(prefix);
    let on_device = packed.to_device(&device);
    let users = match table {
        Some(table) => {
            let mut left = rows;
            let mut first = |&size: &usize| {
                let (of_row, others) = left.split_at(size);
                left = others;
                user(&of_row[0])
            };
            let users: Vec<UserRef> = sizes.iter().map(&mut first).collect();
            Some(table.batch(&users, &device)?)
        }
        None => None,
    };
    Ok((packed, on_device, users))
}

/// What a task reads of these rows.
pub(crate) fn tokens<'a, T: Task>(task: &T, rows: &[Row<'a>]) -> Vec<RowTokens<'a>> {
    rows.iter()
        .map(|row| task.reads(row.example.pair()))
        .collect()
}

/// Who stands in front of these rows; nobody without users.
pub(crate) fn whose(rows: &[Row<'_>], table: Option<&UserTable>) -> Vec<Option<UserRef>> {
    rows.iter().map(|row| table.map(|_| user(row))).collect()
}

/// Whose soft prompt or prefix a row gets.
fn user(row: &Row<'_>) -> UserRef {
    match row.branch {
        Branch::User => row.example.user.clone(),
        Branch::Generic => UserRef::Generic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_finite_number_is_told_from_what_is() {
        let of = |loss, model, users| {
            let report = StepReport::<()> {
                loss,
                grad_norms: GradNorms { model, users },
                rows: Vec::new(),
                shown: Branch::Generic,
                tokens: 0,
                padding: 0.0,
            };
            report.not_finite()
        };
        let infinite = f64::INFINITY;
        assert_eq!(of(0.5, 1.0, Some(1e300)), None);
        assert_eq!(
            of(0.5833, infinite, None),
            Some((NotFinite::Model, infinite))
        );
        assert_eq!(
            of(0.5, 1.0, Some(infinite)),
            Some((NotFinite::Users, infinite))
        );
        assert_eq!(
            of(infinite, infinite, None),
            Some((NotFinite::Loss, infinite))
        );
    }
}

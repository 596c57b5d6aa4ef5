//! One optimiser step, from comparisons to updated weights: the page to read first.
//!
//! A batch of comparisons becomes rows, one per comparison and branch. Rows of similar length share a forward pass (a
//! micro-batch); each row's loss carries its share of the whole batch's objective, so gradients simply add up and do
//! not depend on how rows fall into micro-batches.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::iter::repeat_n;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use pdpo_loss::{Branch, PairLogProbs, Personalised, PreferenceLoss};
use tracing::trace_span;
use user_model::{RowAdamW, RowGradients, UserRef, UserTable};

use crate::blockwise;
use crate::config::{Checkpointing, Objective, TrainingSection};
use crate::error::TrainError;
use crate::pack::{DeviceBatch, PackedBatch, Row};
use crate::policy::{Policy, ResponseLogProbs};
use crate::profile::{TARGET, flops};
use crate::reference::ReferenceLogProbs;
use crate::replicas;
use crate::schedule::Rates;
use crate::tokenise::TokenizedPair;

/// AdamW's constants, as in `transformers`.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// A training comparison, ready for a step.
#[derive(Clone, Debug)]
pub struct Example {
    /// Token ids.
    pub pair: TokenizedPair,
    /// Whose soft prompt it gets in the user branch.
    pub user: UserRef,
    /// Whose comparison it is, known to the table or not.
    pub owner: Option<String>,
    /// Log-probs under the reference.
    pub reference: ReferenceLogProbs,
}

/// What a step reports, each an average over the rows that carry the user's comparison (the user branch where there is
/// one, else the generic branch).
#[derive(Clone, Debug, Default)]
pub struct StepReport {
    /// The objective of the batch.
    pub loss: f64,
    /// The global norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Per row.
    pub rows: Vec<RowReport>,
    /// Input tokens without padding.
    pub tokens: usize,
    /// The share of padding among input tokens.
    pub padding: f64,
}

impl StepReport {
    /// False once training has diverged.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.grad_norm.is_finite()
    }
}

/// What one row did.
#[derive(Clone, Debug)]
pub struct RowReport {
    /// The index of the comparison in the batch.
    pub example: usize,
    /// The branch.
    pub branch: Branch,
    /// Implicit rewards.
    pub reward_chosen: f32,
    /// Implicit rewards.
    pub reward_rejected: f32,
    /// Summed log-probs of the policy.
    pub logp_chosen: f32,
    /// Summed log-probs of the policy.
    pub logp_rejected: f32,
    /// The loss before weighting.
    pub loss: f32,
}

/// Everything that training changes.
pub struct Learner {
    /// Adapters and shared tensors.
    pub policy: Policy,
    /// The users' rows.
    pub table: Option<UserTable>,
    /// AdamW states of `policy`.
    pub optimizer: ModuleOptimizer,
    /// The policy on further devices, its trained weights as of when the copy was made.
    copies: Vec<Policy>,
    objective: PreferenceLoss,
    nll_weight: f64,
    mix: Personalised,
    micro_rows: usize,
    threads: usize,
    blockwise: bool,
    max_grad_norm: f64,
    weight_decay: f64,
}

/// Gradients of one batch, summed over its micro-batches, before clipping.
pub struct BatchGradients {
    /// Of adapters and shared tensors.
    pub module: GradientsParams,
    /// Of the users' rows.
    pub rows: RowGradients,
}

/// What the forward and backward pass of one micro-batch yields.
struct MicroBatch {
    gradients: BatchGradients,
    loss: f64,
    reports: Vec<RowReport>,
    tokens: usize,
    slots: usize,
}

/// A micro-batch before its forward pass: rows, the same on the device, and the users' rows.
type Input = (PackedBatch, DeviceBatch, Option<user_model::RowBatch>);

impl Learner {
    /// A learner at step 0.
    ///
    /// # Errors
    /// An objective with numbers out of range.
    pub fn new(
        policy: Policy,
        table: Option<UserTable>,
        objective: &Objective,
        training: &TrainingSection,
    ) -> Result<Self, TrainError> {
        training.check()?;
        let optimizer = AdamWConfig::new()
            .with_beta_1(BETA_1)
            .with_beta_2(BETA_2)
            .with_epsilon(EPSILON)
            .with_weight_decay(training.weight_decay as f32)
            .init();
        let mix = objective.mix(policy.users.is_some())?;
        let threads = replicas::of(&policy.model, training.replicas);
        let blockwise = training.gradient_checkpointing == Checkpointing::Blocks;
        if blockwise && policy.model.has_dropout() {
            return Err(TrainError::config(
                "training.gradient_checkpointing",
                "blocks, with dropout in the adapters",
                "none or operations, or lora.dropout = 0: a block that runs again draws anew",
            ));
        }
        Ok(Self {
            policy,
            table,
            optimizer,
            copies: Vec::new(),
            objective: objective.preference_loss()?,
            nll_weight: objective.nll_weight,
            mix,
            micro_rows: training.micro_rows,
            threads: threads.min(training.micro_rows),
            blockwise,
            max_grad_norm: training.max_grad_norm,
            weight_decay: training.weight_decay,
        })
    }

    /// Lets further devices compute gradients beside the policy's own. Weights, optimiser and users' rows stay where they
    /// are; every device has up to `training.micro_rows` rows in work. On the CPU the devices share its threads.
    ///
    /// # Errors
    /// Dropout: which device draws for a row would be chance.
    pub fn with_devices(mut self, further: &[Device]) -> Result<Self, TrainError> {
        if !further.is_empty() && self.policy.model.has_dropout() {
            return Err(TrainError::config(
                "device",
                format!(
                    "{} devices, with dropout in the adapters",
                    further.len() + 1
                ),
                "one device, or lora.dropout = 0",
            ));
        }
        let copy = |device| self.policy.clone().fork(device);
        self.copies = further.iter().map(copy).collect();
        self.threads = (self.threads / (1 + further.len())).max(1);
        Ok(self)
    }

    /// The loss.
    pub fn objective(&self) -> &PreferenceLoss {
        &self.objective
    }

    /// Rows in work at a time, on all devices together, in a step of `batch` comparisons.
    pub fn rows_at_once(&self, batch: usize) -> usize {
        let allowed = self.micro_rows * (1 + self.copies.len());
        allowed.min(batch * self.mix.branches().len())
    }

    /// One step: gradients of the batch, clipping by their global norm, AdamW. Where the loss or the norm is no number,
    /// nothing changes.
    ///
    /// # Errors
    /// Rows that do not fit the user table.
    pub fn step<E: Borrow<Example>>(
        &mut self,
        batch: &[E],
        rates: &Rates,
    ) -> Result<StepReport, TrainError> {
        let (mut gradients, mut report) = self.gradients(batch)?;
        let _span = trace_span!(target: TARGET, "optimiser").entered();
        report.grad_norm = gradients.norm(&self.policy);
        if !report.is_finite() {
            return Ok(report);
        }
        if self.max_grad_norm > 0.0 && report.grad_norm > self.max_grad_norm {
            gradients.scale(&self.policy, self.max_grad_norm / report.grad_norm);
        }
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

    /// Gradients of the whole batch's objective.
    ///
    /// # Errors
    /// Rows that do not fit the user table.
    pub fn gradients<E: Borrow<Example>>(
        &self,
        batch: &[E],
    ) -> Result<(BatchGradients, StepReport), TrainError> {
        let batch: Vec<&Example> = batch.iter().map(Borrow::borrow).collect();
        let mut rows: Vec<(usize, Row<'_>)> = batch
            .iter()
            .enumerate()
            .flat_map(|(i, example)| {
                let pair = &example.pair;
                let branches = self.mix.branches().iter();
                branches.map(move |&branch| (i, Row { pair, branch }))
            })
            .collect();
        let soft = self.policy.user_tokens();
        // The longest first, so that threads end together.
        rows.sort_by_key(|(_, row)| Reverse(row.pair.row_length(soft)));

        let copies: Vec<Policy> = (self.copies.iter())
            .map(|copy| replicas::refreshed(copy, &self.policy))
            .collect();
        let workers: Vec<&Policy> = repeat_n(&self.policy, self.threads)
            .chain(&copies)
            .collect();
        // No worker idle.
        let each = self.rows_at_once(batch.len()).div_ceil(workers.len());
        let micros: Vec<&[(usize, Row<'_>)]> = rows.chunks(each.max(1)).collect();
        let done = trace_span!(target: TARGET, "gradients").in_scope(|| {
            replicas::map_with(&micros, &workers, |policy, micro| {
                self.micro_gradients(policy, &batch, micro)
            })
        });
        let device = self.policy.model.device();
        let mut report = StepReport::default();
        let mut module = GradientsAccumulator::new();
        let mut row_gradients = RowGradients::default();
        let mut slots = 0;
        for micro in done {
            let micro = micro?;
            slots += micro.slots;
            report.tokens += micro.tokens;
            report.loss += micro.loss;
            report.rows.extend(micro.reports);
            row_gradients.merge(&micro.gradients.rows)?;
            let gradients = micro.gradients.module;
            module.accumulate(&self.policy, gradients.to_device(&device, &self.policy));
        }
        report.padding = 1.0 - report.tokens as f64 / slots.max(1) as f64;
        let gradients = BatchGradients {
            module: module.grads(),
            rows: row_gradients,
        };
        Ok((gradients, report))
    }

    /// Forward and backward pass of a few rows.
    fn micro_gradients(
        &self,
        policy: &Policy,
        batch: &[&Example],
        micro: &[(usize, Row<'_>)],
    ) -> Result<MicroBatch, TrainError> {
        let policy = replicas::with_own_leaves(policy);
        let (packed, on_device, users) = self.input(&policy, batch, micro)?;
        let loss = |log_probs| self.loss(batch, micro, &packed, log_probs);
        let (gradients, loss, reports) = if self.blockwise {
            blockwise::gradients(&policy, &packed, &on_device, users.as_ref(), loss)?
        } else {
            let flops = || flops::forward(&policy.model, &packed);
            let log_probs = trace_span!(target: TARGET, "forward", flops = flops())
                .in_scope(|| policy.response_log_probs(&packed, &on_device, users.as_ref()));
            let (loss, reports) = loss(log_probs)?;
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
        Ok(MicroBatch {
            gradients,
            loss,
            reports,
            tokens: packed.tokens,
            slots: packed.rows * packed.seq,
        })
    }

    /// What a few rows give the model.
    fn input(
        &self,
        policy: &Policy,
        batch: &[&Example],
        micro: &[(usize, Row<'_>)],
    ) -> Result<Input, TrainError> {
        let _span = trace_span!(target: TARGET, "data").entered();
        let device = policy.model.device();
        let rows: Vec<Row<'_>> = micro.iter().map(|(_, row)| *row).collect();
        let packed = PackedBatch::for_device(&rows, policy.user_tokens(), &device);
        let on_device = packed.to_device(&device);
        let users = self.user_rows(batch, micro, &device)?;
        Ok((packed, on_device, users))
    }

    /// The weighted loss of a few rows, and what each row did.
    fn loss(
        &self,
        batch: &[&Example],
        micro: &[(usize, Row<'_>)],
        packed: &PackedBatch,
        policy: ResponseLogProbs,
    ) -> Result<(Tensor<1>, Vec<RowReport>), TrainError> {
        let _span = trace_span!(target: TARGET, "loss").entered();
        let device = policy.chosen.device();
        let (chosen_tokens, rejected_tokens) = packed.response_lengths();
        let column = |f: &dyn Fn(&ReferenceLogProbs) -> f32| {
            let values: Vec<f32> = micro.iter().map(|(i, _)| f(&batch[*i].reference)).collect();
            Tensor::<1>::from_floats(values.as_slice(), &device)
        };
        let pairs = PairLogProbs {
            policy_chosen: policy.chosen,
            policy_rejected: policy.rejected,
            reference_chosen: column(&|r| r.chosen),
            reference_rejected: column(&|r| r.rejected),
            chosen_tokens: Tensor::from_floats(chosen_tokens.as_slice(), &device),
            rejected_tokens: Tensor::from_floats(rejected_tokens.as_slice(), &device),
        };
        let mut losses = self.objective.per_comparison(&pairs);
        if self.nll_weight > 0.0 {
            losses = losses + pairs.chosen_nll().mul_scalar(self.nll_weight);
        }
        let reports = self.report_rows(micro, &pairs, &losses);
        let branches: Vec<Branch> = micro.iter().map(|(_, row)| row.branch).collect();
        let loss = self.mix.combine(losses, &branches, batch.len())?;
        Ok((loss, reports))
    }

    fn user_rows(
        &self,
        batch: &[&Example],
        micro: &[(usize, Row<'_>)],
        device: &Device,
    ) -> Result<Option<user_model::RowBatch>, TrainError> {
        let Some(table) = &self.table else {
            return Ok(None);
        };
        let users: Vec<UserRef> = micro
            .iter()
            .map(|(i, row)| match row.branch {
                Branch::User => batch[*i].user.clone(),
                Branch::Generic => UserRef::Generic,
            })
            .collect();
        Ok(Some(table.batch(&users, device)?))
    }

    fn report_rows(
        &self,
        micro: &[(usize, Row<'_>)],
        pairs: &PairLogProbs,
        losses: &Tensor<1>,
    ) -> Vec<RowReport> {
        let rewards = self.objective.rewards(pairs);
        let table = Tensor::<1>::stack::<2>(
            vec![
                rewards.chosen.detach(),
                rewards.rejected.detach(),
                pairs.policy_chosen.clone().detach(),
                pairs.policy_rejected.clone().detach(),
                losses.clone().detach(),
            ],
            1,
        );
        let values = host(table);
        let rows = micro.iter().zip(values.chunks(5));
        rows.map(|((example, row), v)| RowReport {
            example: *example,
            branch: row.branch,
            reward_chosen: v[0],
            reward_rejected: v[1],
            logp_chosen: v[2],
            logp_rejected: v[3],
            loss: v[4],
        })
        .collect()
    }
}

impl BatchGradients {
    /// The norm over all gradients together.
    pub fn norm(&self, policy: &Policy) -> f64 {
        struct Squares<'a>(&'a GradientsParams, Vec<Tensor<1>>);
        impl ModuleVisitor for Squares<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.0.get::<D>(param.id) {
                    self.1.push(gradient.square().sum());
                }
            }
        }
        let mut squares = Squares(&self.module, Vec::new());
        policy.visit(&mut squares);
        let module = if squares.1.is_empty() {
            0.0
        } else {
            f64::from(Tensor::cat(squares.1, 0).sum().into_scalar::<f32>())
        };
        (module + self.rows.squared_norm()).sqrt()
    }

    /// Multiplies every gradient.
    pub fn scale(&mut self, policy: &Policy, factor: f64) {
        struct Scale<'a>(&'a mut GradientsParams, f64);
        impl ModuleVisitor for Scale<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.0.remove::<D>(param.id) {
                    self.0.register(param.id, gradient.mul_scalar(self.1));
                }
            }
        }
        policy.visit(&mut Scale(&mut self.module, factor));
        self.rows.scale(factor as f32);
    }
}

/// The values of a tensor on the host, in f32.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap_or_default() // invariant: every float type converts to f32
}

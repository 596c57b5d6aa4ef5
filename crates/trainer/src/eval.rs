//! Evaluation without gradients: losses and rewards of held-out comparisons, and how far the policy is from its reference.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Tensor};
use llm_backbone::Model;
use pdpo_loss::Branch;
use user_model::UserTable;

use crate::error::TrainError;
use crate::example::{Example, ReferenceLogProbs};
use crate::learner::{input, tokens, whose};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::replicas;
use crate::sharing::{self, AtOnce, Pass};
use crate::task::{BatchFigures, Language, MicroBatch, Responses, Row, Task, WholeBatch};

/// What `task` says of every example with its own user's soft prompt (the generic one for
/// [`UserRef::Generic`](user_model::UserRef)), in the given order, `micro_rows` rows at a time. What several people judged
/// alike, and the policy sees alike, is computed once, and so is a prompt of several comparisons.
///
/// # Errors
/// Users that the table does not know, a reference cache that cannot be written, or [`TrainError::Stopped`].
pub fn evaluate<T: Task>(
    task: &T,
    policy: &Policy,
    table: Option<&UserTable>,
    examples: &[Example],
    micro_rows: usize,
    progress: &dyn Progress,
) -> Result<Vec<T::Report>, TrainError> {
    const WHAT: &str = "evaluation";
    let policy = policy.valid();
    let firsts = firsts(examples, table.is_some());
    let mut order: Vec<usize> = (0..examples.len()).filter(|&i| firsts[i] == i).collect();
    order.sort_by_key(|&i| examples[i].pair().row_length(0));
    let rows = own_rows(examples, &order);
    let mut found = vec![None; examples.len()];
    let threads = replicas::on(&policy.model.device());
    progress.report(WHAT, 0, order.len());
    let needed: Vec<&Example> = rows.iter().map(|row| row.example).collect();
    task.prepare(&needed, progress)?;
    let micro_rows = micro_rows.max(1);
    let figures = figures(task, &policy, table, examples, micro_rows, progress)?;
    let of_pass = |pass: &Pass| evaluate_pass(task, &policy, table, (&rows, pass), figures);
    let each = micro_rows.min(rows.len().div_ceil(threads));
    let at_once = AtOnce::new(&policy, each, threads);
    let passes = sharing::passes(
        &tokens(task, &rows),
        &whose(&rows, table),
        at_once,
        |rows| {
            rows.sort_by_key(|row| row.length);
        },
    );
    let mut done = 0;
    // As many passes at a time as there are threads.
    for round in passes.chunks(threads) {
        if progress.stopped() {
            return Err(TrainError::Stopped);
        }
        for (pass, reports) in round.iter().zip(replicas::map(round, threads, of_pass)) {
            for (report, &i) in reports?.into_iter().zip(&pass.members) {
                found[order[i]] = Some(report);
            }
        }
        done += round.iter().map(|pass| pass.members.len()).sum::<usize>();
        progress.report(WHAT, done, order.len());
    }
    Ok(firsts
        .into_iter()
        .filter_map(|i| found[i].clone())
        .collect())
}

/// What the losses of all examples need to know of them together, each in its own user's branch.
fn figures<T: Task>(
    task: &T,
    policy: &Policy,
    table: Option<&UserTable>,
    examples: &[Example],
    micro_rows: usize,
    progress: &dyn Progress,
) -> Result<BatchFigures, TrainError> {
    if !task.needs_figures() {
        return Ok(BatchFigures::default());
    }
    let all: Vec<&Example> = examples.iter().collect();
    task.prepare(&all, progress)?;
    task.figures(WholeBatch {
        workers: &vec![policy; replicas::on(&policy.model.device())],
        table,
        examples: &all,
        branches: &[Branch::User],
        micro_rows,
    })
}

/// For every example the first that has the same tokens, the same reference log-probs (where they are known) and, with a user
/// model, the same user.
fn firsts(examples: &[Example], personal: bool) -> Vec<usize> {
    let mut seen = HashMap::new();
    let mut firsts = Vec::with_capacity(examples.len());
    for (i, example) in examples.iter().enumerate() {
        let user = personal.then_some(&example.user);
        let bits = |r: &ReferenceLogProbs| [r.chosen.to_bits(), r.rejected.to_bits()];
        let reference = example.item.reference.get().map(bits);
        let key = (example.pair(), user, reference);
        firsts.push(*seen.entry(key).or_insert(i));
    }
    firsts
}

/// One forward pass.
fn evaluate_pass<T: Task>(
    task: &T,
    policy: &Policy,
    table: Option<&UserTable>,
    (rows, pass): (&[Row<'_>], &Pass),
    figures: BatchFigures,
) -> Result<Vec<T::Report>, TrainError> {
    let rows: Vec<Row<'_>> = pass.members.iter().map(|&i| rows[i]).collect();
    let (packed, on_device, users) = input(task, policy, table, (&rows, &pass.sizes))?;
    let states = policy.scored_states(&packed, &on_device, users.as_ref());
    let outputs = task.outputs(policy, states, (&on_device, users.as_ref()))?;
    let micro = MicroBatch {
        rows: &rows,
        packed: &packed,
        on_device: &on_device,
        figures,
    };
    Ok(task.losses(&micro, outputs)?.reports)
}

/// The examples in their own users' branch.
pub(crate) fn own_rows<'a>(examples: &'a [Example], chunk: &[usize]) -> Vec<Row<'a>> {
    let row = |(index, &i): (usize, &usize)| Row {
        index,
        example: &examples[i],
        branch: Branch::User,
    };
    chunk.iter().enumerate().map(row).collect()
}

/// How a policy treats held-out text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TextQuality {
    /// Mean over response tokens of `KL(policy || reference)` of the next-token distribution, in nats.
    pub kl: f64,
    /// Mean negative log-likelihood per response token, in nats.
    pub nll: f64,
}

/// Measures [`TextQuality`] on both responses of every example.
///
/// # Errors
/// Users that the table does not know, or [`TrainError::Stopped`].
pub fn text_quality(
    policy: &Policy,
    table: Option<&UserTable>,
    reference: &Model,
    examples: &[Example],
    micro_rows: usize,
    progress: &dyn Progress,
) -> Result<TextQuality, TrainError> {
    const WHAT: &str = "text quality";
    let policy = policy.valid();
    let reference = Policy::plain(reference.valid());
    let device = policy.model.device();
    let indices: Vec<usize> = (0..examples.len()).collect();
    let chunks: Vec<&[usize]> = indices.chunks(micro_rows.max(1)).collect();
    progress.report(WHAT, 0, examples.len());
    let done = AtomicUsize::new(0);
    let sums = replicas::map(&chunks, replicas::on(&device), |chunk| {
        if progress.stopped() {
            return Err(TrainError::Stopped);
        }
        let sums = chunk_quality(&policy, table, &reference, examples, chunk);
        let done = done.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
        progress.report(WHAT, done, examples.len());
        sums
    });
    let (mut kl, mut nll, mut tokens) = (0.0, 0.0, 0.0);
    for chunk in sums {
        let (chunk_kl, chunk_nll, scored) = chunk?;
        kl += chunk_kl;
        nll += chunk_nll;
        tokens += scored;
    }
    Ok(TextQuality {
        kl: kl / f64::max(tokens, 1.0),
        nll: nll / f64::max(tokens, 1.0),
    })
}

/// Sums over the scored tokens of a few rows: KL, negative log-likelihood, tokens.
fn chunk_quality(
    policy: &Policy,
    table: Option<&UserTable>,
    reference: &Policy,
    examples: &[Example],
    chunk: &[usize],
) -> Result<(f64, f64, f64), TrainError> {
    let both = Language {
        responses: Responses::Both,
        prompts_too: false,
    };
    let rows = own_rows(examples, chunk);
    let apart = vec![1; rows.len()]; // Both score the same tokens in the same order.
    let (packed, batch, users) = input(&both, policy, table, (&rows, &apart))?;
    let states = policy.scored_states(&packed, &batch, users.as_ref());
    let (plain, on_device, _) = input(&both, reference, None, (&rows, &apart))?;
    let plain_states = reference.scored_states(&plain, &on_device, None);
    let [scored, _] = states.dims();
    let (mut kl, mut nll) = (0.0, 0.0);
    for start in (0..scored).step_by(CHUNK) {
        let len = CHUNK.min(scored - start);
        let log_probs = |policy: &Policy, states: &Tensor<2>| {
            log_softmax(policy.model.logits(states.clone().narrow(0, start, len)), 1)
        };
        let p = log_probs(policy, &states);
        let q = log_probs(reference, &plain_states);
        let each = (p.clone().exp() * (p.clone() - q)).sum();
        let targets = batch
            .targets
            .clone()
            .narrow(0, start, len)
            .reshape([len, 1]);
        kl += f64::from(each.cast(DType::F32).into_scalar::<f32>());
        nll -= f64::from(p.gather(1, targets).sum().into_scalar::<f32>());
    }
    Ok((kl, nll, scored as f64))
}

/// Positions whose two distributions are in memory at a time.
const CHUNK: usize = 128;

//! Evaluation without gradients: implicit rewards of held-out comparisons, and how far the policy is from its reference.
//!
//! [`score`] gives rewards, [`rows`] joins them with what is known of a comparison, [`accuracy`], [`calibration`] and
//! [`compare`] count.

pub mod accuracy;
pub mod calibration;
pub mod compare;
pub mod report;
pub mod rows;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor};
use llm_backbone::Model;
use pdpo_loss::{Branch, PairLogProbs, PreferenceLoss};
use user_model::{RowBatch, UserRef, UserTable};

use crate::error::TrainError;
use crate::pack::{PackedBatch, Row};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::reference::ReferenceLogProbs;
use crate::replicas;
use crate::step::{Example, host};

/// One evaluated comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Implicit reward of the preferred response.
    pub reward_chosen: f32,
    /// Implicit reward of the other.
    pub reward_rejected: f32,
    /// The loss.
    pub loss: f32,
}

impl Scored {
    /// True if the preferred response has strictly the higher reward.
    pub fn correct(&self) -> bool {
        self.reward_chosen > self.reward_rejected
    }
}

/// Scores every example with its own user's soft prompt (the generic one for [`UserRef::Generic`]), in the given order.
/// What several people judged alike, and the policy sees alike, is computed once.
///
/// # Errors
/// Users that the table does not know.
pub fn score(
    policy: &Policy,
    table: Option<&UserTable>,
    objective: &PreferenceLoss,
    examples: &[Example],
    micro_rows: usize,
    progress: &dyn Progress,
) -> Result<Vec<Scored>, TrainError> {
    let policy = policy.valid();
    let device = policy.model.device();
    let firsts = firsts(examples, table.is_some());
    let mut order: Vec<usize> = (0..examples.len()).filter(|&i| firsts[i] == i).collect();
    order.sort_by_key(|&i| examples[i].pair.row_length(0));
    let mut scored = vec![None; examples.len()];
    let (mut done, total) = (0, order.len());
    progress.report("evaluation", done, total);
    let threads = replicas::on(&device);
    let of_chunk = |chunk: &&[usize]| score_chunk(&policy, table, objective, examples, chunk);
    // As many micro-batches at a time as there are threads.
    let micro_rows = micro_rows.max(1);
    for round in order.chunks(micro_rows.saturating_mul(threads)) {
        let chunks: Vec<&[usize]> = round.chunks(micro_rows).collect();
        let mut places = round.iter();
        for rows in replicas::map(&chunks, threads, of_chunk) {
            for (row, &i) in rows?.into_iter().zip(places.by_ref()) {
                scored[i] = Some(row);
            }
        }
        done += round.len();
        progress.report("evaluation", done, total);
    }
    Ok(firsts.into_iter().filter_map(|i| scored[i]).collect())
}

/// For every example the first that has the same tokens, the same reference log-probs and, with a user model, the same user.
fn firsts(examples: &[Example], personal: bool) -> Vec<usize> {
    let mut seen = HashMap::new();
    let mut firsts = Vec::with_capacity(examples.len());
    for (i, example) in examples.iter().enumerate() {
        let user = personal.then_some(&example.user);
        let ReferenceLogProbs { chosen, rejected } = example.reference;
        let key = (&example.pair, user, chosen.to_bits(), rejected.to_bits());
        firsts.push(*seen.entry(key).or_insert(i));
    }
    firsts
}

/// One forward pass.
fn score_chunk(
    policy: &Policy,
    table: Option<&UserTable>,
    objective: &PreferenceLoss,
    examples: &[Example],
    chunk: &[usize],
) -> Result<Vec<Scored>, TrainError> {
    let device = policy.model.device();
    let packed = pack(policy, examples, chunk);
    let batch = packed.to_device(&device);
    let rows = own_rows(table, examples, chunk, &device)?;
    let sums = policy.response_log_probs(&packed, &batch, rows.as_ref());
    let column = |values: Vec<f32>| Tensor::<1>::from_floats(values.as_slice(), &device);
    let (chosen_tokens, rejected_tokens) = packed.response_lengths();
    let references = |f: fn(&Example) -> f32| chunk.iter().map(|&i| f(&examples[i])).collect();
    let pairs = PairLogProbs {
        policy_chosen: sums.chosen,
        policy_rejected: sums.rejected,
        reference_chosen: column(references(|e| e.reference.chosen)),
        reference_rejected: column(references(|e| e.reference.rejected)),
        chosen_tokens: column(chosen_tokens),
        rejected_tokens: column(rejected_tokens),
    };
    let rewards = objective.rewards(&pairs);
    let losses = host(objective.per_comparison(&pairs));
    let rewards = host(rewards.chosen).into_iter().zip(host(rewards.rejected));
    Ok(rewards
        .zip(losses)
        .map(|((reward_chosen, reward_rejected), loss)| Scored {
            reward_chosen,
            reward_rejected,
            loss,
        })
        .collect())
}

/// The rows of the examples' own users; none where there is no user model.
fn own_rows(
    table: Option<&UserTable>,
    examples: &[Example],
    chunk: &[usize],
    device: &Device,
) -> Result<Option<RowBatch>, TrainError> {
    let Some(table) = table else {
        return Ok(None);
    };
    let users: Vec<UserRef> = chunk.iter().map(|&i| examples[i].user.clone()).collect();
    Ok(Some(table.batch(&users, device)?))
}

fn pack(policy: &Policy, examples: &[Example], chunk: &[usize]) -> PackedBatch {
    let rows: Vec<Row<'_>> = chunk
        .iter()
        .map(|&i| Row {
            pair: &examples[i].pair,
            branch: Branch::User,
        })
        .collect();
    PackedBatch::for_device(&rows, policy.user_tokens(), &policy.model.device())
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
/// Users that the table does not know.
pub fn text_quality(
    policy: &Policy,
    table: Option<&UserTable>,
    reference: &Model,
    examples: &[Example],
    micro_rows: usize,
    progress: &dyn Progress,
) -> Result<TextQuality, TrainError> {
    let policy = policy.valid();
    let reference = Policy::plain(reference.valid());
    let device = policy.model.device();
    let indices: Vec<usize> = (0..examples.len()).collect();
    let chunks: Vec<&[usize]> = indices.chunks(micro_rows.max(1)).collect();
    progress.report("text quality", 0, examples.len());
    let done = AtomicUsize::new(0);
    let sums = replicas::map(&chunks, replicas::on(&device), |chunk| {
        let sums = chunk_quality(&policy, table, &reference, examples, chunk);
        let done = done.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
        progress.report("text quality", done, examples.len());
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
    let device = policy.model.device();
    let packed = pack(policy, examples, chunk);
    let batch = packed.to_device(&device);
    let rows = own_rows(table, examples, chunk, &device)?;
    let states = policy.scored_states(&packed, &batch, rows.as_ref());
    let plain = pack(reference, examples, chunk);
    let plain_states = reference.scored_states(&plain, &plain.to_device(&device), None);
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

//! From prompts to examples: sampling, scoring, log-probs, advantages.

use std::ops::Range;
use std::sync::Arc;

use burn::module::Module;
use llm_backbone::generate::End;
use llm_backbone::sampling::SamplingConfig;
use pdpo_loss::{Branch, PolicyGradient, Rewarded};
use pref_data::Comparison;
use sha2::{Digest, Sha256};
use tracing::trace_span;
use user_model::{UserRef, UserTable};

use super::{Method, Online, Sample, Sampled};
use crate::error::TrainError;
use crate::example::{Example, Item, ReferenceLogProbs};
use crate::host::host;
use crate::inference::{Engine, Job, Response};
use crate::learner::{input, tokens, whose};
use crate::policy::Policy;
use crate::profile::TARGET;
use crate::progress::Progress;
use crate::replicas;
use crate::scorer::Beside;
use crate::sharing::{self, AtOnce, Pass};
use crate::task::{Moment, Row};
use crate::tokenise::{TokenizedPair, TokenizedPrompt};

/// Responses in work at a time.
const AT_ONCE: usize = 64;

/// The responses to one prompt in one branch.
struct Group<'a> {
    example: &'a Example,
    branch: Branch,
    samples: Vec<Sample>,
}

impl Group<'_> {
    /// Whose soft prompt they are written with.
    fn user(&self) -> UserRef {
        match self.branch {
            Branch::User => self.example.user.clone(),
            Branch::Generic => UserRef::Generic,
        }
    }

    /// Some of its responses, one or two, as an example.
    fn example(&self, pair: TokenizedPair, samples: Vec<Sample>) -> Example {
        let item = &self.example.item;
        let sampled = Sampled {
            branch: self.branch,
            samples,
        };
        Example {
            user: self.user(),
            item: Arc::new(Item {
                prompt: item.prompt,
                group: item.group.clone(),
                sampled: Some(Arc::new(sampled)),
                ..Item::new(pair, item.user.clone())
            }),
            drawn: None,
        }
    }

    /// Two of its responses behind its prompt.
    fn pair(&self, chosen: &Sample, rejected: Option<&Sample>) -> TokenizedPair {
        TokenizedPair {
            prompt: self.example.pair().prompt.clone(),
            chosen: chosen.ids.clone(),
            rejected: rejected
                .map(|sample| sample.ids.clone())
                .unwrap_or_default(),
            response_cut: false,
        }
    }

    /// All responses, two to an example.
    fn rows(&self) -> Vec<Example> {
        let rows = self.samples.chunks(2);
        rows.map(|two| self.example(self.pair(&two[0], two.get(1)), two.to_vec()))
            .collect()
    }
}

/// Samples responses to the prompts of `examples` in every branch, has them scored, and makes examples of them.
pub(super) fn made(
    task: &Online,
    examples: &[&Example],
    moment: Moment<'_>,
) -> Result<Vec<Example>, TrainError> {
    let (mut groups, texts) =
        trace_span!(target: TARGET, "sampling").in_scope(|| written(task, examples, moment))?;
    trace_span!(target: TARGET, "scoring").in_scope(|| score(task, &mut groups, &texts, moment))?;
    trace_span!(target: TARGET, "log-probs of samples")
        .in_scope(|| log_probs(task, &mut groups, moment))?;
    match &task.method {
        Method::Gradient(gradient) => {
            weigh(task, gradient, &mut groups);
            Ok(groups.iter().flat_map(Group::rows).collect())
        }
        Method::Preference(_) => Ok(groups.iter().map(compared).collect()),
    }
}

/// Sampled responses without rewards, and these as texts to judge, one after the other.
fn written<'a>(
    task: &Online,
    examples: &[&'a Example],
    moment: Moment<'_>,
) -> Result<(Vec<Group<'a>>, Vec<Comparison>), TrainError> {
    let of_example = |&example: &&'a Example| {
        let branches = task.mix.branches().iter();
        branches.map(move |&branch| Group {
            example,
            branch,
            samples: Vec::new(),
        })
    };
    let mut groups: Vec<Group<'a>> = examples.iter().flat_map(of_example).collect();
    let count = task.section.generations();
    let (mut jobs, mut prompts) = (Vec::new(), Vec::<&TokenizedPrompt>::new());
    for group in &groups {
        for number in 0..count {
            jobs.push(job(task, group, moment.step, number)?);
            prompts.push(&group.example.pair().prompt);
        }
    }
    let table = match moment.table {
        Some(table) => Some(table.of_users(jobs.iter().map(|job| &job.user))?),
        None => None,
    };
    let engine = Engine::new(moment.policy.clone(), table, task.formatter.clone());
    let responses = engine.respond_to(&jobs, &prompts, AT_ONCE, moment.progress)?;
    for (group, responses) in groups.iter_mut().zip(responses.chunks(count)) {
        group.samples = responses.iter().map(sample).collect();
    }
    let texts = jobs.iter().zip(&responses);
    let texts = texts.map(|(job, response)| job.text(&response.text));
    Ok((groups, texts.collect()))
}

/// A response as tokens to learn from.
fn sample(response: &Response) -> Sample {
    let end = match response.end {
        End::Stop(id) => Some(id),
        _ => None,
    };
    Sample {
        ids: response.tokens.iter().copied().chain(end).collect(),
        cut: end.is_none(),
        words: response.text.split_whitespace().count(),
        ..Sample::default()
    }
}

/// What is to be written as one response of a group: its draws are a function of (seed, user, prompt, step) and of its number.
fn job(task: &Online, group: &Group<'_>, step: usize, number: usize) -> Result<Job, TrainError> {
    let text = group.example.item.text.as_deref();
    let text = text.ok_or(TrainError::NoText)?;
    let mut seed = Sha256::new();
    seed.update(b"p-rlhf online 1");
    for part in [task.seed, step as u64, number as u64] {
        seed.update(part.to_le_bytes());
    }
    // The generic user writes something else for every user whose place it takes.
    if let (Branch::Generic, UserRef::Id(id)) = (group.branch, &group.example.user) {
        seed.update(id.as_bytes());
    }
    let digest = seed.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    let sampling = SamplingConfig {
        temperature: task.section.sampled_at(),
        max_new_tokens: task.section.most_tokens(),
        seed: u64::from_le_bytes(bytes),
        ..SamplingConfig::default()
    };
    Ok(Job {
        template: text.template.clone(),
        user_text: text.user_text.clone(),
        ..Job::new(text.prompt.clone(), group.user(), sampling)
    })
}

/// Gives every sample its reward.
fn score(
    task: &Online,
    groups: &mut [Group<'_>],
    texts: &[Comparison],
    moment: Moment<'_>,
) -> Result<(), TrainError> {
    let by_base = match moment.validates && task.scorer.compares() {
        true => Some(by_base(task, groups, moment)?),
        false => None,
    };
    let beside = match &by_base {
        Some(texts) => Beside::Base(texts),
        None => Beside::Group(task.section.generations()),
    };
    let rewards = task.scorer.rewards(texts, beside, moment.progress)?;
    if rewards.len() != texts.len() {
        let (found, expected) = (rewards.len(), texts.len());
        let problem = format!("the scorer gave {found} rewards for {expected} responses");
        return Err(TrainError::Usage(problem));
    }
    let samples = groups.iter_mut().flat_map(|group| &mut group.samples);
    for (sample, reward) in samples.zip(rewards) {
        let penalty = match sample.cut {
            true => task.section.missing_eos_penalty,
            false => 0.0,
        };
        sample.reward = reward.into();
        sample.penalised = sample.reward - penalty;
    }
    Ok(())
}

/// For every sample what the reference answers to its prompt: one response to a prompt, for all branches.
fn by_base(
    task: &Online,
    groups: &[Group<'_>],
    moment: Moment<'_>,
) -> Result<Vec<String>, TrainError> {
    let branches = task.mix.branches().len();
    let first = || groups.iter().step_by(branches);
    let jobs: Result<Vec<Job>, TrainError> = first()
        .map(|group| {
            let job = job(task, group, moment.step, 0)?;
            let user = UserRef::Generic;
            Ok(Job { user, ..job })
        })
        .collect();
    let prompts: Vec<&TokenizedPrompt> = first().map(|g| &g.example.pair().prompt).collect();
    let engine = Engine::new(task.reference.clone(), None, task.formatter.clone());
    let responses = engine.respond_to(&jobs?, &prompts, AT_ONCE, moment.progress)?;
    let samples = branches * task.section.generations();
    let of_prompt = |response: Response| std::iter::repeat_n(response.text, samples);
    Ok(responses.into_iter().flat_map(of_prompt).collect())
}

/// Gives every sample the log-probs of its tokens under the policy and under the reference.
fn log_probs(
    task: &Online,
    groups: &mut [Group<'_>],
    moment: Moment<'_>,
) -> Result<(), TrainError> {
    let examples: Vec<Example> = groups.iter().flat_map(Group::rows).collect();
    let row = |(index, example)| Row {
        index,
        example,
        branch: Branch::User,
    };
    let rows: Vec<Row<'_>> = examples.iter().enumerate().map(row).collect();
    let policy = moment.policy.valid();
    let by_policy = of_tokens(task, (&policy, moment.table), &rows, moment.progress)?;
    let by_reference = of_tokens(task, (&task.reference, None), &rows, moment.progress)?;
    // A group has as many rows as it takes for its samples; an odd one leaves its last row's other place empty.
    let mut found = by_policy.into_iter().zip(by_reference);
    for group in groups {
        for two in group.samples.chunks_mut(2) {
            let Some((policy, reference)) = found.next() else {
                return Err(TrainError::NoSamples); // invariant: a row for every two samples
            };
            for (sample, found) in two.iter_mut().zip(policy.into_iter().zip(reference)) {
                (sample.policy, sample.reference) = found;
            }
        }
    }
    Ok(())
}

/// Log-probs of the scored tokens of both responses of every row, as many rows at a time as there are threads for.
fn of_tokens(
    task: &Online,
    (policy, table): (&Policy, Option<&UserTable>),
    rows: &[Row<'_>],
    progress: &dyn Progress,
) -> Result<Vec<[Vec<f32>; 2]>, TrainError> {
    let of_pass = |pass: &Pass| -> Result<Vec<[Vec<f32>; 2]>, TrainError> {
        if progress.stopped() {
            return Err(TrainError::Stopped);
        }
        let rows: Vec<Row<'_>> = pass.members.iter().map(|&i| rows[i]).collect();
        let (packed, batch, users) = input(task, policy, table, (&rows, &pass.sizes))?;
        let states = policy.scored_states(&packed, &batch, users.as_ref());
        let values = host(task.log_probs(policy, states, &batch))?;
        let of = |range: Range<usize>| values[range].to_vec();
        Ok(packed
            .responses
            .into_iter()
            .map(|both| both.map(of))
            .collect())
    };
    let threads = replicas::on(&policy.model.device());
    let each = task.micro_rows.min(rows.len().div_ceil(threads));
    let at_once = AtOnce::new(policy, each, threads);
    let passes = sharing::passes(&tokens(task, rows), &whose(rows, table), at_once, |_| {});
    let mut all = vec![[Vec::new(), Vec::new()]; rows.len()];
    for (pass, found) in passes.iter().zip(replicas::map(&passes, threads, of_pass)) {
        for (&place, found) in pass.members.iter().zip(found?) {
            all[place] = found;
        }
    }
    Ok(all)
}

/// Gives every sample its advantage, and its weight in the loss of the batch: each branch by itself, weighed by its share.
fn weigh(task: &Online, gradient: &PolicyGradient, groups: &mut [Group<'_>]) {
    for &branch in task.mix.branches() {
        let of_branch = groups.iter_mut().filter(|group| group.branch == branch);
        let mut samples: Vec<&mut Sample> = of_branch.flat_map(|g| &mut g.samples).collect();
        let rewarded = |sample: &&mut Sample| Rewarded {
            reward: sample.penalised,
            log_ratio: sample.log_ratio(),
        };
        let rewarded: Vec<Rewarded> = samples.iter().map(rewarded).collect();
        let tokens: Vec<usize> = samples.iter().map(|sample| sample.ids.len()).collect();
        let advantages = gradient.advantages(&rewarded, task.section.generations());
        let weights = gradient.weights(&tokens, task.section.most_tokens());
        let share = task.mix.weight(branch, 1);
        for ((sample, advantage), weight) in samples.iter_mut().zip(advantages).zip(weights) {
            sample.advantage = advantage;
            sample.weight = share * weight;
        }
    }
}

/// The best response of a group before the worst; of equal ones the first is the best, and the last the worst.
fn compared(group: &Group<'_>) -> Example {
    let samples = &group.samples;
    let (mut best, mut worst) = (0, 0);
    for (at, sample) in samples.iter().enumerate() {
        if sample.penalised > samples[best].penalised {
            best = at;
        }
        if sample.penalised <= samples[worst].penalised {
            worst = at;
        }
    }
    let (best, worst) = (&samples[best], &samples[worst]);
    let example = group.example(group.pair(best, Some(worst)), samples.clone());
    let shared = best.ids.len().min(worst.ids.len());
    let sum = |sample: &Sample, tokens: usize| sample.reference[..tokens].iter().sum::<f32>();
    let of_first = |[chosen, rejected]: [usize; 2]| ReferenceLogProbs {
        chosen: sum(best, chosen),
        rejected: sum(worst, rejected),
    };
    let whole = [best.ids.len(), worst.ids.len()];
    let _ = example.item.reference.set(of_first(whole)); // Nobody else knows the example yet.
    let _ = example.item.shared_reference.set(of_first([shared; 2]));
    example
}

//! The parts of a P-DPO step on comparisons of the size of TL;DR's: prompts of 230 tokens, responses of 30.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use speed::comparisons;
use trainer::burn::module::Module;
use trainer::burn::tensor::Device;
use trainer::config::{TrainingSection, UsersSection};
use trainer::dataset::Dataset;
use trainer::example::Example;
use trainer::learner::Learner;
use trainer::llm_backbone::{LoraConfig, Model};
use trainer::pack::PackedBatch;
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::policy::Policy;
use trainer::schedule::{Rates, Schedule};
use trainer::task::Preference;
use trainer::tokenise::TokenizedPair;
use trainer::user_model::UserRef;

use crate::model;

const BATCH: usize = 4;

pub fn all(criterion: &mut Criterion) {
    let base = model::random(&Device::flex().autodiff());
    let examples: Vec<Example> = (0..BATCH).map(|i| example(i, 230, 30)).collect();
    let (mut learner, rates) = learner(base, &examples);
    collation(criterion, &learner.policy, &examples);
    passes(criterion, &learner, &examples);
    optimiser(criterion, &mut learner, &rates);
}

fn collation(criterion: &mut Criterion, policy: &Policy, examples: &[Example]) {
    let rows = rows(examples);
    criterion.bench_function("collation of 8 rows", |bencher| {
        let device = Device::flex();
        bencher.iter(|| PackedBatch::new(&rows, policy.places().soft).to_device(&device));
    });
}

fn passes(criterion: &mut Criterion, learner: &Learner<Preference>, examples: &[Example]) {
    let mut group = criterion.benchmark_group(format!("comparisons, {} blocks", model::BLOCKS));
    group.throughput(Throughput::Elements(BATCH as u64));
    let policy = Policy::plain(learner.policy.model.valid());
    let rows: Vec<&TokenizedPair> = examples.iter().map(Example::pair).collect();
    let packed = PackedBatch::new(&rows, 0);
    let on_device = packed.to_device(&policy.model.device());
    group.bench_function("forward, one branch", |bencher| {
        bencher.iter(|| {
            let sums = policy.response_log_probs(&packed, &on_device, None);
            sums.chosen.into_data()
        });
    });
    group.bench_function("forward and backward, both branches", |bencher| {
        bencher.iter(|| learner.gradients(examples).expect("gradients"));
    });
}

/// The size of the gradients does not depend on that of the batch, so a small one makes them.
fn optimiser(criterion: &mut Criterion, learner: &mut Learner<Preference>, rates: &Rates) {
    let small = [example(0, 2, 2)];
    criterion.bench_function("optimiser step", |bencher| {
        let gradients = || {
            let found = learner.gradients(&small).expect("gradients");
            (learner.optimizer.clone(), found.0.module)
        };
        bencher.iter_batched(
            gradients,
            |(mut optimizer, module)| {
                optimizer.step(rates.module.clone(), learner.policy.clone(), module)
            },
            BatchSize::PerIteration,
        );
    });
}

fn learner(base: Model, examples: &[Example]) -> (Learner<Preference>, Rates) {
    let dataset = Dataset {
        items: examples.iter().map(|e| e.item.clone()).collect(),
        ..Dataset::default()
    };
    let users = UsersSection::default();
    let start = dataset.start_policy(base, &LoraConfig::default(), Some(&users), 0);
    let (policy, table) = start.expect("a policy");
    let training = TrainingSection::default();
    let mut schedule = Schedule::new(&training, 1000, 0).expect("a schedule");
    let task = Preference::from_config(&ObjectiveConfig::default(), true, None);
    let learner = Learner::new(task.expect("an objective"), policy, table, &training);
    (learner.expect("a learner"), schedule.next())
}

/// Both branches of every comparison.
fn rows(examples: &[Example]) -> Vec<&TokenizedPair> {
    examples.iter().flat_map(|e| [e.pair(); 2]).collect()
}

fn example(number: usize, prompt: usize, response: usize) -> Example {
    let item = comparisons::made(number, [prompt, response], 49_000);
    Example {
        item: Arc::new(item),
        user: UserRef::id(format!("user {number}")),
        drawn: None,
    }
}

//! Thumbs: comparisons of which one response exists. A pair is two of them, so both ways of saying the same give the same
//! gradients.

mod support;

use std::sync::OnceLock;

use pdpo_loss::{ApoZeroUnpaired, Branch, Kto, ObjectiveConfig, PreferenceLoss};
use support::run::{STEPS, World, assert_same, traces};
use support::{
    INDIVIDUAL, changed, difference, gradients, learner, open, pairs, unreferenced, users, values,
    with_mismatched, with_random_adapters,
};
use trainer::TrainError;
use trainer::example::Example;
use trainer::learner::Learner;
use trainer::pack::PackedBatch;
use trainer::progress::Quiet;
use trainer::reference::Reference;
use trainer::task::{Preference, Task, WholeBatch};
use trainer::tokenise::TokenizedPair;
use user_model::RowInit;

const MODEL: &str = "llama_tied";

fn kto() -> ObjectiveConfig {
    let loss = Kto {
        beta: 0.5,
        desirable_weight: 1.0,
        undesirable_weight: 1.5,
    };
    of(PreferenceLoss::Kto(loss))
}

fn of(loss: PreferenceLoss) -> ObjectiveConfig {
    ObjectiveConfig {
        loss,
        ..Default::default()
    }
}

/// Comparisons, each with the response of the next one behind its prompt.
fn compared(count: usize) -> Vec<Example> {
    with_mismatched(&unreferenced(&pairs(31, count), true))
}

/// A thumb up for what a comparison prefers, and a thumb down for the other.
fn both_thumbs(example: &Example) -> [Example; 2] {
    let without = |side: fn(&mut TokenizedPair) -> &mut Vec<u32>| {
        changed(example, |item| {
            side(&mut item.pair).clear();
            item.reference = OnceLock::new();
        })
    };
    [
        without(|pair| &mut pair.rejected),
        without(|pair| &mut pair.chosen),
    ]
}

fn referenced(examples: Vec<Example>) -> Vec<Example> {
    let dir = tempfile::tempdir().expect("a folder");
    let base = open(MODEL);
    let reference = Reference::open(dir.path(), &base, "base", 4).expect("a writable folder");
    let others = examples.iter().filter_map(Example::mismatched);
    let others: Vec<Example> = others.collect();
    let all: Vec<&Example> = examples.iter().chain(&others).collect();
    reference.fill(&all, &Quiet).expect("log-probs");
    examples
}

fn policy(objective: &ObjectiveConfig, micro_rows: usize) -> Learner<Preference> {
    let model = with_random_adapters(open(MODEL), 3);
    let users = users(INDIVIDUAL, 2, model.d_model(), RowInit::Normal { std: 0.3 });
    learner(model, Some(users), objective, micro_rows)
}

/// The loss of a batch.
fn loss(learner: &Learner<Preference>, batch: &[Example]) -> f64 {
    learner.gradients(batch).expect("good examples").1.loss
}

#[test]
fn a_pair_is_two_thumbs() {
    let apo = of(PreferenceLoss::ApoZeroUnpaired(ApoZeroUnpaired::default()));
    for objective in [kto(), apo] {
        let pairs = referenced(compared(5));
        let thumbs = referenced(pairs.iter().flat_map(both_thumbs).collect());
        let learner = policy(&objective, 4);
        let (whole, parts) = (loss(&learner, &pairs), loss(&learner, &thumbs));
        assert!((whole - parts).abs() < 1e-6, "{whole} and {parts}");
        let difference = difference(&gradients(&learner, &pairs), &gradients(&learner, &thumbs));
        assert!(difference < 1e-4, "{difference}");
    }
}

#[test]
fn gradients_of_thumbs_do_not_depend_on_micro_batches() {
    let thumbs: Vec<Example> = compared(8)
        .iter()
        .enumerate()
        .map(|(at, example)| both_thumbs(example)[at % 2].clone())
        .collect();
    let thumbs = referenced(thumbs);
    let [whole, parts] = [16, 1].map(|micro_rows| policy(&kto(), micro_rows));
    let (of_whole, of_parts) = (loss(&whole, &thumbs), loss(&parts, &thumbs));
    assert!(
        (of_whole - of_parts).abs() < 1e-6,
        "{of_whole} and {of_parts}"
    );
    assert!(difference(&gradients(&whole, &thumbs), &gradients(&parts, &thumbs)) < 1e-4);
}

#[test]
fn the_kl_term_is_the_mean_log_ratio_of_other_prompts_responses_in_each_branch() {
    let learner = policy(&kto(), 3);
    let batch = referenced(compared(6));
    let each: Vec<&Example> = batch.iter().collect();
    let branches = [Branch::User, Branch::Generic];
    let table = learner.table.as_ref();
    let figures = learner.task.figures(WholeBatch {
        workers: &[&learner.policy],
        table,
        examples: &each,
        branches: &branches,
        micro_rows: 2,
    });
    let figures = figures.expect("good examples");

    let others: Vec<Example> = batch.iter().filter_map(Example::mismatched).collect();
    let packed: Vec<&TokenizedPair> = others.iter().map(Example::pair).collect();
    let packed = PackedBatch::new(&packed, learner.policy.places().soft);
    let on_device = packed.to_device(&support::device());
    for branch in branches {
        let whose = |example: &Example| match branch {
            Branch::User => example.user.clone(),
            Branch::Generic => user_model::UserRef::Generic,
        };
        let whose: Vec<_> = others.iter().map(whose).collect();
        let rows = table
            .expect("users")
            .batch(&whose, &support::device())
            .expect("known");
        let found = learner
            .policy
            .response_log_probs(&packed, &on_device, Some(&rows));
        let known = others
            .iter()
            .map(|o| o.item.reference.get().expect("filled").chosen);
        let ratios = values(found.chosen)
            .into_iter()
            .zip(known)
            .map(|(p, r)| p - r);
        let mean = ratios.sum::<f32>() / others.len() as f32;
        let kl = figures.kl(branch).expect("asked for");
        assert!(
            (kl - mean.max(0.0)).abs() < 1e-4,
            "{branch:?}: {kl} and {mean}"
        );
    }
}

#[test]
fn a_kl_term_needs_responses_to_other_prompts() {
    let learner = policy(&kto(), 3);
    let alone = referenced(unreferenced(&pairs(2, 2), true));
    let Err(error) = learner.gradients(&alone) else {
        panic!("no error");
    };
    assert!(matches!(error, TrainError::NoMismatched), "{error}");
}

#[test]
fn a_run_of_kto_stopped_and_resumed_is_the_same_to_the_bit() {
    let world = World {
        objective: kto(),
        ..World::new()
    };
    let folder = || tempfile::tempdir().expect("a folder");
    let (whole, parts) = (folder(), folder());
    world.run(whole.path(), false, None).expect("a run");
    world.run_until(parts.path(), false, 3);
    let outcome = world.run(parts.path(), true, None).expect("the rest");
    assert_eq!(outcome.state.step, STEPS);
    assert_same(&traces(parts.path()), &traces(whole.path()), "stopped");
}

//! Every loss, in value, gradient and reward, equals what another implementation computes of the same log-probabilities
//! (`fixtures/losses.json`, which says which).

use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use pdpo_loss::{Branch, Evaluation, ObjectiveConfig, Pair, PairLogProbs, PreferenceLoss};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    inputs: Inputs,
    cases: Vec<Case>,
}

/// Of the chosen responses, and of the rejected ones.
type Sides<T> = [Vec<T>; 2];

/// Over the shared length, and over what a response has beyond it.
#[derive(Deserialize)]
struct Sums<T> {
    first: Sides<T>,
    rest: Sides<T>,
}

#[derive(Deserialize)]
struct Inputs {
    tokens: Sides<f32>,
    squares: Sides<f32>,
    policy: Sums<f32>,
    reference: Sums<f32>,
}

#[derive(Deserialize)]
struct Case {
    source: String,
    objective: ObjectiveConfig,
    kl: Option<f32>,
    losses: Vec<f64>,
    gradients: Sums<Option<f64>>,
    rewards: Option<Sides<f64>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/losses.json")).unwrap()
}

fn pair([chosen, rejected]: &Sides<f32>, device: &Device) -> Pair {
    Pair {
        chosen: Tensor::from_floats(chosen.as_slice(), device),
        rejected: Tensor::from_floats(rejected.as_slice(), device),
    }
}

fn sum(a: &Pair, b: &Pair) -> Pair {
    Pair {
        chosen: a.chosen.clone() + b.chosen.clone(),
        rejected: a.rejected.clone() + b.rejected.clone(),
    }
}

/// What a loss gets, with the policy's sums that it has gradients of.
fn inputs(given: &Inputs) -> (PairLogProbs, [Pair; 2]) {
    let device = Device::flex().autodiff();
    let leaf = |sides| {
        let Pair { chosen, rejected } = pair(sides, &device);
        Pair {
            chosen: chosen.require_grad(),
            rejected: rejected.require_grad(),
        }
    };
    let [first, rest] = [&given.policy.first, &given.policy.rest].map(leaf);
    let [shared, tail] =
        [&given.reference.first, &given.reference.rest].map(|sides| pair(sides, &device));
    let tokens = pair(&given.tokens, &device);
    let pairs = PairLogProbs::new(sum(&first, &rest), Some(sum(&shared, &tail)), tokens);
    let pairs = pairs.unwrap().with_shared(first.clone(), Some(shared));
    let pairs = pairs.unwrap().with_squares(pair(&given.squares, &device));
    (pairs.unwrap(), [first, rest])
}

fn evaluate(objective: &ObjectiveConfig, pairs: &PairLogProbs) -> Evaluation {
    let branches = vec![Branch::User; pairs.rows()];
    let objective = objective.init(true).unwrap();
    objective.evaluate(pairs, &branches).unwrap()
}

fn values(tensor: Tensor<1>) -> Vec<f64> {
    let values = tensor.without_autodiff().try_into_vec_as::<f32>().unwrap();
    values.into_iter().map(f64::from).collect()
}

/// Within 1e-5, relative above 1 (most of the fixture ran in f64, we in f32).
fn assert_close(found: &[f64], expected: &[Option<f64>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let Some(expected) = *expected else { continue };
        let error = (found - expected).abs();
        assert!(
            error <= 1e-5 * expected.abs().max(1.0),
            "{what}, row {row}: {found}, expected {expected}"
        );
    }
}

fn each(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

#[test]
fn losses_gradients_and_rewards_equal_those_of_another_implementation() {
    let fixture = fixture();
    for case in &fixture.cases {
        let name = format!("{:?} by {}", case.objective, case.source);
        let (mut pairs, [first, rest]) = inputs(&fixture.inputs);
        if let Some(kl) = case.kl {
            let kl = Tensor::full([pairs.rows()], kl, &Device::flex().autodiff());
            pairs = pairs.with_kl(kl).unwrap();
        }
        let Evaluation { loss, rewards, .. } = evaluate(&case.objective, &pairs);
        let gradients = loss.clone().sum().backward();
        let found = values(loss);
        match case.objective.init(true).unwrap().needs_batch_statistics() {
            true => {
                let mean = found.iter().sum::<f64>() / found.len() as f64;
                assert_close(&[mean], &each(&case.losses), &name);
            }
            false => assert_close(&found, &each(&case.losses), &name),
        }
        for (part, leaf, expected) in [
            ("first", first, &case.gradients.first),
            ("rest", rest, &case.gradients.rest),
        ] {
            for (leaf, expected) in [leaf.chosen, leaf.rejected].iter().zip(expected) {
                // A part of the loss that a response is not in gives it no gradient at all.
                let none = || Tensor::zeros(leaf.dims(), &leaf.device());
                let found = values(leaf.grad(&gradients).unwrap_or_else(none));
                assert_close(&found, expected, &format!("{name}: gradient of {part}"));
            }
        }
        if let Some([chosen, rejected]) = &case.rewards {
            assert_close(&values(rewards.chosen), &each(chosen), &name);
            assert_close(&values(rewards.rejected), &each(rejected), &name);
        }
    }
}

#[test]
fn every_loss_has_a_case() {
    let fixture = fixture();
    for name in PreferenceLoss::NAMES {
        let mut cases = fixture.cases.iter();
        let there = cases.any(|case| case.objective.loss.name() == *name);
        assert!(there, "{name} has no case in fixtures/losses.json");
    }
}

#[test]
fn every_loss_is_listed_where_people_look() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for page in [
        "docs/losses.md",
        "crates/prlhf/README.md",
        "configs/README.md",
    ] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        for name in PreferenceLoss::NAMES {
            assert!(text.contains(&format!("`{name}`")), "{page}: {name}");
        }
    }
}

#[test]
fn huge_log_ratios_give_finite_losses_and_gradients() {
    let device = Device::flex().autodiff();
    let leaf = |values: [f32; 4]| Tensor::<1>::from_floats(values, &device).require_grad();
    for loss in PreferenceLoss::all() {
        for divergence in [
            "\"reverse_kl\"",
            "\"forward_kl\"",
            "\"js\"",
            "{\"alpha\":0.2}",
        ] {
            let mut keys = serde_json::to_value(&loss).unwrap();
            keys["divergence"] = serde_json::from_str(divergence).unwrap();
            let with = serde_json::from_value::<ObjectiveConfig>(keys);
            let Ok(objective) = with else { continue };
            let policy = Pair {
                chosen: leaf([-3000.0, -1.0, -2000.0, -1e-9]),
                rejected: leaf([-2.0, -3000.0, -2000.0, -1e-9]),
            };
            let constant = |value: f64| Pair {
                chosen: Tensor::zeros([4], &device) + value,
                rejected: Tensor::zeros([4], &device) + value,
            };
            let pairs = PairLogProbs::new(policy.clone(), Some(constant(-900.0)), constant(7.0));
            let loss = evaluate(&objective, &pairs.unwrap()).loss;
            let gradients = loss.clone().sum().backward();
            let slopes = [policy.chosen, policy.rejected].map(|leaf| leaf.grad(&gradients));
            let found = slopes.into_iter().flatten().chain([loss]).flat_map(values);
            for value in found {
                assert!(value.is_finite(), "{objective:?}: {value}");
            }
        }
    }
}

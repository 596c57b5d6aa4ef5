//! Advantages, losses and gradients of RLOO and GRPO equal what TRL's trainers make of the same rewards and log-probabilities
//! (`fixtures/policy_gradients.json`, which `xtask/fixtures/policy_gradients.py` makes).

use burn::tensor::{Device, Tensor, TensorData};
use pdpo_loss::{LossError, PolicyGradient, Rewarded, SampledLogProbs};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    group: usize,
    most: usize,
    inputs: Inputs,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Inputs {
    rewards: Vec<f64>,
    policy: Vec<Vec<f32>>,
    old: Vec<Vec<f32>>,
    reference: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Case {
    setting: PolicyGradient,
    advantages: Vec<f64>,
    loss: f64,
    gradients: Vec<Vec<f64>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/policy_gradients.json")).unwrap()
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn floats(values: &[f32]) -> Tensor<1> {
    Tensor::from_floats(values, &device())
}

/// 1 where a token is a response's, `[responses, tokens]`.
fn membership(rows: &[Vec<f32>]) -> Tensor<2> {
    let tokens: usize = rows.iter().map(Vec::len).sum();
    let mut ones = vec![0.0_f32; rows.len() * tokens];
    let mut at = 0;
    for (row, values) in rows.iter().enumerate() {
        ones[row * tokens + at..][..values.len()].fill(1.0);
        at += values.len();
    }
    Tensor::from_data(TensorData::new(ones, [rows.len(), tokens]), &device())
}

impl Inputs {
    fn rewarded(&self) -> Vec<Rewarded> {
        let sum = |row: &[f32]| row.iter().map(|&value| f64::from(value)).sum::<f64>();
        let rows = self.old.iter().zip(&self.reference);
        let ratios = rows.map(|(old, reference)| sum(old) - sum(reference));
        let each = self.rewards.iter().zip(ratios);
        each.map(|(&reward, log_ratio)| Rewarded { reward, log_ratio })
            .collect()
    }
}

/// Within 1e-5, relative above 1 (TRL ran in f64, we in f32).
fn assert_close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(
        error <= 1e-5 * expected.abs().max(1.0),
        "{what}: {found}, expected {expected}"
    );
}

#[test]
fn advantages_losses_and_gradients_equal_those_of_trl() {
    let Fixture {
        group,
        most,
        inputs,
        cases,
    } = fixture();
    let lengths: Vec<usize> = inputs.old.iter().map(Vec::len).collect();
    for method in ["Rloo", "Grpo"] {
        let named = |case: &&Case| format!("{:?}", case.setting).starts_with(method);
        assert!(cases.iter().filter(named).count() >= 6, "{method}");
    }
    for case in &cases {
        let (setting, name) = (&case.setting, format!("{:?}", case.setting));
        setting.validate().unwrap();
        let advantages = setting.advantages(&inputs.rewarded(), group);
        for (found, expected) in advantages.iter().zip(&case.advantages) {
            assert_close(*found, *expected, &format!("{name}: advantage"));
        }
        assert_eq!(advantages.len(), case.advantages.len());
        let weights = setting.weights(&lengths, most);

        let policy = floats(&inputs.policy.concat()).require_grad();
        let narrow = |values: &[f64]| floats(&values.iter().map(|&v| v as f32).collect::<Vec<_>>());
        let sampled = SampledLogProbs::new(
            policy.clone(),
            floats(&inputs.old.concat()),
            Some(floats(&inputs.reference.concat())),
            (membership(&inputs.old), narrow(&advantages)),
        );
        let losses = setting.losses(&sampled.unwrap()).unwrap();
        let loss = (losses * narrow(&weights)).sum();
        assert_close(loss.clone().into_scalar::<f32>().into(), case.loss, &name);
        let gradient = policy.grad(&loss.backward()).unwrap();
        let gradient = gradient.try_into_vec_as::<f32>().unwrap();
        let expected = case.gradients.concat();
        assert_eq!(gradient.len(), expected.len());
        for (found, expected) in gradient.into_iter().zip(expected) {
            assert_close(found.into(), expected, &format!("{name}: gradient"));
        }
    }
}

#[test]
fn only_a_kl_term_in_the_loss_needs_the_reference() {
    let inputs = fixture().inputs;
    let without = || {
        let advantages = floats(&vec![1.0; inputs.old.len()]);
        let (policy, old) = (
            floats(&inputs.policy.concat()),
            floats(&inputs.old.concat()),
        );
        SampledLogProbs::new(policy, old, None, (membership(&inputs.old), advantages)).unwrap()
    };
    for (text, needs) in [
        ("method = \"rloo\"\nbeta = 0.5", false),
        ("method = \"grpo\"", false),
        ("method = \"grpo\"\nbeta = 0.5", true),
    ] {
        let setting: PolicyGradient = toml::from_str(text).unwrap();
        let losses = setting.losses(&without());
        assert_eq!(
            losses.err(),
            needs.then_some(LossError::NoReference),
            "{text}"
        );
    }
}

#[test]
fn inputs_that_differ_in_length_are_told_by_name() {
    let of = |old: usize, responses: usize| {
        let ones = |n| floats(&vec![1.0; n]);
        let membership = membership(&[vec![0.0; 2], vec![0.0; 1]]);
        SampledLogProbs::new(ones(3), ones(old), None, (membership, ones(responses)))
    };
    assert!(of(3, 2).is_ok());
    let told = |found: Result<SampledLogProbs, LossError>| found.unwrap_err().to_string();
    assert_eq!(told(of(2, 2)), "`old log-probs` has 2 rows, expected 3");
    assert_eq!(told(of(3, 1)), "`advantages` has 1 rows, expected 2");
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    for (text, expected) in [
        ("method = \"rloo\"\nbeta = -1", "`beta` is -1"),
        ("method = \"rloo\"\nepsilon = 1", "`epsilon` is 1"),
        ("method = \"grpo\"\nepsilon = 0", "`epsilon` is 0"),
    ] {
        let setting: PolicyGradient = toml::from_str(text).unwrap();
        let error = setting.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

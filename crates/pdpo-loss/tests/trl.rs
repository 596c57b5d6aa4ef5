//! Losses and rewards equal TRL's on the same log-probabilities (`fixtures/trl.json`).

use burn::tensor::{Device, Tensor};
use pdpo_loss::{Dpo, Ipo, Pair, PairLogProbs, PairLoss, PreferenceLoss};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    trl_version: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    loss: String,
    beta: f64,
    label_smoothing: f64,
    policy_chosen: Vec<f32>,
    policy_rejected: Vec<f32>,
    reference_chosen: Vec<f32>,
    reference_rejected: Vec<f32>,
    chosen_tokens: Vec<f32>,
    rejected_tokens: Vec<f32>,
    losses: Vec<f64>,
    rewards_chosen: Vec<f64>,
    rewards_rejected: Vec<f64>,
}

impl Case {
    fn loss(&self) -> PreferenceLoss {
        let loss = match self.loss.as_str() {
            "dpo" => PreferenceLoss::Dpo(Dpo {
                beta: self.beta,
                label_smoothing: self.label_smoothing,
                ..Dpo::default()
            }),
            "ipo" => PreferenceLoss::Ipo(Ipo::new(self.beta).unwrap()),
            other => panic!("the fixture has a loss `{other}` that this test does not know"),
        };
        loss.validate().unwrap();
        loss
    }

    fn pairs(&self) -> PairLogProbs {
        let device = Device::flex();
        let pair = |chosen: &[f32], rejected: &[f32]| Pair {
            chosen: Tensor::from_floats(chosen, &device),
            rejected: Tensor::from_floats(rejected, &device),
        };
        PairLogProbs::new(
            pair(&self.policy_chosen, &self.policy_rejected),
            Some(pair(&self.reference_chosen, &self.reference_rejected)),
            pair(&self.chosen_tokens, &self.rejected_tokens),
        )
        .unwrap()
    }
}

/// Within 1e-5, relative above 1 (TRL ran in f64, we in f32).
fn assert_close(found: Tensor<1>, expected: &[f64], what: &str) {
    let found = found.try_into_vec_as::<f32>().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(
            error <= 1e-5 * expected.abs().max(1.0),
            "{what}, row {row}: {found}, expected {expected}"
        );
    }
}

#[test]
fn losses_and_rewards_equal_those_of_trl() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/trl.json")).unwrap();
    for loss in ["dpo", "ipo"] {
        assert!(fixture.cases.iter().any(|case| case.loss == loss));
    }
    for (i, case) in fixture.cases.iter().enumerate() {
        let name = format!("TRL {} case {i} ({})", fixture.trl_version, case.loss);
        let (loss, pairs) = (case.loss(), case.pairs());
        assert_close(loss.losses(&pairs).unwrap(), &case.losses, &name);
        let rewards = loss.rewards(&pairs).unwrap();
        assert_close(rewards.chosen, &case.rewards_chosen, &name);
        assert_close(rewards.rejected, &case.rewards_rejected, &name);
    }
}

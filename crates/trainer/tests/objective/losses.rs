//! Every loss by its name: it trains, its gradients do not depend on micro-batches, and what it needs beside sums is right.

use burn::tensor::{Bool, Int, Tensor, TensorData};
use llm_backbone::{Model, ModelInput};
use pdpo_loss::{ObjectiveConfig, PreferenceLoss};
use trainer::config::TrainingSection;
use trainer::example::Example;
use trainer::learner::Learner;
use trainer::schedule::Schedule;
use trainer::task::{Preference, Task};
use trainer::tokenise::TokenizedPair;
use user_model::RowInit;

use super::support::{
    self, INDIVIDUAL, examples, learner, learner_with, open, pairs, users, with_random_adapters,
};
use super::{difference, gradients, report};

const NAME: &str = "llama_tied";

/// Every loss with its default settings, and what goes with losses.
pub fn every_objective(alpha: f64) -> Vec<ObjectiveConfig> {
    let of = |loss| ObjectiveConfig {
        loss,
        alpha,
        ..Default::default()
    };
    let with = |change: fn(&mut ObjectiveConfig)| {
        let mut objective = of(PreferenceLoss::default());
        change(&mut objective);
        objective
    };
    let mut all: Vec<ObjectiveConfig> = PreferenceLoss::all().into_iter().map(of).collect();
    all.push(with(|objective| objective.nll_weight = 0.7));
    all.push(with(|objective| objective.wpo = true));
    all.push(with(|objective| objective.ld_alpha = 0.5));
    all
}

/// A learner of three users with random adapters, whose steps are of `rows` rows at most.
fn personal(objective: &ObjectiveConfig, rows: usize, micro_rows: usize) -> Learner<Preference> {
    let base = open(NAME);
    let users = users(INDIVIDUAL, 3, base.d_model(), RowInit::Normal { std: 0.3 });
    let model = with_random_adapters(base, 8);
    let training = TrainingSection {
        batch: rows / 2,
        micro_rows,
        ..Default::default()
    };
    learner_with(model, Some(users), objective, &training)
}

#[test]
fn every_loss_trains() {
    let batch = examples(&open(NAME), &pairs(12, 4), true);
    for objective in every_objective(0.4) {
        let mut learner = personal(&objective, 8, 8);
        let training = TrainingSection {
            learning_rate: 3e-3,
            warmup_steps: 0,
            ..Default::default()
        };
        let mut schedule = Schedule::new(&training, 8, 0).expect("rates");
        let mut losses = Vec::new();
        for _ in 0..8 {
            let report = learner.step(&batch, &schedule.next());
            losses.push(report.expect("known users").loss);
        }
        assert!(losses.iter().all(|loss| loss.is_finite()), "{objective:?}");
        assert!(losses[7] < losses[0] - 1e-3, "{objective:?}: {losses:?}");
    }
}

#[test]
fn gradients_of_every_loss_do_not_depend_on_micro_batches() {
    let batch = examples(&open(NAME), &pairs(3, 8), true);
    for objective in every_objective(0.3) {
        let whole = personal(&objective, 16, 16);
        if whole.task.needs_whole_batch() {
            // Refused in micro-batches: the tests of the session.
            continue;
        }
        let largest = difference(
            &gradients(&whole, &batch),
            &gradients(&personal(&objective, 16, 3), &batch),
        );
        assert!(largest <= 1e-4, "{objective:?}: {largest}");
    }
}

/// Losses of comparisons under vanilla DPO, in their order.
fn losses(change: impl Fn(&mut ObjectiveConfig), pairs: &[TokenizedPair]) -> Vec<f32> {
    let base = open(NAME);
    let mut objective = ObjectiveConfig::default();
    change(&mut objective);
    let batch: Vec<Example> = examples(&base, pairs, false);
    let learner = learner(with_random_adapters(base, 8), None, &objective, 4);
    let mut rows = report(&learner, &batch).rows;
    rows.sort_by_key(|row| row.example);
    rows.into_iter().map(|row| row.row.loss).collect()
}

#[test]
fn what_is_beyond_the_shared_length_counts_by_ld_alpha() {
    let whole = pairs(4, 6);
    let shared: Vec<TokenizedPair> = whole
        .iter()
        .map(|pair| {
            let mut pair = pair.clone();
            let shared = pair.chosen.len().min(pair.rejected.len());
            pair.chosen.truncate(shared);
            pair.rejected.truncate(shared);
            pair
        })
        .collect();
    let margin = |loss: f32| -f64::from(loss).exp_m1().ln();
    let plain = losses(|_| {}, &whole);
    let cut = losses(|_| {}, &shared);
    assert!(plain.iter().zip(&cut).any(|(a, b)| (a - b).abs() > 1e-2));
    for alpha in [0.0, 0.25] {
        let found = losses(|objective| objective.ld_alpha = alpha, &whole);
        for ((found, plain), cut) in found.iter().zip(&plain).zip(&cut) {
            let expected = alpha * margin(*plain) + (1.0 - alpha) * margin(*cut);
            assert!((margin(*found) - expected).abs() < 1e-4, "{alpha}: {found}");
        }
    }
}

/// The mean over a response's tokens of `log p(token) - log(sum over v of p(v)^2)`; the sequence runs alone.
fn alignment(model: &Model, prompt: &[u32], response: &[u32]) -> f64 {
    let device = model.device();
    let ids: Vec<i32> = [prompt, response]
        .concat()
        .iter()
        .map(|&id| id as i32)
        .collect();
    let seq = ids.len();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [1, seq]), &device);
    let positions: Vec<i32> = (0..seq as i32).collect();
    let visible: Vec<bool> = (0..seq * seq).map(|i| i % seq <= i / seq).collect();
    let states = model.forward(ModelInput {
        embeddings: model.embed(ids),
        positions: Tensor::from_data(TensorData::new(positions, [1, seq]), &device),
        visible: Tensor::<4, Bool>::from_data(TensorData::new(visible, [1, 1, seq, seq]), &device),
        prefix: None,
        cache: None,
    });
    let logits = model.logits(states.reshape([seq, model.d_model()]));
    let [_, vocabulary] = logits.dims();
    let logits = support::values(logits.without_autodiff());
    let rows: Vec<&[f32]> = logits.chunks(vocabulary).skip(prompt.len() - 1).collect();
    let each = response.iter().zip(rows).map(|(&target, row)| {
        let exp: Vec<f64> = row.iter().map(|&logit| f64::from(logit).exp()).collect();
        let sum: f64 = exp.iter().sum();
        let squares: f64 = exp.iter().map(|e| (e / sum).powi(2)).sum();
        (exp[target as usize] / sum).ln() - squares.ln()
    });
    each.sum::<f64>() / response.len() as f64
}

#[test]
fn wpo_weighs_by_the_policy_s_own_distribution() {
    let pairs = pairs(4, 6);
    let plain = losses(|_| {}, &pairs);
    let weighed = losses(|objective| objective.wpo = true, &pairs);
    let model = with_random_adapters(open(NAME), 8);
    for ((pair, plain), weighed) in pairs.iter().zip(plain).zip(weighed) {
        let sides = [&pair.chosen, &pair.rejected];
        let log_weights = sides.map(|response| alignment(&model, &pair.prompt.ids, response));
        let expected = f64::from(plain) * log_weights.iter().sum::<f64>().exp();
        let error = (f64::from(weighed) - expected).abs();
        assert!(error <= 1e-4 * expected, "{weighed}, expected {expected}");
    }
}

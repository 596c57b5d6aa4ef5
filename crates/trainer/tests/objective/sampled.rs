//! One branch of each comparison, drawn, in the place of both.

use std::collections::BTreeMap;

use pdpo_loss::{Branch, Branches, Ipo, PreferenceLoss};
use trainer::task::Reward;

use super::*;

const ALPHA: f64 = 0.3;

/// The sum of gradients, each with its weight.
fn mean(all: &[(f64, BTreeMap<String, Vec<f32>>)]) -> BTreeMap<String, Vec<f32>> {
    let mut sum = BTreeMap::<String, Vec<f64>>::new();
    for (weight, gradients) in all {
        for (name, values) in gradients {
            let sum = sum.entry(name.clone()).or_insert(vec![0.0; values.len()]);
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += weight * f64::from(*value);
            }
        }
    }
    let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    sum.into_iter().map(|(name, v)| (name, single(v))).collect()
}

#[test]
fn the_mean_gradient_over_all_draws_is_that_of_both_branches() {
    let base = open("llama_tied");
    let batch = examples(&base, &pairs(3, 3), true);
    for loss in [
        PreferenceLoss::default(),
        PreferenceLoss::Ipo(Ipo::default()),
    ] {
        let with = |branches, micro_rows| {
            let objective = ObjectiveConfig {
                loss: loss.clone(),
                branches,
                alpha: ALPHA,
                nll_weight: 0.2,
                ..ObjectiveConfig::default()
            };
            let normal = RowInit::Normal { std: 0.3 };
            let users = users(INDIVIDUAL, 3, base.d_model(), normal);
            let model = with_random_adapters(base.clone(), 8);
            learner(model, Some(users), &objective, micro_rows)
        };
        let both = gradients(&with(Branches::Both, 4), &batch);
        let sampled = with(Branches::Sampled, 2);
        let draws = (0..1u32 << batch.len()).map(|draw| {
            let branch = |at: usize| match draw >> at & 1 {
                1 => Branch::User,
                _ => Branch::Generic,
            };
            let drawn = batch.iter().enumerate();
            let drawn: Vec<Example> = drawn.map(|(at, e)| e.drawn(branch(at))).collect();
            let of = |example: &Example| match example.drawn {
                Some(Branch::User) => ALPHA,
                _ => 1.0 - ALPHA,
            };
            let report = report(&sampled, &drawn);
            assert_eq!(report.rows.len(), batch.len());
            // Rewards are told of rows in the user's branch alone.
            let shown = report.one_row_each().map(|row| row.branch);
            assert!(shown.eq((0..draw.count_ones()).map(|_| Branch::User)));
            let probability: f64 = drawn.iter().map(of).product();
            (probability, gradients(&sampled, &drawn))
        });
        let draws: Vec<_> = draws.collect();
        assert!(difference(&both, &mean(&draws)) <= 1e-5, "{loss:?}");
        let users_alone = &draws.last().expect("eight draws").1;
        assert!(difference(&both, users_alone) > 1e-2, "{loss:?}");
    }
}

#[test]
fn one_branch_is_drawn_where_both_count() {
    let task = |branches, alpha, has_users| {
        let objective = ObjectiveConfig {
            branches,
            alpha,
            ..ObjectiveConfig::default()
        };
        let preference = Preference::from_config(&objective, has_users, None).expect("settings");
        let reward = Reward::new(&RewardSection::default(), &objective, has_users);
        assert_eq!(
            reward.expect("settings").rows_each(),
            preference.rows_each()
        );
        preference.rows_each()
    };
    assert_eq!(task(Branches::Both, 0.5, true), 2);
    assert_eq!(task(Branches::Sampled, 0.5, true), 1);
    let alone = Preference::from_config(
        &ObjectiveConfig {
            branches: Branches::Sampled,
            ..objective(0.5)
        },
        false,
        None,
    );
    assert_eq!(alone.expect("settings").draw(0.9, 0), None);
}

#[test]
fn a_loss_over_its_whole_batch_wants_both() {
    let objective = ObjectiveConfig {
        loss: PreferenceLoss::Aot(pdpo_loss::Aot::default()),
        branches: Branches::Sampled,
        ..ObjectiveConfig::default()
    };
    let error = Preference::from_config(&objective, true, None).expect_err("a part of a batch");
    let error = error.to_string();
    assert!(error.contains("`objective.branches` is sampled"), "{error}");
}

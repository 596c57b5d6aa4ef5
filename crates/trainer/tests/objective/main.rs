//! The objective of a batch: log 2 at step 0, the same gradients however the rows fall into micro-batches and wherever they
//! are computed, TRL's numbers on the same weights, and torch's weights after clipped steps.
#![allow(clippy::print_stderr)]

mod clipping;
mod gpu;
mod losses;
mod sampled;
mod shared_rows;
#[path = "../support/mod.rs"]
mod support;
mod trl;

use std::collections::BTreeMap;

use burn::tensor::{DType, Device};
use llm_backbone::{LoraConfig, Model, Precision};
use pdpo_loss::{Branch, Ipo, ObjectiveConfig, PreferenceLoss, ScoredRow};
use support::{
    FAMILIES, INDIVIDUAL, difference, examples, gradients, learner, model_fixture, open, pairs,
    replicated, users, users_on, with_random_adapters,
};
use trainer::config::{Checkpointing, RewardSection, TrainingSection};
use trainer::eval;
use trainer::example::Example;
use trainer::learner::{Learner, StepReport};
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::schedule::Schedule;
use trainer::task::{Preference, Task};
use user_model::{RowInit, UserModelKind};

const KINDS: [UserModelKind; 4] = [
    INDIVIDUAL,
    UserModelKind::Individual { generic: false },
    UserModelKind::Cluster { clusters: 3 },
    UserModelKind::Uniform,
];

fn objective(alpha: f64) -> ObjectiveConfig {
    ObjectiveConfig {
        alpha,
        ..Default::default()
    }
}

fn report(learner: &Learner<Preference>, batch: &[Example]) -> StepReport<ScoredRow> {
    learner.gradients(batch).expect("known users").1
}

/// Fresh adapters: the policy is the reference.
fn fresh(name: &str) -> Model {
    open(name).with_lora(&support::lora(), 1).expect("targets")
}

#[test]
fn at_step_0_the_loss_is_log_2_without_soft_tokens() {
    for name in FAMILIES {
        let batch = examples(&open(name), &pairs(1, 8), true);
        let none = users(INDIVIDUAL, 0, open(name).d_model(), RowInit::Zero);
        for users in [None, Some(none)] {
            let batch = match users {
                Some(_) => batch.clone(),
                None => examples(&open(name), &pairs(1, 8), false),
            };
            let learner = learner(fresh(name), users, &ObjectiveConfig::default(), 3);
            let error = (report(&learner, &batch).loss - std::f64::consts::LN_2).abs();
            eprintln!("{name}: step-0 loss is off log 2 by {error:e}");
            assert!(error <= 1e-5, "{name}: {error}");
        }
    }
}

#[test]
fn with_zero_offsets_the_users_loss_is_the_generic_loss() {
    for name in FAMILIES {
        let batch = examples(&open(name), &pairs(2, 8), true);
        for kind in [INDIVIDUAL, support::prefix_of(&open(name))] {
            let zero = users(kind, 4, open(name).d_model(), RowInit::Zero);
            let learner = learner(fresh(name), Some(zero), &objective(0.5), 5);
            assert_branches_are_alike(name, &report(&learner, &batch));
        }
    }
}

fn assert_branches_are_alike(name: &str, report: &StepReport<ScoredRow>) {
    let of = |branch: Branch| -> BTreeMap<usize, f32> {
        let rows = report.rows.iter().filter(|row| row.branch == branch);
        rows.map(|row| (row.example, row.row.loss)).collect()
    };
    let (user, generic) = (of(Branch::User), of(Branch::Generic));
    assert_eq!((user.len(), generic.len()), (8, 8));
    for (example, loss) in &user {
        let difference = (loss - generic[example]).abs();
        assert!(difference <= 1e-6, "{name}, {example}: {difference}");
    }
    assert!(
        user.values()
            .any(|loss| (loss - std::f32::consts::LN_2).abs() > 1e-3)
    );
}

#[test]
fn gradients_do_not_depend_on_micro_batches_or_replicas() {
    for name in FAMILIES {
        let base = open(name);
        let batch = examples(&base, &pairs(3, 8), true);
        let (dpo, ipo) = (
            PreferenceLoss::default(),
            PreferenceLoss::Ipo(Ipo::default()),
        );
        for (kind, loss) in [
            (Some(INDIVIDUAL), &dpo),
            (Some(UserModelKind::Cluster { clusters: 3 }), &dpo),
            (Some(support::prefix_of(&base)), &dpo),
            (Some(INDIVIDUAL), &ipo),
            (None, &dpo),
        ] {
            let with = |micro_rows: usize, replicas: usize| {
                let model = with_random_adapters(base.clone(), 8);
                let normal = RowInit::Normal { std: 0.3 };
                let users = kind.map(|kind| users(kind, 3, base.d_model(), normal));
                let objective = ObjectiveConfig {
                    loss: loss.clone(),
                    alpha: 0.3,
                    ..Default::default()
                };
                let batch: Vec<Example> = match kind {
                    Some(_) => batch.clone(),
                    None => examples(&base, &pairs(3, 8), false),
                };
                let learner = replicated(model, users, &objective, micro_rows, replicas);
                gradients(&learner, &batch)
            };
            let whole = with(16, 1);
            let largest = [(1, 1), (3, 1), (3, 2), (16, 4)]
                .map(|(micro_rows, replicas)| difference(&whole, &with(micro_rows, replicas)))
                .into_iter()
                .fold(0f32, f32::max);
            eprintln!("{name}, {kind:?}, {loss:?}: gradients differ by at most {largest:e}");
            assert!(largest <= 1e-4, "{name}, {kind:?}: {largest}");
        }
    }
}

/// A learner of three users on `device`, four rows at a time.
fn learner_on(device: &Device, name: &str) -> Learner<Preference> {
    learner_of(Model::open(&model_fixture(name), device).expect("a good fixture"))
}

fn learner_of(base: Model) -> Learner<Preference> {
    let normal = RowInit::Normal { std: 0.3 };
    let users = users_on(&base.device(), INDIVIDUAL, 3, base.d_model(), normal);
    let model = with_random_adapters(base, 8);
    learner(model, Some(users), &objective(0.3), 4)
}

#[test]
fn weights_as_stored_train_as_their_numbers_do() {
    let path = model_fixture("llama_gguf/model.gguf");
    let (config, source) = llm_backbone::weights::open(path).expect("a good fixture");
    for device in [
        support::device(),
        support::device().gradient_checkpointing(),
    ] {
        let with = |precision: Precision| {
            let base = Model::load(&config, source.as_ref(), precision, &device);
            let base = base.expect("a good fixture");
            let batch = examples(&base, &pairs(3, 8), true);
            gradients(&learner_of(base), &batch)
        };
        let dense = with(Precision::Dense(DType::F32));
        let largest = difference(&dense, &with(Precision::Stored));
        assert!(largest <= 1e-5, "{largest}");
    }
}

#[test]
fn gradient_checkpointing_changes_no_gradient() {
    for name in FAMILIES {
        let base = open(name);
        let batch = examples(&base, &pairs(3, 8), true);
        let on = |device: &Device| gradients(&learner_on(device, name), &batch);
        let device = support::device();
        let kept = on(&device);
        let largest = difference(&kept, &on(&device.gradient_checkpointing()));
        assert!(largest <= 1e-5, "{name}: {largest}");
    }
}

#[test]
fn a_block_at_a_time_gives_the_same_gradients() {
    for name in FAMILIES {
        for kind in [
            Some(INDIVIDUAL),
            Some(support::prefix_of(&open(name))),
            None,
        ] {
            let with = |gradient_checkpointing: Checkpointing| {
                let base = open(name);
                let normal = RowInit::Normal { std: 0.3 };
                let users = kind.map(|kind| users(kind, 3, base.d_model(), normal));
                let batch = examples(&base, &pairs(3, 8), kind.is_some());
                let training = TrainingSection {
                    gradient_checkpointing,
                    micro_rows: 6,
                    replicas: 2,
                    ..Default::default()
                };
                let model = with_random_adapters(base, 8);
                let learner = support::learner_with(model, users, &objective(0.3), &training);
                gradients(&learner, &batch)
            };
            let kept = with(Checkpointing::None);
            let largest = difference(&kept, &with(Checkpointing::Blocks));
            assert!(largest <= 1e-5, "{name}, {kind:?}: {largest}");
        }
    }
}

#[test]
fn several_devices_train_as_one_does() {
    for device in [
        support::device(),
        support::device().gradient_checkpointing(),
    ] {
        for name in FAMILIES {
            let batch = examples(&open(name), &pairs(3, 8), true);
            let mut one = learner_on(&device, name);
            let further = [device.clone(), device.clone()];
            let three = learner_on(&device, name).with_devices(&further);
            let mut three = three.expect("no dropout");
            // A step in between: the copies follow the weights.
            let mut schedule = Schedule::new(&TrainingSection::default(), 10, 5).expect("rates");
            for _ in 0..2 {
                let largest = difference(&gradients(&one, &batch), &gradients(&three, &batch));
                assert!(largest <= 1e-4, "{name}: {largest}");
                let rates = schedule.next();
                for learner in [&mut one, &mut three] {
                    learner.step(&batch, &rates).expect("known users");
                }
            }
        }
    }
}

/// A model with dropout in its adapters.
fn with_dropout() -> Model {
    let lora = LoraConfig {
        dropout: 0.1,
        ..support::lora()
    };
    open("llama").with_lora(&lora, 1).expect("targets")
}

#[test]
fn several_devices_refuse_dropout() {
    let learner = learner(with_dropout(), None, &objective(0.5), 2);
    let error = learner.with_devices(&[support::device()]).err();
    let message = error.expect("a refusal").to_string();
    assert!(message.contains("2 devices"), "{message}");
}

#[test]
fn blocks_that_run_again_refuse_dropout() {
    let training = TrainingSection {
        gradient_checkpointing: Checkpointing::Blocks,
        ..Default::default()
    };
    let task = support::preference(&objective(0.5), false);
    let error = Learner::new(task, Policy::plain(with_dropout()), None, &training).err();
    let message = error.expect("a refusal").to_string();
    assert!(message.contains("lora.dropout = 0"), "{message}");
}

#[test]
fn nll_weight_adds_the_mean_nll_of_the_preferred_response_to_every_row() {
    let base = open("llama_tied");
    let batch = examples(&base, &pairs(4, 6), true);
    let with = |nll_weight: f64| {
        let objective = ObjectiveConfig {
            nll_weight,
            ..Default::default()
        };
        let users = users(INDIVIDUAL, 2, base.d_model(), RowInit::Normal { std: 0.3 });
        let learner = learner(fresh("llama_tied"), Some(users), &objective, 3);
        report(&learner, &batch).rows
    };
    for (plain, more) in with(0.0).into_iter().zip(with(0.5)) {
        let tokens = batch[plain.example].pair().chosen.len() as f32;
        let expected = plain.row.loss - 0.5 * plain.row.logp_chosen / tokens;
        assert!((more.row.loss - expected).abs() < 1e-4, "{more:?}");
    }
}

#[test]
fn at_alpha_0_and_1_only_one_branch_is_computed() {
    let base = open("llama_tied");
    let batch = examples(&base, &pairs(4, 6), true);
    for (alpha, only) in [(0.0, Branch::Generic), (1.0, Branch::User)] {
        for kind in KINDS {
            let users = users(kind, 2, base.d_model(), RowInit::Normal { std: 0.3 });
            let learner = learner(fresh("llama_tied"), Some(users), &objective(alpha), 4);
            let report = report(&learner, &batch);
            assert_eq!(report.rows.len(), batch.len());
            assert!(report.rows.iter().all(|row| row.branch == only));
        }
    }
}

#[test]
fn the_mix_is_linear_in_alpha() {
    let base = open("llama_tied");
    let batch = examples(&base, &pairs(5, 6), true);
    let loss = |alpha| {
        let users = users(INDIVIDUAL, 2, base.d_model(), RowInit::Normal { std: 0.3 });
        let model = with_random_adapters(base.clone(), 2);
        report(&learner(model, Some(users), &objective(alpha), 16), &batch).loss
    };
    let (generic, mixed, user) = (loss(0.0), loss(0.25), loss(1.0));
    assert!((generic - user).abs() > 1e-3);
    assert!((mixed - (0.75 * generic + 0.25 * user)).abs() < 1e-6);
}

#[test]
fn vanilla_dpo_is_p_dpo_without_soft_tokens() {
    let base = open("llama_tied");
    let model = || with_random_adapters(base.clone(), 3);
    let vanilla = learner(model(), None, &objective(0.5), 4);
    let none = users(INDIVIDUAL, 0, base.d_model(), RowInit::Zero);
    let personal = learner(model(), Some(none), &objective(0.5), 4);
    let generic = examples(&base, &pairs(6, 7), false);
    let known = examples(&base, &pairs(6, 7), true);
    let (a, b) = (report(&vanilla, &generic), report(&personal, &known));
    assert_eq!((a.rows.len(), b.rows.len()), (7, 14));
    assert!((a.loss - b.loss).abs() < 1e-6);
    let largest = difference(
        &gradients(&vanilla, &generic),
        &gradients(&personal, &known),
    );
    assert!(largest < 1e-5, "{largest}");
}

#[test]
fn what_several_people_judged_is_scored_as_if_it_were_alone() {
    let learner = learner_on(&support::device(), "llama");
    let batch = examples(&open("llama"), &pairs(3, 4), true);
    let other = |change: fn(&mut Example, &Example)| {
        let mut other = batch[0].clone();
        change(&mut other, &batch[1]);
        other
    };
    let mut all = batch.clone();
    all.push(batch[0].clone());
    all.push(other(|it, next| it.user = next.user.clone()));
    all.push(support::changed(&batch[0], |item| {
        item.reference = batch[1].item.reference.clone();
    }));
    all.push(support::changed(&batch[0], |item| {
        std::mem::swap(&mut item.pair.chosen, &mut item.pair.rejected)
    }));
    for table in [learner.table.as_ref(), None] {
        // Without a user model the policy has no soft tokens.
        let policy = match table {
            Some(_) => learner.policy.clone(),
            None => Policy::plain(learner.policy.model.clone()),
        };
        let score = |examples: &[Example]| {
            let found = eval::evaluate(&learner.task, &policy, table, examples, 3, &Quiet);
            found.expect("known users")
        };
        let together = score(&all);
        assert_eq!(together.len(), all.len());
        assert_eq!(together[4], together[0]);
        assert_eq!(together[5] == together[0], table.is_none());
        for (example, found) in all.iter().zip(together) {
            let alone = &score(std::slice::from_ref(example))[0];
            let pairs = [
                (found.reward_chosen, alone.reward_chosen),
                (found.reward_rejected, alone.reward_rejected),
                (found.loss, alone.loss),
            ];
            for (found, alone) in pairs {
                assert!((found - alone).abs() <= 1e-5, "{found} {alone}");
            }
        }
    }
}

#[test]
fn validation_loss_is_training_loss_on_the_same_rows_for_every_loss() {
    let base = open("llama_tied");
    let batch = examples(&base, &pairs(9, 7), true);
    for (alpha, micro_rows) in [(1.0, 3), (0.4, 16)] {
        for objective in losses::every_objective(alpha) {
            if matches!(
                objective.loss,
                PreferenceLoss::Aot(_) | PreferenceLoss::AotUnpaired(_)
            ) {
                continue; // What it is depends on the company.
            }
            let users = users(INDIVIDUAL, 3, base.d_model(), RowInit::Normal { std: 0.3 });
            let model = with_random_adapters(base.clone(), 8);
            let learner = learner(model, Some(users), &objective, micro_rows);
            let (policy, table) = (&learner.policy, learner.table.as_ref());
            let validated = eval::evaluate(&learner.task, policy, table, &batch, 2, &Quiet);
            let validated = validated.expect("known users");
            let report = report(&learner, &batch);
            for trained in report.one_row_each() {
                let found = &validated[trained.example];
                // Products of more rows may be summed up in another order, which the square of large sums shows.
                let bound = match objective.loss {
                    PreferenceLoss::SppoHard(_) => 5e-5,
                    _ => 1e-5,
                };
                let close = |a: f32, b: f32| (a - b).abs() <= bound * (1.0 + b.abs());
                let (a, b) = (found.loss, trained.row.loss);
                assert!(close(a, b), "{objective:?}: {a} {b}");
                for (found, trained) in found.parts.iter().zip(&trained.row.parts) {
                    assert_eq!(found.0, trained.0);
                    assert!(close(found.1, trained.1), "{objective:?}: {}", found.0);
                }
                assert_eq!(found.parts.len(), trained.row.parts.len());
            }
            if alpha == 1.0 {
                let mean = learner.task.mean_loss(&validated);
                let difference = (mean - report.loss).abs();
                assert!(
                    difference < 1e-5 * (1.0 + mean.abs()),
                    "{objective:?}: {difference}"
                );
            }
        }
    }
}

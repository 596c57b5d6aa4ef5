//! Remark F.1: with alpha 1 and the uniform user model, the personalised reward model is the vanilla one, by an empty soft prompt or
//! by a vector that all share.

use burn::module::Module;
use trainer::config::{Head, TrainingSection};
use trainer::learner::Learner;
use trainer::policy::Policy;
use trainer::schedule::Schedule;
use trainer::task::Reward;
use user_model::{Init, RowInit, UserModelConfig, UserModelKind, UserTable};

use super::{shared, support, task};
use support::{INDIVIDUAL, USERS, device, largest_difference, open, unreferenced, values};

const STEPS: usize = 6;

fn training() -> TrainingSection {
    TrainingSection {
        learning_rate: 1e-2,
        max_grad_norm: 0.0, // The head is of another group where it is a user's.
        warmup_steps: 0,
        ..Default::default()
    }
}

/// A fresh reward model without users, or with these, which begin at zero.
fn fresh(alpha: f64, head: Head, users: Option<(UserModelKind, usize)>) -> Learner<Reward> {
    let base = open("llama");
    let users = users.map(|(kind, tokens)| {
        let config = UserModelConfig::new(kind, tokens, base.d_model())
            .with_shared_init(Init::Zeros)
            .with_row_init(RowInit::Zero);
        let model = config.init(None, &device()).expect("good settings");
        let mut table = UserTable::new(config).expect("good settings");
        for user in USERS {
            table.add(user);
        }
        (model, table)
    });
    let (users, table) = users.unzip();
    let task = task(alpha, 0.01, users.is_some());
    let model = base.with_lora(&support::lora(), 4).expect("LoRA");
    let policy = Policy::new(model, users).with_head(head);
    Learner::new(task, policy, table, &training()).expect("good settings")
}

/// What a few steps make of it: losses, adapters, head.
fn trained(mut learner: Learner<Reward>) -> (Vec<f64>, Vec<f32>, Vec<f32>) {
    let has_users = learner.table.is_some();
    let batches = unreferenced(&support::pairs(6, 4 * STEPS), has_users);
    let mut schedule = Schedule::new(&training(), STEPS, 0).expect("a schedule");
    let losses = batches.chunks(4).map(|batch| {
        let step = learner.step(batch, &schedule.next());
        step.expect("known users").loss
    });
    let losses: Vec<f64> = losses.collect();
    let policy = learner.policy.valid();
    let adapters = policy.model.adapter_tensors().into_iter();
    let adapters = adapters.flat_map(|(_, _, numbers)| numbers).collect();
    (losses, adapters, shared(&policy))
}

fn assert_vanilla(what: &str, personalised: Learner<Reward>) {
    let (losses, adapters, head) = trained(fresh(0.5, Head::Scalar, None));
    let (found, found_adapters, found_head) = trained(personalised);
    for (step, (expected, found)) in losses.iter().zip(&found).enumerate() {
        assert!(
            (expected - found).abs() < 1e-5,
            "{what}, step {step}: {expected} {found}"
        );
    }
    assert!(
        (losses[0] - losses[STEPS - 1]).abs() > 1e-3,
        "something is learnt"
    );
    assert!(head.iter().any(|weight| weight.abs() > 1e-2));
    for (name, expected, found) in [
        ("adapters", &adapters, &found_adapters),
        ("head", &head, &found_head),
    ] {
        let apart = largest_difference(expected, found);
        assert!(apart < 1e-4, "{what}, {name}: {apart}");
    }
}

#[test]
fn uniform_users_with_an_empty_soft_prompt_are_the_vanilla_reward_model() {
    let users = Some((UserModelKind::Uniform, 0));
    assert_vanilla("an empty tensor", fresh(1.0, Head::Scalar, users));
}

#[test]
fn uniform_users_whose_shared_vector_is_the_head_are_the_vanilla_reward_model() {
    let users = Some((UserModelKind::Uniform, 1));
    assert_vanilla("a shared vector", fresh(1.0, Head::User, users));
}

#[test]
fn without_the_users_own_term_their_shared_vector_is_the_vanilla_head() {
    let users = Some((INDIVIDUAL, 1));
    let learner = fresh(0.0, Head::User, users);
    assert_vanilla("alpha 0", learner);
}

#[test]
fn a_user_s_vector_is_the_shared_one_and_an_offset() {
    let learner = fresh(0.5, Head::User, Some((INDIVIDUAL, 1)));
    let users = learner.policy.users.as_ref().expect("users");
    let mut table = learner.table.clone().expect("users");
    let anna = user_model::UserRef::id(USERS[0]);
    let d = users.config().d_model;
    table.set_row(&anna, vec![0.5; d]).expect("a row");
    let rows = table.batch(&[anna, user_model::UserRef::Generic], &device());
    let heads = values(users.soft_prompt(&rows.expect("known users")));
    assert_eq!(heads[..d], vec![0.5; d]); // e_0 is zero here.
    assert_eq!(heads[d..], vec![0.0; d]);
}

//! The reward model: what a response is worth, what is minimised, and what it is where users have nothing of their own.
#![allow(clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod reductions;
mod runs;

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use llm_backbone::{ModelInput, Prefix, soft_prompt};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::{FAMILIES, INDIVIDUAL, USERS, device, difference, open, unreferenced, users, values};
use trainer::TrainError;
use trainer::config::{Checkpointing, Head, RewardSection, TrainingSection};
use trainer::eval::evaluate;
use trainer::example::Example;
use trainer::head::RewardHead;
use trainer::learner::Learner;
use trainer::pdpo_loss::{Branch, ObjectiveConfig, ScoredRow};
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::schedule::Schedule;
use trainer::task::{Reward, Task};
use trainer::tokenise::TokenizedPair;
use user_model::{RowInit, UserModelKind, UserRef, UserTable};

fn objective(alpha: f64) -> ObjectiveConfig {
    ObjectiveConfig {
        alpha,
        ..ObjectiveConfig::default()
    }
}

/// The task with both branches where there are users.
fn task(alpha: f64, center: f64, has_users: bool) -> Reward {
    let section = RewardSection {
        center_rewards_coefficient: center,
        ..RewardSection::default()
    };
    Reward::new(&section, &objective(alpha), has_users).expect("good settings")
}

/// Random numbers for a shared head.
fn random_head(d_model: usize) -> RewardHead {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let weights = (0..d_model).map(|_| rng.random_range(-0.5..0.5)).collect();
    RewardHead::of(weights, &device())
}

/// A reward model with random adapters, a random head and random users.
fn policy(name: &str, head: Head, kind: Option<UserModelKind>) -> (Policy, Option<UserTable>) {
    let model = support::with_random_adapters(open(name), 5);
    let (d_model, tokens) = match head {
        Head::Scalar => (model.d_model(), 3),
        Head::User => (model.d_model(), 1),
    };
    let users = kind.map(|kind| users(kind, tokens, d_model, RowInit::Normal { std: 0.3 }));
    let (users, table) = users.unzip();
    let head = match head {
        Head::Scalar => random_head(d_model),
        Head::User => RewardHead::new(head, d_model, &device()),
    };
    let policy = Policy {
        head: Some(head),
        ..Policy::new(model, users)
    };
    (policy, table)
}

/// Comparisons of three users and of the generic one, in turn.
fn examples(count: usize, has_users: bool) -> Vec<Example> {
    let mut examples = unreferenced(&support::pairs(3, count), has_users);
    for example in examples.iter_mut().skip(3).step_by(4) {
        example.user = UserRef::Generic;
    }
    examples
}

fn scored(
    task: &Reward,
    (policy, table): &(Policy, Option<UserTable>),
    examples: &[Example],
) -> Vec<ScoredRow> {
    evaluate(task, policy, table.as_ref(), examples, 4, &Quiet).expect("known users")
}

/// The reward of one response: one sequence without padding, plain causal attention, and the product with the head on the host.
fn alone(
    policy: &Policy,
    table: Option<&UserTable>,
    user: &UserRef,
    pair: &TokenizedPair,
    response: &[u32],
) -> f64 {
    let policy = policy.valid();
    let (model, device) = (&policy.model, policy.model.device());
    let of_user = policy.users.as_ref().zip(table).map(|(users, table)| {
        let rows = table.batch(std::slice::from_ref(user), &device);
        users.soft_prompt(&rows.expect("a known user"))
    });
    let head = policy.head.as_ref().expect("a head");
    let ids = [&pair.prompt.ids[..], response].concat();
    let ids: Vec<i32> = ids.into_iter().map(|id| id as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [1, ids.len()]), &device);
    let mut embeddings = model.embed(ids);
    let mut prefix = None;
    match (head.kind(), policy.places().prefix) {
        (Head::User, _) => {}
        (Head::Scalar, 0) => {
            if let Some(soft) = of_user.clone() {
                embeddings = soft_prompt::insert(embeddings, soft, &[pair.prompt.soft_at]);
            }
        }
        (Head::Scalar, _) => prefix = of_user.clone().map(Prefix::new),
    }
    let [_, seq, d] = embeddings.dims();
    let first = prefix.as_ref().map_or(0, Prefix::tokens);
    let positions: Vec<i32> = (first..first + seq).map(|i| i as i32).collect();
    let visible: Vec<bool> = (0..seq * seq).map(|at| at % seq <= at / seq).collect();
    let states = model.forward(ModelInput {
        embeddings,
        positions: Tensor::from_data(TensorData::new(positions, [1, seq]), &device),
        visible: Tensor::<4, Bool>::from_data(TensorData::new(visible, [1, 1, seq, seq]), &device),
        prefix: prefix.as_ref(),
        cache: None,
    });
    let last = values(states.narrow(1, seq - 1, 1));
    let head: Vec<f32> = match head.kind() {
        Head::Scalar => shared(&policy),
        Head::User => values(of_user.expect("users")),
    };
    assert_eq!((last.len(), head.len()), (d, d));
    let product = |(a, b): (&f32, &f32)| f64::from(*a) * f64::from(*b);
    last.iter().zip(&head).map(product).sum()
}

/// The numbers of the shared head, or of the only tensor that users share.
fn shared(policy: &Policy) -> Vec<f32> {
    let mut found = Vec::new();
    struct Numbers<'a>(&'a mut Vec<f32>);
    impl burn::module::ModuleVisitor for Numbers<'_> {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            self.0.extend(values(param.val()));
        }
    }
    match policy.head.as_ref().map(RewardHead::kind) {
        Some(Head::Scalar) => policy.head.visit(&mut Numbers(&mut found)),
        _ => policy.users.visit(&mut Numbers(&mut found)),
    }
    found
}

#[test]
fn a_packed_reward_is_that_of_the_response_alone_read_to_its_end() {
    let mut largest = 0f64;
    for name in FAMILIES {
        let prefix = support::prefix_of(&open(name));
        let cluster = UserModelKind::Cluster { clusters: 4 };
        for (head, kind) in [
            (Head::Scalar, None),
            (Head::Scalar, Some(INDIVIDUAL)),
            (Head::Scalar, Some(prefix)),
            (Head::User, Some(INDIVIDUAL)),
            (Head::User, Some(cluster)),
            (Head::User, Some(UserModelKind::Uniform)),
        ] {
            let trained = policy(name, head, kind);
            let examples = examples(9, kind.is_some());
            let found = scored(&task(0.5, 0.0, kind.is_some()), &trained, &examples);
            let mut rewards = Vec::new();
            for (example, row) in examples.iter().zip(&found) {
                let (pair, user) = (example.pair(), &example.user);
                for (response, found) in [
                    (&pair.chosen, row.reward_chosen),
                    (&pair.rejected, row.reward_rejected),
                ] {
                    let expected = alone(&trained.0, trained.1.as_ref(), user, pair, response);
                    largest = largest.max((f64::from(found) - expected).abs());
                    rewards.push(found);
                }
            }
            assert!(largest <= 1e-4, "{name}, {head:?}, {kind:?}: {largest}");
            let spread = rewards
                .iter()
                .fold(0f32, |most, r| most.max((r - rewards[0]).abs()));
            assert!(spread > 0.1, "{name}: rewards differ");
        }
    }
    eprintln!("packed and alone differ by at most {largest:e}");
}

#[test]
fn users_differ_and_the_generic_user_is_one_of_them() {
    for (head, kind) in [(Head::Scalar, INDIVIDUAL), (Head::User, INDIVIDUAL)] {
        let trained = policy("llama", head, Some(kind));
        let pair = support::pairs(3, 1);
        let mut same = unreferenced(&[pair[0].clone(), pair[0].clone()], true);
        same[1].user = UserRef::Generic;
        let rows = scored(&task(0.5, 0.0, true), &trained, &same);
        let apart = (rows[0].reward_chosen - rows[1].reward_chosen).abs();
        assert!(apart > 1e-2, "{head:?}: {apart}");
    }
}

#[test]
fn a_head_of_zeros_costs_the_logarithm_of_two() {
    let base = || open("llama_tied");
    let scalar = Policy::plain(base().with_lora(&support::lora(), 1).expect("LoRA"));
    let users = trainer::config::UsersSection {
        user_tokens: 1,
        init: user_model::Init::Zeros,
        ..Default::default()
    };
    let of_users = Policy::start(base(), &support::lora(), Some(&users), 3, 1);
    let (of_users, mut table) = of_users.expect("good settings");
    let known = table.as_mut().expect("users");
    for user in USERS {
        known.add(user);
    }
    for (policy, table, head) in [(scalar, None, Head::Scalar), (of_users, table, Head::User)] {
        let has_users = table.is_some();
        let training = TrainingSection::default();
        let task = task(0.5, 0.0, has_users);
        let learner = Learner::new(task, policy.with_head(head), table, &training);
        let learner = learner.expect("good settings");
        let batch = unreferenced(&support::pairs(3, 4), has_users);
        let (gradients, report) = learner.gradients(&batch).expect("known users");
        assert!(
            (report.loss - std::f64::consts::LN_2).abs() < 1e-6,
            "{}",
            report.loss
        );
        assert!(report.rows.iter().all(|row| !row.row.correct()));
        // The head moves, and users' vectors where they are it.
        let norms = gradients.norms(&learner.policy);
        match head {
            Head::Scalar => assert!(norms.model > 1e-3 && norms.users.is_none()),
            Head::User => assert!(norms.users.is_some_and(|norm| norm > 1e-3)),
        }
    }
}

#[test]
fn a_row_s_loss_is_that_of_its_rewards() {
    let trained = policy("qwen3", Head::Scalar, Some(INDIVIDUAL));
    let examples = examples(6, true);
    for row in scored(&task(0.5, 0.1, true), &trained, &examples) {
        let (chosen, rejected) = (f64::from(row.reward_chosen), f64::from(row.reward_rejected));
        let preference = (rejected - chosen).exp().ln_1p();
        let expected = preference + 0.1 * (chosen + rejected).powi(2);
        assert!((f64::from(row.loss) - expected).abs() < 1e-5, "{row:?}");
    }
}

/// A learner of a reward model whose every weight has a gradient.
fn learner(head: Head, kind: UserModelKind, training: &TrainingSection) -> Learner<Reward> {
    let (policy, table) = policy("llama_tied", head, Some(kind));
    Learner::new(task(0.3, 0.05, true), policy, table, training).expect("good settings")
}

#[test]
fn gradients_do_not_depend_on_micro_batches_or_on_how_blocks_are_kept() {
    let batch = unreferenced(&support::pairs(8, 8), true);
    let cluster = UserModelKind::Cluster { clusters: 3 };
    let prefix = support::prefix_of(&open("llama_tied"));
    for (head, kind) in [
        (Head::Scalar, INDIVIDUAL),
        (Head::Scalar, prefix),
        (Head::User, INDIVIDUAL),
        (Head::User, cluster),
        (Head::User, UserModelKind::Uniform),
    ] {
        let with = |micro_rows, gradient_checkpointing| {
            let training = TrainingSection {
                micro_rows,
                gradient_checkpointing,
                ..Default::default()
            };
            support::gradients(&learner(head, kind, &training), &batch)
        };
        let whole = with(16, Checkpointing::None);
        for (what, other) in [
            ("one row at a time", with(1, Checkpointing::None)),
            ("blocks", with(16, Checkpointing::Blocks)),
        ] {
            let apart = difference(&whole, &other);
            assert!(apart < 1e-4, "{head:?}, {kind:?}, {what}: {apart}");
        }
    }
}

#[test]
fn a_batch_is_the_mix_of_both_branches() {
    let batch = unreferenced(&support::pairs(8, 4), true);
    let learner = learner(Head::User, INDIVIDUAL, &TrainingSection::default());
    let (_, report) = learner.gradients(&batch).expect("known users");
    let mean = |branch| {
        let rows = report.rows.iter().filter(|row| row.branch == branch);
        rows.map(|row| f64::from(row.row.loss)).sum::<f64>() / 4.0
    };
    let expected = 0.3 * mean(Branch::User) + 0.7 * mean(Branch::Generic);
    assert!((report.loss - expected).abs() < 1e-5);
    assert_eq!(learner.task.branches(), [Branch::User, Branch::Generic]);
}

#[test]
fn a_shared_head_may_have_a_rate_of_its_own() {
    let section = RewardSection {
        learning_rate: 0.25,
        ..RewardSection::default()
    };
    let training = TrainingSection {
        learning_rate: 1e-3,
        warmup_steps: 0,
        ..TrainingSection::default()
    };
    let task = Reward::new(&section, &objective(0.0), false).expect("good settings");
    let (policy, _) = policy("llama", Head::Scalar, None);
    let numbers = |policy: &Policy| -> [Vec<f32>; 2] {
        let policy = policy.valid();
        let adapters = policy.model.adapter_tensors().into_iter();
        let adapters = adapters.flat_map(|(_, _, numbers)| numbers);
        [shared(&policy), adapters.collect()]
    };
    let before = numbers(&policy);
    let mut learner = Learner::new(task, policy, None, &training).expect("good settings");
    let adapted = (&learner.policy.model, &support::lora());
    let schedule = Schedule::with_lora(&training, adapted, learner.task.head_rate(), (10, 0));
    let rates = schedule.expect("rates").next();
    let batch = unreferenced(&support::pairs(3, 4), false);
    learner.step(&batch, &rates).expect("a batch");
    let after = numbers(&learner.policy);
    // Adam's first step moves a weight by its rate.
    for (of, rate) in [(0, 0.25), (1, 1e-3)] {
        let moved = support::largest_difference(&before[of], &after[of]);
        assert!((moved / rate - 1.0).abs() < 1e-2, "{of}: {moved}");
    }
}

#[test]
fn a_policy_without_a_head_rewards_nothing() {
    let policy = Policy::plain(open("llama"));
    let examples = unreferenced(&support::pairs(1, 1), false);
    let found = evaluate(&task(0.5, 0.0, false), &policy, None, &examples, 4, &Quiet);
    assert!(matches!(found, Err(TrainError::NoHead)));
}

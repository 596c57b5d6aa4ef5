//! Comparisons of one prompt and one user share a row; nothing that is learnt changes.

use pdpo_loss::ObjectiveConfig;
use trainer::config::{Head, RewardSection};
use trainer::eval;
use trainer::example::Example;
use trainer::head::RewardHead;
use trainer::learner::Learner;
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::task::{Reward, Task};
use trainer::tokenise::TokenizedPair;
use user_model::{RowInit, UserModelKind};

use crate::support::{
    self, FAMILIES, INDIVIDUAL, difference, examples, gradients, open, pairs, replicated, users,
    with_random_adapters,
};

/// Twelve comparisons of two prompts, and four of prompts of their own: of the three users (every third comparison is of the same one)
/// each has two of each prompt. Some have a response in common.
fn with_shared_prompts() -> Vec<TokenizedPair> {
    let mut pairs = pairs(3, 16);
    for i in 0..12 {
        pairs[i].prompt = pairs[i / 6].prompt.clone();
    }
    pairs[3].chosen = pairs[0].rejected.clone();
    pairs[4].rejected = pairs[0].chosen.clone();
    pairs
}

/// The mean of the gradients of each comparison alone is the gradient of all, in fewer tokens.
fn shares<T: Task>(learner: &Learner<T>, batch: &[Example], what: &str) {
    let mut alone = gradients(learner, &batch[..1]);
    for example in &batch[1..] {
        for (name, values) in gradients(learner, std::slice::from_ref(example)) {
            let sums = alone.entry(name).or_insert_with(|| vec![0.0; values.len()]);
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value);
        }
    }
    let size = batch.len() as f32;
    alone
        .values_mut()
        .flatten()
        .for_each(|value| *value /= size);
    let together = gradients(learner, batch);
    let largest = difference(&alone, &together);
    assert!(largest <= 1e-4, "{what}: {largest}");

    let of = |batch: &[Example]| learner.gradients(batch).expect("known users").1.tokens;
    let apart: usize = batch.iter().map(|one| of(std::slice::from_ref(one))).sum();
    assert!(of(batch) < apart, "{what}: {} of {apart} tokens", of(batch));
}

#[test]
fn gradients_are_those_of_rows_apart() {
    for name in FAMILIES {
        let base = open(name);
        for kind in [
            Some(INDIVIDUAL),
            Some(UserModelKind::Cluster { clusters: 3 }),
            Some(support::prefix_of(&base)),
            None,
        ] {
            let normal = RowInit::Normal { std: 0.3 };
            let users = kind.map(|kind| users(kind, 3, base.d_model(), normal));
            let batch = examples(&base, &with_shared_prompts(), kind.is_some());
            let model = with_random_adapters(base.clone(), 8);
            let objective = ObjectiveConfig {
                alpha: 0.3,
                ..Default::default()
            };
            let learner = replicated(model, users, &objective, 16, 2);
            shares(&learner, &batch, &format!("{name}, {kind:?}"));
        }
    }
}

#[test]
fn a_users_own_head_judges_the_users_responses_alone() {
    let base = open("llama_tied");
    let batch = examples(&base, &with_shared_prompts(), true);
    for (head, user_tokens) in [(Head::Scalar, 3), (Head::User, 1)] {
        let normal = RowInit::Normal { std: 0.3 };
        let (users, table) = users(INDIVIDUAL, user_tokens, base.d_model(), normal);
        let section = RewardSection {
            head,
            ..Default::default()
        };
        let objective = ObjectiveConfig::default();
        let task = Reward::new(&section, &objective, true).expect("good settings");
        let mut policy =
            Policy::new(with_random_adapters(base.clone(), 8), Some(users)).with_head(head);
        if head == Head::Scalar {
            policy.head = Some(RewardHead::of(
                vec![0.3; base.d_model()],
                &support::device(),
            ));
        }
        let training = trainer::config::TrainingSection {
            micro_rows: 32,
            ..Default::default()
        };
        let learner = Learner::new(task, policy, Some(table), &training).expect("good settings");
        shares(&learner, &batch, &format!("{head:?}"));
    }
}

#[test]
fn evaluation_says_of_each_comparison_what_it_says_of_it_alone() {
    let base = open("llama_tied");
    for known in [false, true] {
        let batch = examples(&base, &with_shared_prompts(), known);
        let normal = RowInit::Normal { std: 0.3 };
        let users = known.then(|| users(INDIVIDUAL, 3, base.d_model(), normal));
        let model = with_random_adapters(base.clone(), 8);
        let learner = replicated(model, users, &ObjectiveConfig::default(), 16, 2);
        let of = |batch: &[Example]| {
            let table = learner.table.as_ref();
            eval::evaluate(&learner.task, &learner.policy, table, batch, 16, &Quiet)
                .expect("known users")
        };
        for (example, together) in batch.iter().zip(of(&batch)) {
            let [alone] = &of(std::slice::from_ref(example))[..] else {
                panic!("one report of one comparison");
            };
            for (found, expected) in [
                (together.logp_chosen, alone.logp_chosen),
                (together.logp_rejected, alone.logp_rejected),
                (together.loss, alone.loss),
            ] {
                assert!(
                    (found - expected).abs() <= 1e-4,
                    "{found}, alone {expected}"
                );
            }
        }
    }
}

//! The probability that a response ends at once, beside the logits of `transformers` and beside a response's own log-prob.

mod support;

use burn::module::Module;
use serde_json::Value;
use support::run::{World, metrics};
use support::{USERS, model_fixture, open, values};
use trainer::endings::Endings;
use trainer::pack::PackedBatch;
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};
use user_model::UserRef;

const STOPS: [u32; 2] = [1, 5];

fn prompt(ids: Vec<u32>) -> TokenizedPrompt {
    TokenizedPrompt {
        ids,
        soft_at: 0,
        cut: false,
        user_text_cut: false,
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|n| n.as_f64().expect("a number")).collect()
}

#[test]
fn it_is_the_softmax_of_transformers_logits_at_the_prompts_last_token() {
    let text = std::fs::read_to_string(model_fixture("llama_tied").join("expected.json"));
    let expected: Value = serde_json::from_str(&text.expect("the fixture")).expect("JSON");
    let rows = expected["input_ids"].as_array().expect("rows").len();
    let (mut prompts, mut mean) = (Vec::new(), 0.0);
    for row in 0..rows {
        let ids = numbers(&expected["input_ids"][row]);
        prompts.push(prompt(ids.iter().map(|&id| id as u32).collect()));
        let logits = numbers(&expected["logits"][row][ids.len() - 1]);
        let all: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let ends = STOPS.map(|id| logits[id as usize].exp());
        mean += ends.iter().sum::<f64>() / all / rows as f64;
    }
    let endings = Endings {
        prompts,
        users: vec!["a".into()],
        stop_ids: STOPS.to_vec(),
    };
    let policy = Policy::plain(open("llama_tied"));
    let found = endings.measure(&policy, None, 1, &Quiet).expect("endings");
    // A policy without users has a generic one alone.
    assert_eq!(found.len(), 1);
    assert!(
        (found[""] - mean).abs() < 1e-6,
        "{} is not {mean}",
        found[""]
    );
}

/// What scoring says of a response that is one token.
fn alone(
    policy: &Policy,
    table: &user_model::UserTable,
    user: &str,
    prompt: &TokenizedPrompt,
) -> f64 {
    let device = policy.model.device();
    let of = |stop: u32| {
        let pair = TokenizedPair {
            prompt: prompt.clone(),
            chosen: vec![stop],
            rejected: vec![stop],
            response_cut: false,
        };
        let packed = PackedBatch::new(&[&pair], policy.places().soft);
        let user = match user {
            "" => UserRef::Generic,
            id => UserRef::id(id),
        };
        let rows = table.batch(&[user], &device).expect("a known user");
        let found = policy.response_log_probs(&packed, &packed.to_device(&device), Some(&rows));
        f64::from(values(found.chosen)[0]).exp()
    };
    STOPS.map(of).iter().sum()
}

#[test]
fn every_validation_tells_it_of_every_user_also_of_a_run_that_was_stopped() {
    let world = World::new();
    let endings = Endings {
        prompts: world.validation[..2]
            .iter()
            .map(|e| e.pair().prompt.clone())
            .collect(),
        users: USERS.map(String::from).to_vec(),
        stop_ids: STOPS.to_vec(),
    };
    let told = |dir: &std::path::Path| -> Vec<Value> {
        let lines = metrics(dir).into_iter();
        let validations = lines.filter(|line| line["split"] == "validation");
        validations
            .map(|line| line["ends_at_once_by_user"].clone())
            .collect()
    };
    let whole = tempfile::tempdir().expect("a folder");
    let session = world.session(whole.path(), false).expect("a session");
    session
        .with_endings(endings.clone())
        .run(&mut Quiet)
        .expect("a run");
    let expected = told(whole.path());
    assert_eq!(expected.len(), 3);

    let stopped = tempfile::tempdir().expect("a folder");
    let session = world.session(stopped.path(), false).expect("a session");
    let mut monitor = support::run::StopAfter::steps(4);
    assert!(
        session
            .with_endings(endings.clone())
            .run(&mut monitor)
            .is_err()
    );
    let session = world.session(stopped.path(), true).expect("a session");
    let outcome = session
        .with_endings(endings.clone())
        .run(&mut Quiet)
        .expect("a run");
    assert_eq!(told(stopped.path()), expected);

    // The adapters kept are those of one of the validations.
    let (policy, table) = (outcome.policy.valid(), outcome.table.expect("users"));
    let step = outcome.state.best.expect("a best step").step;
    let best = &expected[[3, 6, 8]
        .iter()
        .position(|&at| at == step)
        .expect("a validation")];
    for user in ["", USERS[0], USERS[1]] {
        let each = endings
            .prompts
            .iter()
            .map(|prompt| alone(&policy, &table, user, prompt));
        let mean = each.sum::<f64>() / endings.prompts.len() as f64;
        let found = best[user].as_f64().expect("a number");
        assert!(
            (found - mean).abs() < 1e-5 * mean,
            "{user}: {found} is not {mean}"
        );
    }
}

//! A whole run beside what torch makes of the same start: adapters, what users share, and users' rows, over two epochs.

use serde_json::{Value, json};
use trainer::config::Clip;
use trainer::policy::Policy;
use user_model::{UserModel, UserRef};

use super::support::run::{STEPS, World, metrics};
use super::support::torch::{NamedTensor, Weights, assert_near, clips_some, json as read, list};
use super::support::{USERS, changed, fixture, values};

/// A world that clips some of its steps. Metrics tell the number of every comparison, as if each had a user of its own.
fn world() -> World {
    let mut world = World::new();
    world.training.eval_every = 0;
    world.training.max_grad_norm = 0.5;
    world.training.clip = Clip::Together;
    let all = world.train.iter_mut().chain(&mut world.validation);
    for (number, example) in all.enumerate() {
        *example = changed(example, |item| item.user = Some(number.to_string()));
    }
    world
}

/// The numbers of the comparisons of every training step, sorted.
fn batches(lines: &[Value]) -> Vec<Vec<usize>> {
    let batch = |line: &Value| {
        let users = line["comparisons_by_user"].as_object().expect("users");
        let mut numbers: Vec<usize> = users.keys().map(|n| n.parse().expect("a number")).collect();
        numbers.sort_unstable();
        numbers
    };
    let train = lines.iter().filter(|line| line["split"] == "train");
    train.map(batch).collect()
}

/// What torch is told of a run, apart from its first weights.
fn told(world: &World, batches: &[Vec<usize>]) -> Value {
    let some = |all: Value, keys: &[&str]| -> Value {
        let key = |&key: &&str| (key.to_owned(), all[key].clone());
        keys.iter().map(key).collect()
    };
    let all = world.train.iter().chain(&world.validation);
    let comparison = |(i, example): (usize, &trainer::example::Example)| {
        let pair = example.pair();
        assert_eq!(example.user, UserRef::id(USERS[i % USERS.len()]));
        json!({
            "prompt": pair.prompt.ids, "soft_at": pair.prompt.soft_at, "chosen": pair.chosen, "rejected": pair.rejected,
            "user": USERS[i % USERS.len()],
        })
    };
    let comparisons: Vec<Value> = all.enumerate().map(comparison).collect();
    let keys = [
        "learning_rate",
        "users_learning_rate",
        "user_rows_learning_rate",
        "warmup_steps",
        "weight_decay",
        "max_grad_norm",
    ];
    json!({
        "objective": some(json!(world.objective), &["loss", "alpha", "beta"]),
        "training": some(json!(world.training), &keys),
        "validation": (world.train.len()..comparisons.len()).collect::<Vec<_>>(),
        "comparisons": comparisons,
        "batches": batches,
    })
}

/// Adapters and what users share.
fn tensors(policy: &Policy) -> Vec<NamedTensor> {
    let mut tensors = policy.model.adapter_tensors();
    let shared = policy.users.as_ref().and_then(UserModel::shared);
    let shared = shared.expect("a generic user");
    tensors.push(("shared".into(), shared.dims().to_vec(), values(shared)));
    tensors
}

#[test]
fn a_run_is_what_torch_makes_of_the_same_start() {
    let world = world();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let outcome = world.run(dir.path(), false, None).expect("a run");
    let lines = metrics(dir.path());
    assert_eq!(told(&world, &batches(&lines)), read("run/start.json"));
    let (policy, _) = world.start().expect("a policy");
    let start = Weights::open("run/start.safetensors");
    assert_eq!(start.distance("", &tensors(&policy)), 0.0);

    let expected = read("run/expected.json");
    assert!(clips_some(&expected["steps"], world.training.max_grad_norm));
    let train = lines.iter().filter(|line| line["split"] == "train");
    let train: Vec<_> = train.zip(list(&expected["steps"])).collect();
    assert_eq!(train.len(), STEPS);
    for (line, said) in train {
        let found = |key: &str| line[key].as_f64().expect(key);
        assert_near("rate", found("learning_rate"), &said["rates"][0], 1e-9);
        assert_near(
            "users' rate",
            found("users_learning_rate"),
            &said["rates"][1],
            1e-9,
        );
        assert_near("loss", found("loss"), &said["loss"], 1e-5);
        let norm = found("grad_norm").hypot(found("users_grad_norm"));
        assert_near("grad_norm", norm, &said["grad_norm"], 1e-4);
    }
    let validation = lines.last().and_then(|line| line["loss"].as_f64());
    assert_near(
        "validation",
        validation.expect("a loss"),
        &expected["validation_loss"],
        1e-5,
    );

    let mut found = tensors(&outcome.policy);
    let table = outcome.table.expect("users");
    let shape = vec![2, world.base.d_model()];
    for user in USERS {
        let row = table.row(&UserRef::id(user)).expect("a known user");
        found.push((format!("row.{user}"), shape.clone(), row));
    }
    let distance = Weights::open("run/weights.safetensors").distance("", &found);
    eprintln!(
        "a run of {} steps is off torch's weights by {distance:e}",
        lines.len() - 1
    );
    assert!(distance <= 2e-5, "{distance}");
}

/// Writes what `xtask/fixtures/make_fixtures.py run` starts from:
/// `cargo test --release -p trainer --test determinism -- --ignored write_the_start`.
#[test]
#[ignore = "rewrites the start of the fixture run"]
fn write_the_start_of_a_run() {
    let world = world();
    let dir = tempfile::tempdir().expect("a temporary folder");
    world.run(dir.path(), false, None).expect("a run");
    let told = told(&world, &batches(&metrics(dir.path())));
    let fields = told.as_object().expect("an object").iter();
    let fields: Vec<String> = fields
        .map(|(key, value)| format!("\"{key}\": {value}"))
        .collect();
    let to = fixture("run");
    std::fs::create_dir_all(&to).expect("a folder");
    let text = format!("{{\n{}\n}}\n", fields.join(",\n"));
    std::fs::write(to.join("start.json"), text).expect("a file");
    let (policy, _) = world.start().expect("a policy");
    llm_backbone::weights::write_safetensors(to.join("start.safetensors"), tensors(&policy))
        .expect("a file");
}

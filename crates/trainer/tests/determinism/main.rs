//! The same seed gives the same run, the one that torch makes of the same start; and what a run exports means the same to
//! `transformers` and `peft`.
#![allow(clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;
mod torch;

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use llm_backbone::{Model, ModelInput};
use serde_json::Value;
use support::run::{World, assert_same, metrics, traces};
use support::{fixture, model_fixture, open, values};

fn run(world: &World) -> std::collections::BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    world.run(dir.path(), false, None).expect("a run");
    traces(dir.path())
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_bit() {
    for name in ["llama_tied", "gptj"] {
        let world = World::of(name, open(name));
        assert_same(&run(&world), &run(&world), name);
    }
}

/// Per step, how many comparisons of each user were in the batch, and how long they were.
fn order(world: &World) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    world.run(dir.path(), false, None).expect("a run");
    let lines = metrics(dir.path());
    let train = lines.iter().filter(|line| line["split"] == "train");
    train
        .map(|line| line["comparisons_by_user"].to_string())
        .collect()
}

#[test]
fn another_seed_gives_another_order() {
    let mut world = World::new();
    let first = order(&world);
    world.seed += 1;
    assert_ne!(first, order(&world));
}

#[test]
fn another_seed_gives_other_adapters() {
    let mut world = World::new();
    let first = run(&world);
    world.seed += 1;
    let second = run(&world);
    let file = "adapters/adapter_model.safetensors";
    assert_ne!(first[file], second[file]);
}

/// Logits after the last of `ids`, and the log-prob of the ids after the first.
fn describe(model: &Model, ids: &[u32]) -> (Vec<f32>, f32) {
    let (device, seq) = (model.device(), ids.len());
    let numbers: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let positions: Vec<i32> = (0..seq as i32).collect();
    let visible: Vec<bool> = (0..seq)
        .flat_map(|i| (0..seq).map(move |j| j <= i))
        .collect();
    let int =
        |values: Vec<i32>| Tensor::<2, Int>::from_data(TensorData::new(values, [1, seq]), &device);
    let hidden = model.forward(ModelInput {
        embeddings: model.embed(int(numbers.clone())),
        positions: int(positions),
        visible: Tensor::<4, Bool>::from_data(TensorData::new(visible, [1, 1, seq, seq]), &device),
        prefix: None,
        cache: None,
    });
    let states = hidden.reshape([seq, model.d_model()]);
    let logits = values(model.logits(states.clone().narrow(0, seq - 1, 1)));
    let targets = Tensor::from_data(TensorData::new(numbers[1..].to_vec(), [seq - 1]), &device);
    let log_probs = model.log_probs(states.narrow(0, 0, seq - 1), targets);
    (logits, values(log_probs).iter().sum())
}

/// Compares with a line of `check_adapter.py`; returns the largest relative error.
fn compare(model: &Model, expected: &Value) -> f32 {
    let numbers = |key: &str| -> Vec<f64> {
        let list = expected[key].as_array().expect(key);
        list.iter().map(|n| n.as_f64().expect(key)).collect()
    };
    let input: Vec<u32> = numbers("input_ids").iter().map(|&id| id as u32).collect();
    let (logits, log_prob) = describe(model, &input);
    let largest = logits.iter().fold(0f32, |m, v| m.max(v.abs()));
    let wanted = expected["log_prob"].as_f64().expect("a number") as f32;
    let mut error = (log_prob / wanted - 1.0).abs();
    for (id, logit) in numbers("ids").into_iter().zip(numbers("logits")) {
        error = error.max((logits[id as usize] - logit as f32).abs() / largest);
    }
    error
}

/// The world whose first two steps made the fixture `exported_adapter`.
fn gguf_world() -> World {
    let path = model_fixture("llama_gguf/model.gguf");
    let base = Model::open(&path, &support::device()).expect("the fixture");
    let mut world = World::of("llm-backbone/tests/fixtures/llama_gguf/model.gguf", base);
    world.training.max_steps = 2;
    world
}

#[test]
fn adapters_trained_on_a_gguf_file_mean_the_same_to_transformers_and_peft() {
    let dir = fixture("exported_adapter");
    let text = std::fs::read_to_string(dir.join("expected.json")).expect("the fixture");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let base = gguf_world().base.valid();
    let (model, _) = base.clone().with_adapters(&dir).expect("the adapter");
    let sequences = expected["sequences"].as_array().expect("sequences");
    let mut largest = 0f32;
    for sequence in sequences {
        largest = largest.max(compare(&model, sequence));
        assert!(compare(&base, sequence) > 1e-2, "the adapter matters");
    }
    eprintln!("adapter trained on GGUF against transformers + peft: relative error {largest:e}");
    assert!(!sequences.is_empty() && largest <= 1e-3, "{largest}");
}

/// The committed adapter is what training gives today: two steps of the same run, within the rounding of another machine.
#[test]
fn the_exported_adapter_is_what_two_steps_of_training_give() {
    let world = gguf_world();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let trained = world
        .run(dir.path(), false, None)
        .expect("a run")
        .policy
        .model;
    let (committed, _) = world
        .base
        .clone()
        .with_adapters(&fixture("exported_adapter"))
        .expect("the adapter");
    for ((name, shape, found), (expected_name, expected_shape, expected)) in trained
        .adapter_tensors()
        .into_iter()
        .zip(committed.adapter_tensors())
    {
        assert_eq!((&name, shape), (&expected_name, expected_shape));
        // Adam's first steps are near the learning rate whatever the gradient, so tiny gradients may fall either way.
        let far = found
            .iter()
            .zip(&expected)
            .filter(|(a, b)| (*a - *b).abs() > 1e-3);
        assert!(far.count() * 20 <= expected.len(), "{name}");
    }
}

/// Writes adapters for `xtask/fixtures/make_fixtures.py exported`, which adds what `transformers` and `peft` make of them:
/// `cargo test --release -p trainer --test determinism -- --ignored`.
#[test]
#[ignore = "rewrites the fixture exported_adapter"]
fn write_the_exported_adapter() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    gguf_world().run(dir.path(), false, None).expect("a run");
    let to = fixture("exported_adapter");
    std::fs::create_dir_all(&to).expect("a folder");
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(dir.path().join("adapters").join(name), to.join(name)).expect("a file");
    }
}

/// The same with SmolLM2, into the folder that `P_RLHF_TEST_EXPORT` names, for a comparison by hand.
#[test]
#[ignore = "for a comparison by hand with xtask/fixtures/check_adapter.py"]
fn write_an_adapter_of_smollm2() {
    let (Some(path), Some(to)) = (support::smollm2(), std::env::var_os("P_RLHF_TEST_EXPORT"))
    else {
        return;
    };
    let base = Model::open(&path, &support::device()).expect("the model");
    let mut world = World::of("SmolLM2", base);
    world.training.max_steps = 2;
    world.run(Path::new(&to), false, None).expect("a run");
    let (model, _) = world
        .base
        .valid()
        .with_adapters(&Path::new(&to).join("adapters"))
        .expect("the adapter");
    for ids in [
        &[504, 3575, 282, 4649, 314][..],
        &[1, 4093, 198, 26843, 2, 198],
    ] {
        let (logits, log_prob) = describe(&model, ids);
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let top: Vec<(usize, f32)> = order[..5].iter().map(|&i| (i, logits[i])).collect();
        eprintln!("{ids:?}: {top:?}, log-prob {log_prob}");
    }
}

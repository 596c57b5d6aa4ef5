//! What torch makes of the same model and comparisons: files that Python writes under `fixtures` (`xtask/fixtures`).

use llm_backbone::LoraConfig;
use llm_backbone::weights::{SafetensorsFile, WeightSource};
use serde_json::Value;
use trainer::config::TrainingSection;
use trainer::example::Example;
use trainer::learner::Learner;
use trainer::schedule::Schedule;
use trainer::task::Task;
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};

use super::{fixture, largest_difference};

/// A name, a shape and numbers.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// A file of JSON, as `fixture/name`.
pub fn json(name: &str) -> Value {
    let text = std::fs::read_to_string(fixture(name)).expect("the fixture");
    serde_json::from_str(&text).expect("JSON")
}

/// The elements of a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// A number.
pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// The numbers of nested lists.
pub fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        one => vec![number(one) as f32],
    }
}

/// Token ids.
pub fn ids(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|id| id as u32).collect()
}

/// Comparisons whose soft tokens, if any, come first.
pub fn pairs(comparisons: &Value) -> Vec<TokenizedPair> {
    let pair = |c: &Value| TokenizedPair {
        prompt: TokenizedPrompt {
            ids: ids(&c["prompt"]),
            soft_at: 0,
            cut: false,
            user_text_cut: false,
        },
        chosen: ids(&c["chosen"]),
        rejected: ids(&c["rejected"]),
        response_cut: false,
    };
    list(comparisons).iter().map(pair).collect()
}

/// Settings that both sides share; all others are their defaults.
pub fn training(expected: &Value) -> TrainingSection {
    serde_json::from_value(expected["training"].clone()).expect("settings")
}

/// Asserts that two numbers differ by a given share of them at most.
pub fn assert_near(what: &str, found: f64, expected: &Value, relative: f64) {
    let expected = number(expected);
    let error = (found - expected).abs() / expected.abs();
    assert!(error <= relative, "{what}: {found} is not {expected}");
}

/// Tensors that torch's steps left.
pub struct Weights(SafetensorsFile);

impl Weights {
    /// A safetensors file, as `fixture/name`.
    pub fn open(name: &str) -> Self {
        Self(SafetensorsFile::open(fixture(name)).expect("the fixture"))
    }

    /// The largest distance of any number from torch's, whose tensors have `prefix` before their names.
    pub fn distance(&self, prefix: &str, tensors: &[NamedTensor]) -> f32 {
        let names = self.0.names();
        let count = names.iter().filter(|n| n.starts_with(prefix)).count();
        assert!(count > 0 && count == tensors.len(), "{prefix}: {count}");
        tensors.iter().fold(0.0, |most, (name, shape, found)| {
            let name = format!("{prefix}{name}");
            assert_eq!(&self.0.shape(&name).expect("the tensor"), shape, "{name}");
            let expected = self.0.read(&name).expect("the tensor");
            most.max(largest_difference(found, &expected))
        })
    }
}

/// Takes the steps that torch took and compares the rate, loss and norm of each, and the adapters after it. These may lie
/// apart by a share of what the rate lets them move.
pub fn follow<T: Task>(
    learner: Learner<T>,
    training: &TrainingSection,
    examples: &[Example],
    steps: &Value,
    weights: (&Weights, &str),
) {
    let lora = LoraConfig::default();
    follow_with(learner, (training, &lora), examples, steps, weights);
}

/// The same with adapters of other settings than usual.
pub fn follow_with<T: Task>(
    mut learner: Learner<T>,
    (training, lora): (&TrainingSection, &LoraConfig),
    examples: &[Example],
    steps: &Value,
    (weights, prefix): (&Weights, &str),
) {
    let steps = list(steps);
    let adapted = (&learner.policy.model, lora);
    let mut schedule =
        Schedule::with_lora(training, adapted, None, (steps.len(), 0)).expect("rates");
    let mut largest = 0f32;
    for (step, said) in steps.iter().enumerate() {
        let batch = ids(&said["batch"]).into_iter();
        let batch: Vec<&Example> = batch.map(|i| &examples[i as usize]).collect();
        let rates = schedule.next();
        let report = learner.step(&batch, &rates).expect("a batch");
        assert_near("rate", rates.adapters, &said["rates"][0], 1e-9);
        assert_near("loss", report.loss, &said["loss"], 1e-5);
        assert_near(
            "grad_norm",
            report.grad_norms.together(),
            &said["grad_norm"],
            1e-4,
        );
        let prefix = format!("{prefix}{}.", step + 1);
        let distance = weights.distance(&prefix, &learner.policy.model.adapter_tensors());
        let moved = distance / training.learning_rate as f32;
        assert!(moved <= 1e-3, "step {}: {distance}", step + 1);
        largest = largest.max(moved);
    }
    eprintln!("weights are off torch's by at most {largest:e} of the rate");
}

/// Whether some of torch's steps were clipped and others not.
pub fn clips_some(steps: &Value, bound: f64) -> bool {
    let above = |said: &Value| number(&said["grad_norm"]) > bound;
    let count = list(steps).iter().filter(|said| above(said)).count();
    (1..list(steps).len()).contains(&count)
}

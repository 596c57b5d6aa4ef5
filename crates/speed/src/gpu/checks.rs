//! Is it right: logits of the tiny models against those of `transformers`, a training step against the CPU's.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use trainer::burn::module::{Module, ModuleVisitor, Param};
use trainer::burn::tensor::{Device, Int, Tensor, TensorData};
use trainer::config::{TrainingSection, UsersSection};
use trainer::dataset::Dataset;
use trainer::example::{Example, Item};
use trainer::learner::Learner;
use trainer::llm_backbone::device::is_cpu;
use trainer::llm_backbone::{LoraConfig, Model, ModelInput};
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::schedule::Schedule;
use trainer::task::Preference;
use trainer::{TrainError, device};

use crate::comparisons;

/// Models whose logits `transformers` computed.
const MODELS: [&str; 10] = [
    "llama",
    "llama_tied",
    "gptj",
    "qwen3",
    "qwen2",
    "mistral",
    "gemma3_text",
    "smollm3",
    "phi3",
    "olmo2",
];

/// Where they are, from the workspace's root.
const FIXTURES: &str = "crates/llm-backbone/tests/fixtures";

/// What was compared, and how far apart it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What.
    pub what: String,
    /// The difference, relative to what is right.
    #[serde(deserialize_with = "null_as_nan")]
    pub difference: f64,
    /// The largest that is good.
    pub limit: f64,
}

/// JSON has no NaN and no infinity: both are written as null.
fn null_as_nan<'de, D: Deserializer<'de>>(number: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(number)?.unwrap_or(f64::NAN))
}

impl Check {
    /// Whether it is good.
    pub fn is_good(&self) -> bool {
        self.difference <= self.limit
    }
}

/// Compares the device called `name` with what is right, and tells of each comparison.
///
/// # Errors
/// Fixtures that are not there, or a device that fails.
pub fn run(
    name: &str,
    root: &Path,
    mut tell: impl FnMut(Check) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let device = device::parse(name)?;
    // NVIDIA's matrix units round the factors of f32 products to ten bits (TF32).
    let limit = if is_cpu(&device) { 1e-3 } else { 1e-2 };
    for model in MODELS {
        let folder = root.join(FIXTURES).join(model);
        tell(Check {
            what: format!("logits of `{model}` against transformers"),
            difference: logits(&folder, &device)?,
            limit,
        })?;
        let [cpu, gpu] = [Device::flex(), device.clone()].map(|device| step(&folder, &device));
        let (cpu, gpu) = (cpu?, gpu?);
        for (what, cpu, gpu) in [
            ("loss of a step", &cpu.losses, &gpu.losses),
            ("gradients of a step", &cpu.gradients, &gpu.gradients),
        ] {
            tell(Check {
                what: format!("{what} on `{model}` against the CPU"),
                difference: distance(cpu, gpu),
                limit,
            })?;
        }
    }
    Ok(())
}

/// The length of the difference, relative to that of `right`.
fn distance(right: &[f32], found: &[f32]) -> f64 {
    if right.len() != found.len() {
        return f64::INFINITY;
    }
    let length = |squares: &mut dyn Iterator<Item = f64>| squares.sum::<f64>().sqrt();
    let pairs = right.iter().zip(found);
    let difference = length(&mut pairs.map(|(a, b)| f64::from(a - b).powi(2)));
    difference / length(&mut right.iter().map(|a| f64::from(*a).powi(2)))
}

fn logits(folder: &Path, device: &Device) -> Result<f64, TrainError> {
    let path = folder.join("expected.json");
    let text = std::fs::read_to_string(&path).map_err(|e| TrainError::io(&path, e))?;
    let expected: Value = serde_json::from_str(&text).map_err(|e| TrainError::format(&path, e))?;
    let ids = flat(&expected["input_ids"]);
    let batch = expected["input_ids"].as_array().map_or(1, Vec::len);
    let seq = ids.len() / batch.max(1);
    let ids: Vec<i32> = ids.into_iter().map(|id| id as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [batch, seq]), device);
    let model = Model::open(folder, device)?;
    let positions: Vec<i32> = (0..batch).flat_map(|_| 0..seq as i32).collect();
    let causal = (0..batch * seq * seq).map(|i| i % seq <= i / seq % seq);
    let causal = TensorData::new(causal.collect::<Vec<bool>>(), [batch, 1, seq, seq]);
    let hidden = model.forward(ModelInput {
        embeddings: model.embed(ids),
        positions: Tensor::from_data(TensorData::new(positions, [batch, seq]), device),
        visible: Tensor::from_data(causal, device),
        prefix: None,
        cache: None,
    });
    let [batch, seq, d] = hidden.dims();
    let found = values(model.logits(hidden.reshape([batch * seq, d])));
    Ok(distance(&flat(&expected["logits"]), &found))
}

fn flat(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap_or(f64::NAN) as f32],
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// What a step gives.
struct Step {
    /// Before and after it.
    losses: Vec<f32>,
    gradients: Vec<f32>,
}

fn step(folder: &Path, device: &Device) -> Result<Step, TrainError> {
    let model = Model::open(folder, &device.clone().autodiff())?.frozen();
    let dataset = Dataset {
        items: (0..8).map(|i| Arc::new(item(i))).collect(),
        ..Dataset::default()
    };
    let users = UsersSection::default();
    let start = dataset.start_policy(model, &LoraConfig::default(), Some(&users), 1)?;
    let examples = dataset.examples(start.1.as_ref());
    let training = TrainingSection {
        warmup_steps: 0,
        learning_rate: 1e-2,
        ..TrainingSection::default()
    };
    let task = Preference::from_config(&ObjectiveConfig::default(), true, None)?;
    let mut learner = Learner::new(task, start.0, start.1, &training)?;
    let rates = Schedule::new(&training, 10, 0)?.next();
    // After one step no factor of an adapter is zero, and everything has a gradient.
    let first = learner.step(&examples, &rates)?;
    let (gradients, second) = learner.gradients::<Example>(&examples)?;
    let mut all = Flat {
        of: &gradients.module,
        values: Vec::new(),
    };
    learner.policy.visit(&mut all);
    let mut rows: Vec<_> = gradients.rows.iter().collect();
    rows.sort_by_key(|(user, _)| user.to_string());
    all.values
        .extend(rows.iter().flat_map(|(_, row)| row.iter()));
    Ok(Step {
        losses: vec![first.loss as f32, second.loss as f32],
        gradients: all.values,
    })
}

/// Every gradient, in the order of the modules.
struct Flat<'a> {
    of: &'a trainer::burn::optim::GradientsParams,
    values: Vec<f32>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.of.get::<D>(param.id) {
            self.values.extend(values(gradient));
        }
    }
}

/// A comparison of tokens below 64, the vocabulary of the tiny models.
fn item(number: u32) -> Item {
    let ids =
        |count: u32, from: u32| (0..count).map(move |i| 3 + (from + i * 7 + number * 11) % 61);
    let ids = [
        ids(6 + number % 4, 0).collect(),
        ids(4 + number % 3, 17).collect(),
        ids(3 + number % 5, 29).collect(),
    ];
    comparisons::with_reference(comparisons::item(ids, format!("user {}", number % 3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_like_transformers_and_like_itself() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut checks = Vec::new();
        run("flex", &root, |check| {
            checks.push(check);
            Ok(())
        })
        .unwrap();
        assert_eq!(checks.len(), 3 * MODELS.len());
        for check in checks {
            assert!(check.is_good(), "{check:?}");
            let of_logits = check.what.starts_with("logits");
            assert_eq!(check.difference == 0.0, !of_logits, "{check:?}");
        }
    }

    #[test]
    fn a_difference_is_told() {
        assert_eq!(distance(&[3.0, 4.0], &[3.0, 4.5]), 0.1);
        assert_eq!(distance(&[3.0], &[]), f64::INFINITY);
        let check = |difference| Check {
            what: String::new(),
            difference,
            limit: 1e-2,
        };
        assert!(check(1e-2).is_good());
        assert!(!check(2e-2).is_good() && !check(f64::NAN).is_good());
        // What is no number stays a check that failed when the page reads it.
        for wrong in [f64::NAN, f64::INFINITY] {
            let line = serde_json::to_string(&check(wrong)).unwrap();
            let read: Check = serde_json::from_str(&line).unwrap();
            assert!(read.difference.is_nan() && !read.is_good(), "{line}");
        }
    }
}

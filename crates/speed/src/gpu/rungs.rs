//! How fast is it: steps of P-DPO on larger and larger Llamas of random weights, each while the time allows.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use trainer::burn::tensor::Device;
use trainer::config::{Checkpointing, Dtype, TrainingSection, UsersSection};
use trainer::dataset::Dataset;
use trainer::estimate::{Sketch, Step};
use trainer::example::Example;
use trainer::learner::Learner;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::{LoraConfig, Model, Precision, Targets};
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::schedule::Schedule;
use trainer::task::Preference;
use trainer::{TrainError, device};

use crate::comparisons;

/// Comparisons a step.
const BATCH: usize = 16;
/// Tokens of a prompt, and of a response: those of TL;DR.
const TOKENS: [usize; 2] = [300, 40];
/// Steps that are measured after the first, at most.
const STEPS: usize = 5;

/// A Llama by its widths.
#[derive(Clone, Copy, Debug)]
struct Shape {
    name: &'static str,
    blocks: usize,
    width: usize,
    /// Of queries, and of keys.
    heads: [usize; 2],
    inner: usize,
    vocabulary: usize,
    ties: bool,
}

const fn shape(
    name: &'static str,
    [blocks, width, inner]: [usize; 3],
    heads: [usize; 2],
    (vocabulary, ties): (usize, bool),
) -> Shape {
    Shape {
        name,
        blocks,
        width,
        heads,
        inner,
        vocabulary,
        ties,
    }
}

/// From small to large, with the shapes of models that people have: SmolLM2, TinyLlama, Llama 3.2, Llama 3, Llama 1.
const SHAPES: [Shape; 6] = [
    shape("135M", [30, 576, 1536], [9, 3], (49_152, true)),
    shape("1.1B", [22, 2048, 5632], [32, 4], (32_000, false)),
    shape("3B", [28, 3072, 8192], [24, 8], (128_256, true)),
    shape("8B", [32, 4096, 14_336], [32, 8], (128_256, false)),
    shape("13B", [40, 5120, 13_824], [40, 40], (32_000, false)),
    shape("30B", [60, 6656, 17_920], [52, 52], (32_000, false)),
];

/// For a rehearsal.
const SMALL: [Shape; 2] = [
    shape("tiny", [2, 32, 64], [2, 1], (512, true)),
    shape("small", [4, 64, 128], [4, 2], (1024, true)),
];

/// What became of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Its name.
    pub name: String,
    /// Weights.
    pub weights: usize,
    /// Why it was left out; then nothing below is known.
    pub left_out: Option<String>,
    /// Rows in memory at a time.
    pub micro_rows: usize,
    /// What the backward pass computes again.
    pub checkpointing: String,
    /// Bytes by the estimate.
    pub estimate: u64,
    /// Seconds of the first step, in which kernels are made and chosen.
    pub first: f64,
    /// Seconds of a later one: the median.
    pub seconds: f64,
    /// Comparisons per second.
    pub comparisons: f64,
    /// Floating-point operations per second.
    pub flops: f64,
}

/// Where and how long.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The device.
    pub device: String,
    /// Time for all.
    pub seconds: f64,
    /// What the device has, in units of 10^9 bytes.
    pub memory_gb: f64,
    /// Only small models, in f32.
    pub is_rehearsal: bool,
}

/// Goes up as far as time and memory reach, and tells of each model.
///
/// # Errors
/// A device that fails.
pub fn run(
    limits: &Limits,
    mut tell: impl FnMut(Rung) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let device = device::parse(&limits.device)?.autodiff();
    let start = Instant::now();
    // Operations per second, and seconds of the first step and of making a model, of the rung before.
    let mut before: Option<(f64, f64)> = None;
    let shapes = match limits.is_rehearsal {
        true => &SMALL[..],
        false => &SHAPES[..],
    };
    for shape in shapes {
        let left = limits.seconds - start.elapsed().as_secs_f64();
        let plan = Plan::new(shape, limits, &device)?;
        let late = before.is_some_and(|(rate, overhead)| overhead + 2.0 * plan.work / rate > left);
        let reason = match (&plan.step, late) {
            (None, _) => Some(format!("takes over {} GB", limits.memory_gb)),
            (_, true) => Some(format!("takes longer than the {left:.0} s that are left")),
            (Some(_), false) => None,
        };
        if let Some(reason) = reason {
            tell(Rung {
                left_out: Some(reason),
                ..plan.rung()
            })?;
            continue;
        }
        let made = Instant::now();
        let rung = measure(&plan, &device, left)?;
        before = Some((
            rung.flops,
            made.elapsed().as_secs_f64().min(2.0 * rung.first + 10.0),
        ));
        tell(rung)?;
    }
    Ok(())
}

/// How a model is trained.
struct Plan {
    shape: Shape,
    config: ModelConfig,
    weights: usize,
    dtype: Dtype,
    lora: LoraConfig,
    training: TrainingSection,
    data: Dataset,
    /// The largest that fits; none: none does.
    step: Option<Step>,
    estimate: u64,
    /// Operations of a step.
    work: f64,
}

impl Plan {
    fn new(shape: &Shape, limits: &Limits, device: &Device) -> Result<Self, TrainError> {
        let config = shape.config();
        let dtype = match limits.is_rehearsal {
            true => Dtype::F32,
            false => Dtype::Bf16,
        };
        let lora = LoraConfig {
            targets: Targets::Names(["q_proj", "k_proj", "v_proj"].map(String::from).to_vec()),
            ..LoraConfig::default()
        };
        let vocabulary = shape.vocabulary as u32;
        let items = (0..BATCH).map(|i| Arc::new(comparisons::made(i, TOKENS, vocabulary)));
        let data = Dataset {
            items: items.collect(),
            ..Dataset::default()
        };
        let users = UsersSection::default();
        let tokens = users.tokens();
        let sketch = Sketch::new(&config, dtype, &lora, device)?;
        let longest = data
            .items
            .iter()
            .map(|i| i.pair.row_length(tokens.soft))
            .max();
        let ways = [8, 4, 2, 1].map(|rows| (rows, Checkpointing::None));
        let ways = ways.into_iter().chain([(4, Checkpointing::Blocks)]);
        let found = ways
            .map(|(rows, checkpointing)| {
                let step = Step {
                    rows,
                    longest: longest.unwrap_or(0),
                    prefix: tokens.prefix,
                    checkpointing,
                };
                (
                    step,
                    sketch
                        .memory(step, (0, 0), &TrainingSection::default())
                        .total(),
                )
            })
            .find(|(_, bytes)| *bytes as f64 <= 1e9 * limits.memory_gb);
        let training = TrainingSection {
            batch: BATCH,
            warmup_steps: 0,
            eval_every: 0,
            micro_rows: found.map_or(1, |(step, _)| step.rows),
            gradient_checkpointing: found
                .map_or_else(Default::default, |(step, _)| step.checkpointing),
            ..TrainingSection::default()
        };
        let work = sketch.training_work((&data, None), (tokens, 2), &training);
        Ok(Self {
            shape: *shape,
            config,
            weights: sketch.weights(),
            dtype,
            lora,
            training,
            data,
            step: found.map(|(step, _)| step),
            estimate: found.map_or(0, |(_, bytes)| bytes),
            work: work.training,
        })
    }

    fn rung(&self) -> Rung {
        let checkpointing = self.training.gradient_checkpointing;
        Rung {
            name: self.shape.name.into(),
            weights: self.weights,
            micro_rows: self.training.micro_rows,
            checkpointing: format!("{checkpointing:?}").to_lowercase(),
            estimate: self.estimate,
            ..Rung::default()
        }
    }
}

/// Steps of a model for at most `left` seconds; the first and one more are always made.
fn measure(plan: &Plan, device: &Device, left: f64) -> Result<Rung, TrainError> {
    let start = Instant::now();
    let model = Model::noise(&plan.config, Precision::from(plan.dtype), device)?.frozen();
    let users = UsersSection::default();
    let (policy, table) = plan.data.start_policy(model, &plan.lora, Some(&users), 0)?;
    let examples = plan.data.examples(table.as_ref());
    let task = Preference::from_config(&ObjectiveConfig::default(), true, None)?;
    let mut learner = Learner::new(task, policy, table, &plan.training)?;
    let rates = Schedule::new(&plan.training, 1_000_000, 0)?.next();
    let mut step = || -> Result<f64, TrainError> {
        let start = Instant::now();
        // The norm of the gradient comes to the host: the device has done its work then.
        learner.step::<Example>(&examples, &rates)?;
        Ok(start.elapsed().as_secs_f64())
    };
    let first = step()?;
    let mut others = Vec::new();
    while others.len() < STEPS {
        others.push(step()?);
        let each = others[0];
        if start.elapsed().as_secs_f64() + each > left {
            break;
        }
    }
    let seconds = statistics::Quantiles::of(others).map_or(f64::NAN, |q| q.median);
    Ok(Rung {
        first,
        seconds,
        comparisons: BATCH as f64 / seconds,
        flops: plan.work / seconds,
        ..plan.rung()
    })
}

impl Shape {
    fn config(&self) -> ModelConfig {
        let [num_heads, num_kv_heads] = self.heads;
        ModelConfig::from_scratch(
            Sizes {
                vocab_size: self.vocabulary,
                hidden_size: self.width,
                num_layers: self.blocks,
                num_heads,
                num_kv_heads,
                head_dim: self.width / num_heads,
                max_positions: 2048,
                ties_embeddings: self.ties,
                bos_token_id: None,
                eos_token_ids: vec![],
            },
            self.inner,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(seconds: f64, memory_gb: f64) -> Limits {
        Limits {
            device: "flex".into(),
            seconds,
            memory_gb,
            is_rehearsal: true,
        }
    }

    fn rungs(limits: &Limits) -> Vec<Rung> {
        let mut rungs = Vec::new();
        run(limits, |rung| {
            rungs.push(rung);
            Ok(())
        })
        .unwrap();
        rungs
    }

    #[test]
    fn models_are_measured_from_small_to_large_while_there_is_time() {
        let found = rungs(&limits(300.0, 80.0));
        assert_eq!(found.len(), 2);
        for rung in &found {
            assert_eq!(rung.left_out, None);
            assert!(rung.seconds > 0.0 && rung.flops > 1e6, "{rung:?}");
        }
        // No time is left for the second.
        let found = rungs(&limits(0.0, 80.0));
        assert_eq!(found[0].left_out, None);
        let reason = found[1].left_out.as_ref().unwrap();
        assert!(reason.contains("longer"), "{reason}");
    }

    #[test]
    fn what_the_memory_has_no_room_for_is_left_out() {
        let found = rungs(&limits(300.0, 1e-6));
        assert!(
            found.iter().all(|rung| rung.left_out.is_some()),
            "{found:?}"
        );
    }

    /// Llama 3 8B has 8,030,261,248 weights, as published, and SmolLM2-135M 134,515,008.
    #[test]
    fn the_shapes_are_those_of_models_that_people_have() {
        let weights = |name: &str| {
            let shape = SHAPES.iter().find(|shape| shape.name == name).unwrap();
            let limits = limits(0.0, 1e9);
            Plan::new(shape, &limits, &Device::flex()).unwrap().weights
        };
        assert_eq!(weights("8B"), 8_030_261_248);
        assert_eq!(weights("135M"), 134_515_008);
        assert_eq!(weights("1.1B"), 1_100_048_384);
    }
}

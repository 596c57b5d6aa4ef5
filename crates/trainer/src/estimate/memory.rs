//! Bytes.

use burn::tensor::Device;
use llm_backbone::Outline;
use llm_backbone::config::ModelConfig;
use llm_backbone::device::is_cpu;

use super::Sketch;
use crate::config::{Checkpointing, Dtype, TrainingSection, UserTokens};
use crate::dataset::Dataset;
use crate::error::TrainError;
use crate::memory::available_bytes;
use crate::task::Task;

/// Positions whose logits are in memory at a time, at most (`llm_backbone::log_probs`). A head with an adapter keeps those of all scored
/// positions, at most all tokens.
const SCORED: usize = 255;

/// Numbers for each of their logits: the logits, their powers, the probabilities, and these once more in the type of the head.
const PER_LOGIT: usize = 4;

/// Numbers of a mask for each token and each that it may see: what is added to its score, and what that is made of.
const PER_PAIR: usize = 2;

/// Numbers for each score of the block that is on its way: the probabilities, and twice as many on the way to their gradient.
const PER_SCORE: usize = 3;

/// What CubeCL's pool keeps for every byte of a step: measured 43 GB where this module counted 18, when the graph and the count had the scores of
/// all blocks (docs/performance.md).
const POOL: [u64; 2] = [43, 18];

/// What is in work at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Rows.
    pub rows: usize,
    /// Tokens of the longest.
    pub longest: usize,
    /// Keys and values in front of each.
    pub prefix: usize,
    /// What the backward pass computes again.
    pub checkpointing: Checkpointing,
}

impl Step {
    /// The largest of a task on `train` with these user tokens.
    pub fn of<T: Task>(
        training: &TrainingSection,
        train: &Dataset,
        (task, users): (&T, UserTokens),
    ) -> Self {
        let batch = training.batch.min(train.items.len());
        let items = train.items.iter();
        let lengths = items.map(|item| task.row_length(&item.pair, users.soft));
        let rows = batch.saturating_mul(task.rows_each());
        Self {
            rows: training.micro_rows.min(rows),
            longest: lengths.max().unwrap_or(0),
            prefix: users.prefix,
            checkpointing: training.gradient_checkpointing,
        }
    }
}

/// What a run takes on the device that it trains on, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Frozen weights, with what PiSSA takes of them.
    pub weights: u64,
    /// The same cut for tiles, where they are kept so.
    pub packed: u64,
    /// What is trained, in f32: adapters (or the whole model) with gradients and AdamW's two moments.
    pub trained: u64,
    /// Activations of a step.
    pub step: u64,
    /// Keys and values of the texts that are sampled at a time; 0 where none are.
    pub cache: u64,
}

impl Memory {
    /// All of it: no text is sampled during a step.
    pub fn total(&self) -> u64 {
        self.weights + self.packed + self.trained + self.step.max(self.cache)
    }
}

impl Sketch {
    /// What training takes, and sampling of `texts` texts at a time of up to so many tokens, prompts included.
    pub fn memory(
        &self,
        step: Step,
        (texts, tokens): (usize, usize),
        training: &TrainingSection,
    ) -> Memory {
        let cached = texts * tokens * self.config().cached_per_token();
        let trained = match self.adapters.weights {
            0 => self.weights(),
            adapters => adapters,
        };
        Memory {
            weights: self.frozen + 4 * self.adapters.taken as u64,
            packed: self.packed(training),
            trained: 16 * trained as u64,
            step: self.step(step),
            cache: (if self.is_half { 2 } else { 4 }) * cached as u64,
        }
    }

    /// What frozen weights take that stay cut for tiles; 0 where they do not, or are trained.
    fn packed(&self, training: &TrainingSection) -> u64 {
        let frozen = self.is_f32 && !self.on_gpu && self.adapters.weights > 0;
        match frozen && training.keep_packed {
            true => self.outline.packed_bytes(),
            false => 0,
        }
    }

    /// Bytes that a training step takes beside the model: what the graph keeps of each block for the backward pass, the
    /// gradient on its way through one, and logits, unless it makes rewards. Numbers count 32 bits in a 16-bit model as well: norms, softmax and
    /// adapters compute in f32 there, and much is kept in both types.
    pub(crate) fn step(&self, step: Step) -> u64 {
        let longest = self.padded(step.longest);
        let tokens = step.rows * longest;
        let costs = self.outline.costs();
        let (blocks, d) = (costs.blocks, self.config().d_model());
        // Of the inputs of adapters: a mask and what it leaves, or a copy in f32.
        let copies = match (self.has_dropout, self.is_half) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        };
        // Of outputs with a magnitude what it multiplies.
        let adapters = (copies * self.adapters.inputs + self.adapters.outputs) / blocks;
        let per_block = self.config().activations_per_token() + adapters;
        // On a CPU in f32 scores are made some at a time (`cpu_kernels::attention_kept`), in a few megabytes of each thread that are not counted.
        let scores = match self.on_gpu || self.is_half {
            true => PER_SCORE * costs.heads,
            false => 0,
        };
        let pairs = tokens * (step.prefix + longest) * (PER_PAIR + scores);
        let kept = match step.checkpointing {
            Checkpointing::Blocks => tokens * (blocks * d + 2 * per_block),
            Checkpointing::None | Checkpointing::Operations => tokens * (blocks + 1) * per_block,
        };
        let scored = match (self.writes, self.adapters.head) {
            (false, _) => 0,
            (true, 0) => SCORED,
            (true, _) => tokens.max(SCORED),
        };
        let logits = scored * PER_LOGIT * self.config().vocab_size();
        // Those of the users, and a copy beside the keys and values of the row.
        let prefix = 2 * step.rows * step.prefix * self.config().cached_per_token();
        let bytes = 4 * (kept + pairs + prefix + logits) as u64;
        match self.on_gpu {
            true => bytes * POOL[0] / POOL[1],
            false => bytes,
        }
    }

    /// That a training step fits, of a model that is there already, and on a GPU the rest of what `memory` counts too.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where the system, or `training.gpu_memory_gb`, says that less is there.
    pub fn validate(
        &self,
        memory: &Memory,
        step: Step,
        training: &TrainingSection,
    ) -> Result<(), TrainError> {
        let needed = match self.on_gpu {
            true => memory.total(),
            // Weights are there already.
            false => memory.packed + memory.step,
        };
        let tokens = format!("{} rows of up to {} tokens", step.rows, step.longest);
        let samples = memory.cache > memory.step;
        let beside = match (self.on_gpu, samples) {
            (false, _) if memory.packed > 0 => {
                format!(
                    ", {} MiB of weights cut for tiles with it",
                    memory.packed >> 20
                )
            }
            (false, _) => String::new(),
            (true, false) => format!(", {} MiB of weights with it", memory.weights >> 20),
            (true, true) => format!(
                ", or sampling, with {} MiB of weights,",
                memory.weights >> 20
            ),
        };
        let what = format!("a step of {tokens}{beside}");
        let advice = self.advice(step, memory);
        refuse(needed, (what, advice), self.on_gpu, training)
    }

    /// What takes less, of what is not done yet.
    fn advice(&self, step: Step, memory: &Memory) -> Vec<&'static str> {
        let samples = memory.cache > memory.step;
        let mut advice = Vec::new();
        if memory.packed > 0 {
            advice.push("set training.keep_packed = false");
        }
        if samples && self.on_gpu {
            advice.push("lower evaluation.batch or sampling.max_new_tokens");
        }
        if step.rows > 1 {
            advice.push("lower training.micro_rows");
        }
        advice.push("lower prompt.max_prompt_length or prompt.max_response_length");
        match (step.checkpointing, self.has_dropout) {
            (Checkpointing::Blocks, _) => {}
            (_, false) => advice.push("set training.gradient_checkpointing = \"blocks\""),
            (_, true) => {
                advice.push("set training.gradient_checkpointing = \"blocks\" and lora.dropout = 0")
            }
        }
        if self.on_gpu && !self.is_half {
            advice.push("set model.dtype = \"bf16\"");
        }
        advice
    }
}

/// That the weights of a model fit, before they are read. What a file packs into fewer than 16 bits is not known yet, and not
/// refused.
///
/// # Errors
/// [`TrainError::Memory`] where the system, or `training.gpu_memory_gb`, says that less is there.
pub fn validate_weights(
    config: &ModelConfig,
    dtype: Dtype,
    device: &Device,
    training: &TrainingSection,
) -> Result<(), TrainError> {
    let mut advice = vec!["take a smaller model"];
    let Some(each) = dtype.bytes() else {
        return Ok(());
    };
    if each == 4 {
        advice.push("set model.dtype = \"bf16\"");
    }
    let weights = Outline::of(config)?.weights();
    let what = format!("a model of {} million weights", weights / 1_000_000);
    let needed = each * weights as u64;
    refuse(needed, (what, advice), !is_cpu(device), training)
}

fn refuse(
    needed: u64,
    (what, mut advice): (String, Vec<&'static str>),
    on_gpu: bool,
    training: &TrainingSection,
) -> Result<(), TrainError> {
    let (available, there) = match on_gpu {
        false => (available_bytes(), "are free"),
        true => {
            advice.push("say how much the GPU has (training.gpu_memory_gb)");
            let bytes = training.gpu_memory_gb * 1e9;
            (Some(bytes as u64), "are on the GPU")
        }
    };
    match available {
        Some(available) if needed > available => Err(TrainError::Memory {
            what,
            needed,
            available,
            there,
            advice: advice.join(", or "),
        }),
        _ => Ok(()),
    }
}

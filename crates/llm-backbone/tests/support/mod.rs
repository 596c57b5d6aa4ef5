//! What the tests of this crate share: where models are, and plain causal forward passes.
#![allow(dead_code, clippy::print_stderr)] // each test file uses its own part; skips are told

use std::path::{Path, PathBuf};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use llm_backbone::{KvCache, Model, ModelInput, soft_prompt};

/// The tiny random models, one of each family, and Llama with a tied head.
pub const MODELS: [&str; 10] = [
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

/// A folder of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A folder of real data beside the repository, or `None` with a message.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    existing(data.join(name))
}

/// The GGUF file of SmolLM2-135M-Instruct in the cache, or `None` with a message; where `CI` is set it must be there.
pub fn smollm2() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE"));
    let cache = set("P_RLHF_CACHE").or_else(|| Some(home()?.join(".cache/p-rlhf")));
    let path = cache
        .unwrap_or_default()
        .join("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    let message = format!("{} is not there", path.display());
    assert!(path.exists() || set("CI").is_none(), "{message}");
    existing(path)
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// The mask of plain causal attention over `keys` slots for the last `seq` of them, `[batch, 1, seq, keys]`.
pub fn causal(batch: usize, seq: usize, keys: usize, device: &Device) -> Tensor<4, Bool> {
    let past = keys - seq;
    let visible: Vec<bool> = (0..batch * seq)
        .flat_map(|i| (0..keys).map(move |j| j <= past + i % seq))
        .collect();
    Tensor::from_data(TensorData::new(visible, [batch, 1, seq, keys]), device)
}

/// Ids of one sequence, `[1, seq]`.
pub fn sequence(ids: &[u32], device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let seq = ids.len();
    Tensor::from_data(TensorData::new(ids, [1, seq]), device)
}

/// Logits of `ids[:, from..to]` with plain causal attention, `[batch * seq, vocab]`.
pub fn logits(
    model: &Model,
    ids: Tensor<2, Int>,
    (from, to): (usize, usize),
    cache: Option<&mut KvCache>,
) -> Tensor<2> {
    let device = model.device();
    let [batch, _] = ids.dims();
    let seq = to - from;
    let positions: Vec<i32> = (0..batch).flat_map(|_| from as i32..to as i32).collect();
    let keys = if cache.is_some() { to } else { seq };
    let hidden = model.forward(ModelInput {
        embeddings: model.embed(ids.narrow(1, from, seq)),
        positions: Tensor::from_data(TensorData::new(positions, [batch, seq]), &device),
        visible: causal(batch, seq, keys, &device),
        prefix: None,
        cache,
    });
    let [_, _, d] = hidden.dims();
    model.logits(hidden.reshape([batch * seq, d]))
}

/// Logits after the last of `ids`, whose sequence holds the soft tokens `soft`, `[1, T_u, d]`, at `soft_at`: one
/// sequence alone, no cache.
pub fn last_logits(model: &Model, ids: &[u32], soft: Option<(Tensor<3>, usize)>) -> Vec<f32> {
    let device = model.device();
    let mut embeddings = model.embed(sequence(ids, &device));
    if let Some((soft, at)) = soft {
        embeddings = soft_prompt::insert(embeddings, soft, &[at]);
    }
    let [_, seq, d] = embeddings.dims();
    let positions: Vec<i32> = (0..seq as i32).collect();
    let hidden = model.forward(ModelInput {
        embeddings,
        positions: Tensor::from_data(TensorData::new(positions, [1, seq]), &device),
        visible: causal(1, seq, seq, &device),
        prefix: None,
        cache: None,
    });
    values(model.logits(hidden.reshape([seq, d]).narrow(0, seq - 1, 1)))
}

/// The index of the largest number.
pub fn argmax(values: &[f32]) -> u32 {
    let (best, _) = values
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .expect("numbers");
    best as u32
}

/// The numbers of a tensor.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("f32")
}

/// The largest difference between two lists of numbers.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

//! Greedy tokens per second, without the time for the prompt.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use speed::worker;
use trainer::burn::tensor::Device;
use trainer::config::Dtype;
use trainer::llm_backbone::Model;
use trainer::source;

use crate::model;

const NEW: usize = 32;

pub fn all(criterion: &mut Criterion) {
    let model = model::random(&Device::flex());
    let mut group = criterion.benchmark_group(format!("tokens decoded, {} blocks", model::BLOCKS));
    for batch in [1, 8] {
        group.throughput(Throughput::Elements((batch * NEW) as u64));
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| tokens(&model, batch, 256)).sum()
            });
        });
    }
    group.finish();
    if let Some(file) = smollm2() {
        of_file(criterion, &file);
    }
}

/// SmolLM2 in f32 and with the file's own weights, batches of all sizes that these multiply as they are stored; prompts are short, so
/// that attention counts little. Left out where the file is not in the cache.
fn of_file(criterion: &mut Criterion, file: &Path) {
    for (name, dtype) in [("f32", Dtype::F32), ("stored", Dtype::Stored)] {
        let base = source::open(file, dtype, &Device::flex()).expect("a good file");
        let model = base.model.frozen();
        let mut group = criterion.benchmark_group(format!("tokens decoded, SmolLM2, {name}"));
        for batch in [1, 4, 16, 64] {
            group.throughput(Throughput::Elements((batch * NEW) as u64));
            group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
                bencher.iter_custom(|iterations| {
                    (0..iterations).map(|_| tokens(&model, batch, 8)).sum()
                });
            });
        }
    }
}

/// The file in the cache, where `cargo xtask fetch smollm2-135m-instruct` puts it.
fn smollm2() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = set("P_RLHF_CACHE").or_else(|| Some(set("HOME")?.join(".cache/p-rlhf")))?;
    let file = cache.join("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    file.is_file().then_some(file)
}

/// The time for [`NEW`] tokens of each sequence.
fn tokens(model: &Model, batch: usize, prompt: u32) -> Duration {
    decode(model, batch, prompt, NEW + 1).saturating_sub(decode(model, batch, prompt, 1))
}

fn decode(model: &Model, batch: usize, prompt: u32, new: usize) -> Duration {
    let prompts: Vec<Vec<u32>> = (0..batch as u32)
        .map(|row| (row + 3..row + 3 + prompt).collect())
        .collect();
    let (outputs, time) = worker::decode(model, &prompts, new).expect("tokens");
    assert!(outputs.iter().all(|ids| ids.len() == new));
    time
}

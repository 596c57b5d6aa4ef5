//! Greedy tokens per second after a prompt of 256, without the time for the prompt.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use speed::worker;
use trainer::burn::tensor::Device;
use trainer::llm_backbone::Model;

use crate::model;

const NEW: usize = 32;

pub fn all(criterion: &mut Criterion) {
    let model = model::random(&Device::flex());
    let mut group = criterion.benchmark_group(format!("tokens decoded, {} blocks", model::BLOCKS));
    for batch in [1, 8] {
        group.throughput(Throughput::Elements((batch * NEW) as u64));
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter_custom(|iterations| {
                let each =
                    |_| decode(&model, batch, NEW + 1).saturating_sub(decode(&model, batch, 1));
                (0..iterations).map(each).sum()
            });
        });
    }
}

fn decode(model: &Model, batch: usize, new: usize) -> Duration {
    let prompts: Vec<Vec<u32>> = (0..batch as u32)
        .map(|row| (row + 3..row + 259).collect())
        .collect();
    let (outputs, time) = worker::decode(model, &prompts, new).expect("tokens");
    assert!(outputs.iter().all(|ids| ids.len() == new));
    time
}

//! Matrix products at the shapes of SmolLM2-135M: the roofline of everything else.

use criterion::{BenchmarkId, Criterion, Throughput};
use trainer::burn::tensor::{Device, Distribution, Tensor};

/// A name, the inner and the outer width of `[m, k] x [k, n]`, and whether the right side is stored transposed, as in the
/// backward pass.
const SHAPES: [(&str, usize, usize, bool); 9] = [
    ("q, o", 576, 576, false),
    ("k, v", 576, 192, false),
    ("gate, up", 576, 1536, false),
    ("down", 1536, 576, false),
    ("q, o backward", 576, 576, true),
    ("gate, up backward", 1536, 576, true),
    ("down backward", 576, 1536, true),
    ("LoRA a", 576, 8, false),
    ("LoRA b", 8, 576, false),
];

pub fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    let mut shapes: Vec<_> = [128, 256, 512]
        .into_iter()
        .flat_map(|m| SHAPES.map(|(name, k, n, transposed)| (name, [m, k, n], transposed)))
        .collect();
    // The tied head is the embedding, transposed; its gradient is not.
    shapes.push(("head", [128, 576, 49152], true));
    shapes.push(("head backward", [128, 49152, 576], false));
    for (name, [m, k, n], transposed) in shapes {
        let a = random([m, k]);
        let b = match transposed {
            true => random([n, k]).transpose(),
            false => random([k, n]),
        };
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        group.bench_function(BenchmarkId::new(name, m), |bencher| {
            bencher.iter(|| a.clone().matmul(b.clone()));
        });
    }
}

fn random(shape: [usize; 2]) -> Tensor<2> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Device::flex())
}

//! Matrix products at the shapes of SmolLM2-135M: the roofline of everything else.

use criterion::{BenchmarkId, Criterion, Throughput};
use trainer::burn::tensor::{Device, Distribution, Tensor};
use trainer::llm_backbone::matrix::Matrix;

/// A name, the inner and the outer width of `[m, k] x [k, n]`, and the right side.
const SHAPES: [(&str, usize, usize, Right); 10] = [
    ("q, o", 576, 576, Right::Weight),
    ("k, v", 576, 192, Right::Weight),
    ("gate, up", 576, 1536, Right::Weight),
    ("down", 1536, 576, Right::Weight),
    ("down, rows close together", 1536, 576, Right::Transposed),
    ("q, o backward", 576, 576, Right::Plain),
    ("gate, up backward", 1536, 576, Right::Plain),
    ("down backward", 576, 1536, Right::Plain),
    ("LoRA a", 576, 8, Right::Plain),
    ("LoRA b", 8, 576, Right::Plain),
];

/// Where the numbers of `[k, n]` are.
#[derive(Clone, Copy)]
enum Right {
    /// A model's frozen weights `[n, k]`, transposed: the forward pass.
    Weight,
    /// A plain tensor `[n, k]`, transposed.
    Transposed,
    /// A plain tensor `[k, n]`: the backward pass.
    Plain,
}

pub fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    let mut shapes: Vec<_> = [128, 256, 512]
        .into_iter()
        .flat_map(|m| SHAPES.map(|(name, k, n, right)| (name, [m, k, n], right)))
        .collect();
    shapes.push(("head", [128, 576, 49152], Right::Weight));
    shapes.push(("head backward", [128, 49152, 576], Right::Plain));
    for (name, [m, k, n], right) in shapes {
        let a = random([m, k]);
        let b = match right {
            Right::Weight => {
                let weight = Matrix::dense(random([n, k])).tensor(&Device::flex());
                weight.transpose()
            }
            Right::Transposed => random([n, k]).transpose(),
            Right::Plain => random([k, n]),
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

//! The rate that matrix products reach on a device: what a step is measured against.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use llm_backbone::matrix::Matrix;

/// Shapes `[m, k, n]` of a block of SmolLM2-135M over 512 tokens: attention, the feed-forward layers in and out.
pub const SHAPES: [[usize; 3]; 3] = [[512, 576, 576], [512, 576, 1536], [512, 1536, 576]];

/// Floating-point operations per second of `[m, k] x [k, n]` in f32, as a model's layers multiply: the best of a few batches of products
/// within about `seconds`.
pub fn matmul(device: &Device, [m, k, n]: [usize; 3], seconds: f64) -> f64 {
    let device = device.clone().without_autodiff();
    let random = |shape| Tensor::<2>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
    let (a, b) = (random([m, k]), Matrix::dense(random([n, k])));
    let run = |products: usize| {
        let start = Instant::now();
        let mut last = b.product(a.clone());
        for _ in 1..products {
            last = b.product(a.clone());
        }
        last.slice([0..1, 0..1]).into_data(); // Waits for the device.
        start.elapsed().as_secs_f64()
    };
    run(1); // Warm-up: kernels may be compiled or chosen here.
    let each = run(3) / 3.0;
    let products = ((seconds / 5.0 / each) as usize).max(1);
    let best = (0..5).map(|_| run(products)).fold(f64::INFINITY, f64::min);
    2.0 * (m * k * n) as f64 * products as f64 / best
}

/// The best rate over [`SHAPES`], in about a second.
pub fn measure(device: &Device) -> f64 {
    let rates = SHAPES.map(|shape| matmul(device, shape, 0.4));
    rates.into_iter().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_a_computer() {
        let rate = matmul(&Device::flex(), [64, 64, 64], 0.01);
        assert!((1e6..1e15).contains(&rate), "{rate}");
    }
}

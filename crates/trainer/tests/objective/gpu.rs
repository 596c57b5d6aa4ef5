//! A training step on a GPU does what it does on the CPU.
#![cfg(any(feature = "cuda", feature = "wgpu"))]

use std::collections::BTreeMap;

use burn::tensor::Device;
use trainer::config::TrainingSection;
use trainer::schedule::Schedule;

use super::support::{FAMILIES, examples, open, pairs};
use super::{difference, gradients, learner_on, report};

/// The length of the difference of two sets of gradients, relative to the length of the first.
fn relative_distance(a: &BTreeMap<String, Vec<f32>>, b: &BTreeMap<String, Vec<f32>>) -> f32 {
    let pairs = || a.iter().flat_map(|(name, a)| a.iter().zip(&b[name]));
    let length = |squares: f64| squares.sqrt() as f32;
    let of_difference = length(pairs().map(|(a, b)| f64::from(a - b).powi(2)).sum());
    of_difference / length(pairs().map(|(a, _)| f64::from(*a).powi(2)).sum())
}

/// That a training step on the device called `gpu` has the loss and the gradients of the CPU: all gradients together up to
/// `most_apart`, every number up to `most` of the largest of its tensor.
fn assert_like_the_cpu(gpu: &str, most_apart: f32, most: f32) {
    let steps = FAMILIES.map(|name| {
        let batch = examples(&open(name), &pairs(3, 8), true);
        let on = |device: Device| {
            let mut learner = learner_on(&device.autodiff(), name);
            let before = gradients(&learner, &batch);
            let mut schedule = Schedule::new(&TrainingSection::default(), 10, 5).expect("rates");
            let first = learner.step(&batch, &schedule.next()).expect("known users");
            let after = report(&learner, &batch);
            (before, [first.loss, after.loss])
        };
        let (cpu, gpu) = (
            on(Device::flex()),
            on(trainer::device::parse(gpu).expect("built in")),
        );
        let apart = relative_distance(&cpu.0, &gpu.0);
        let largest = difference(&cpu.0, &gpu.0);
        eprintln!(
            "{name}: gradients are {apart:e} apart, single numbers up to {largest:e}; losses {:?} {:?}",
            cpu.1, gpu.1
        );
        (name, [apart, largest], cpu.1, gpu.1)
    });
    for (name, [apart, largest], cpu, gpu) in steps {
        assert!(apart <= most_apart, "{name}: {apart}");
        assert!(largest <= most, "{name}: {largest}");
        for (cpu, gpu) in cpu.iter().zip(gpu) {
            assert!((cpu - gpu).abs() <= 1e-3 * cpu.abs(), "{name}: {cpu} {gpu}");
        }
    }
}

/// NVIDIA's matrix units round the factors of f32 products to ten bits (TF32).
#[cfg(feature = "cuda")]
#[test]
fn cuda_gives_the_loss_and_gradients_of_the_cpu() {
    assert_like_the_cpu("cuda:0", 1e-2, 2e-2);
}

/// On whatever GPU wgpu finds, a driver in software included (Mesa's `lavapipe`).
#[cfg(feature = "wgpu")]
#[test]
fn wgpu_gives_the_loss_and_gradients_of_the_cpu() {
    assert_like_the_cpu("wgpu", 1e-4, 1e-3);
}

//! What a run is expected to take, in words.

use trainer::burn::tensor::Device;
use trainer::config::TrainingSection;
use trainer::estimate::{Memory, PER_CORE, Step, Work, rate};
use trainer::llm_backbone::device::is_cpu;

use crate::{bytes, duration};

/// What a run takes, counted from shapes.
#[derive(Clone, Copy, Debug)]
pub struct Expectation {
    /// On the device that it trains on.
    pub memory: Memory,
    /// The largest step.
    pub step: Step,
    /// Without sampling.
    pub work: Work,
}

impl Expectation {
    /// A line about memory and one about time.
    pub fn lines(&self, device: &Device, training: &TrainingSection) -> [String; 2] {
        let Memory {
            weights,
            packed,
            trained,
            step,
            cache,
        } = self.memory;
        let room = match is_cpu(device) {
            true => String::new(),
            false => format!(" of {} GB (training.gpu_memory_gb)", training.gpu_memory_gb),
        };
        let sampling = match cache {
            0 => String::new(),
            cache => format!(
                "; {} for the texts sampled at a time, not during a step",
                bytes(cache)
            ),
        };
        let packed = match packed {
            0 => String::new(),
            packed => format!(
                ", {} for the same cut for tiles (training.keep_packed)",
                bytes(packed)
            ),
        };
        let Step { rows, longest, .. } = self.step;
        let memory = format!(
            "about {}{room}: {} frozen weights{packed}, {} trained ones with their moments, {} a step of {rows} rows of up to {longest} tokens{sampling}",
            bytes(self.memory.total()),
            bytes(weights),
            bytes(trained),
            bytes(step),
        );
        let (work, rate) = (self.work, rate(device, training));
        let origin = match is_cpu(device) {
            true => format!("{:.0} GFLOP/s on each core", PER_CORE / 1e9),
            false => "training.gpu_tflops".into(),
        };
        let time = format!(
            "about {} at {:.2} TFLOP/s (assumed: {origin}) for {:.1e} operations: {} training, {} reference, {} validation, {} scoring; without sampling",
            duration(work.total() / rate),
            rate / 1e12,
            work.total(),
            duration(work.training / rate),
            duration(work.reference / rate),
            duration(work.validation / rate),
            duration(work.scoring / rate),
        );
        [memory, time]
    }
}

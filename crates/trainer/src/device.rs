//! Devices by name.

use burn::tensor::Device;

use crate::config::{Checkpointing, TrainingSection};
use crate::error::TrainError;

/// Parses `flex` (the CPU) or `cuda:N`.
///
/// # Errors
/// An unknown name, or a CUDA device in a build without the feature `cuda`.
pub fn parse(name: &str) -> Result<Device, TrainError> {
    if name == "flex" {
        return Ok(Device::flex());
    }
    if let Some(index) = name
        .strip_prefix("cuda:")
        .and_then(|n| n.parse::<usize>().ok())
    {
        return cuda(index);
    }
    Err(TrainError::config("device", name, "flex or cuda:N"))
}

/// The first of the devices called `names`, without gradients.
///
/// # Errors
/// As [`parse`].
pub fn main(names: &str) -> Result<Device, TrainError> {
    parse(names.split(',').next().unwrap_or_default())
}

/// The devices of a training run, with gradients.
#[derive(Clone, Debug)]
pub struct Devices {
    /// Holds weights, optimiser and all that is computed once.
    pub main: Device,
    /// Compute gradients beside it.
    pub further: Vec<Device>,
}

/// The devices called `names`, with commas between them, with gradients.
///
/// # Errors
/// As [`parse`].
pub fn for_training(names: &str, training: &TrainingSection) -> Result<Devices, TrainError> {
    let named = |name| -> Result<Device, TrainError> {
        let device = parse(name)?.autodiff();
        Ok(match training.gradient_checkpointing {
            Checkpointing::Operations => device.gradient_checkpointing(),
            Checkpointing::None | Checkpointing::Blocks => device,
        })
    };
    let (main, further) = match names.split_once(',') {
        Some((main, further)) => (main, further.split(',').map(named).collect()),
        None => (names, Ok(Vec::new())),
    };
    Ok(Devices {
        main: named(main)?,
        further: further?,
    })
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device, TrainError> {
    Ok(Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn cuda(index: usize) -> Result<Device, TrainError> {
    let found = format!("cuda:{index}");
    let expected =
        "flex: this program was built without the feature `cuda` (cargo ... --features cuda)";
    Err(TrainError::config("device", found, expected))
}

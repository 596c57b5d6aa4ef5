//! Devices by name.

use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use burn::tensor::DeviceKind;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
use burn::tensor::DeviceType;

use crate::config::{Checkpointing, TrainingSection};
use crate::error::TrainError;

/// What a device may be called.
const NAMES: &str = "flex, cuda:N, wgpu or wgpu:N";

/// Parses `flex` (the CPU), `cuda:N`, `wgpu` (the GPU that the system puts first) or `wgpu:N` (discrete GPU number N).
///
/// # Errors
/// An unknown name, a device in a build without its feature, `cuda` or `wgpu`, or one that this machine lacks.
pub fn parse(name: &str) -> Result<Device, TrainError> {
    let unknown = || TrainError::config("device", name, NAMES);
    let (kind, index) = match name.split_once(':') {
        Some((kind, number)) => (kind, Some(number.parse().map_err(|_| unknown())?)),
        None => (name, None),
    };
    let device = match (kind, index) {
        ("flex", None) => Ok(Device::flex()),
        ("cuda", Some(index)) => cuda(index),
        ("wgpu", discrete) => wgpu(discrete),
        _ => return Err(unknown()),
    };
    device.map_err(|way_out| TrainError::config("device", name, way_out))
}

/// The device, or what to do instead.
type Found = Result<Device, String>;

/// Asked for before it is opened, since burn panics on a device that is not there.
#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Found {
    match Device::enumerate(DeviceType::Cuda).len() {
        0 => Err("flex: no NVIDIA GPU with a driver was found".into()),
        found if index < found => Ok(Device::cuda(index)),
        found => Err(format!("a number below {found}, the GPUs that were found")),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Found {
    Err(without("cuda"))
}

#[cfg(feature = "wgpu")]
fn wgpu(discrete: Option<usize>) -> Found {
    let found = Device::enumerate(DeviceType::Wgpu);
    let Some(number) = discrete else {
        return match found.is_empty() {
            true => Err("flex: no GPU with a driver for Vulkan, Metal or DirectX was found".into()),
            false => Ok(Device::wgpu(DeviceKind::DefaultDevice)),
        };
    };
    let device = Device::wgpu(DeviceKind::DiscreteGpu(number));
    match found.contains(&device) {
        true => Ok(device),
        false => Err("wgpu, or flex: there is no such discrete GPU".into()),
    }
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(_: Option<usize>) -> Found {
    Err(without("wgpu"))
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn without(feature: &str) -> String {
    format!(
        "flex: this program was built without the feature `{feature}` (cargo ... --features {feature})"
    )
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
    let mut names = names.split(',');
    Ok(Devices {
        main: named(names.next().unwrap_or_default())?,
        further: names.map(named).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        assert_eq!(parse("flex").expect("the CPU"), Device::flex());
        for wrong in [
            "", "cpu", "flex:0", "cuda", "cuda:", "cuda:x", "cuda:-1", "wgpu:",
        ] {
            let message = parse(wrong).expect_err(wrong).to_string();
            assert!(message.contains(NAMES), "{message}");
        }
    }

    /// No machine has so many, and none needs a driver for this.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    #[test]
    fn a_gpu_that_is_not_there_is_an_error() {
        for name in ["cuda:4096", "wgpu:4096"] {
            let message = parse(name).expect_err(name).to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn several_devices_have_commas_between_them() {
        let training = TrainingSection::default();
        let devices = for_training("flex,flex,flex", &training).expect("three");
        assert_eq!(devices.further.len(), 2);
        assert!(
            for_training("flex", &training)
                .expect("one")
                .further
                .is_empty()
        );
        assert!(for_training("flex,", &training).is_err());
    }
}

//! What kind of device there is.

use burn::tensor::Device;

/// Whether `device` is the CPU.
pub fn is_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

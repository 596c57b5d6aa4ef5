//! Numbers back from a device.

use burn::tensor::Tensor;

/// The values of a tensor on the host, in f32.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap_or_default() // invariant: every float type converts to f32
}

//! Numbers back from a device.

use burn::tensor::Tensor;

use crate::error::TrainError;

/// The values of a tensor on the host, in f32.
///
/// # Errors
/// A device that fails, such as one without memory left.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TrainError> {
    let values = tensor.try_into_vec_as::<f32>();
    values.map_err(|error| TrainError::Device(error.to_string()))
}

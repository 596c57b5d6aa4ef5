//! Writing a whole model as a Hugging Face folder has it.

use std::borrow::Cow;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::View;

use crate::loader::first_beyond;
use crate::matrix::cast_if_needed;
use crate::model::{Model, host};
use crate::parts::Weight;
use crate::weights::{WeightError, write_views};

/// A weight on its way to a file. Its numbers are made when they are written.
struct Written<'a> {
    weight: Weight<'a>,
    shape: Vec<usize>,
    dtype: DType,
    device: Device,
}

impl Written<'_> {
    fn bytes<const D: usize>(&self, tensor: Tensor<D>) -> Vec<u8> {
        let data = cast_if_needed(tensor, self.dtype).into_data();
        data.as_bytes().to_vec()
    }
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            _ => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match &self.weight {
            Weight::Matrix(matrix) => self.bytes(matrix.tensor(&self.device)),
            Weight::Vector(vector) => self.bytes(vector.val()),
        })
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}

impl Model {
    /// Writes every weight, without adapters, as safetensors of type `dtype`: F32, BF16 or F16.
    ///
    /// # Errors
    /// A weight that is no number, or too large for the type, by name; a file that cannot be written.
    pub fn save_weights(&self, path: &Path, dtype: DType) -> Result<(), WeightError> {
        let device = self.device();
        let mut list = Vec::new();
        for (name, weight) in self.weights() {
            let values = match &weight {
                Weight::Matrix(matrix) => host(matrix.tensor(&device)),
                Weight::Vector(vector) => host(vector.val()),
            };
            validate(path, &name, &values, dtype)?;
            let shape = weight.shape();
            let device = device.clone();
            let written = Written {
                weight,
                shape,
                dtype,
                device,
            };
            list.push((name, written));
        }
        write_views(path, list)
    }
}

fn validate(path: &Path, name: &str, values: &[f32], dtype: DType) -> Result<(), WeightError> {
    let Some((at, value)) = first_beyond(values, dtype) else {
        return Ok(());
    };
    Err(WeightError::Number {
        file: path.to_owned(),
        name: name.to_owned(),
        at,
        value,
        problem: match value.is_finite() {
            true => "16-bit floats (f16) end at 65504: write bf16 or f32",
            false => "nothing can be computed with such a model, so it is not written",
        },
    })
}

//! One PyTorch file (`pytorch_model.bin`), read without running its pickle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn_store::pytorch_reader::{DType, PytorchError, PytorchReader, Tensor};

use cpu_kernels::{TensorType, dequantise};

use super::{WeightError, WeightSource, from_f64};

/// A PyTorch state dict with tensors of type F64, F32, F16 or BF16.
///
/// burn's reader interprets the pickle's instructions as data: no code of the file runs.
pub(crate) struct PytorchFile {
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

impl PytorchFile {
    /// Reads the list of tensors.
    ///
    /// # Errors
    ///
    /// [`WeightError`] if the file cannot be read or is no PyTorch checkpoint.
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        let path = path.as_ref();
        let reader = PytorchReader::new(path).map_err(|error| match error {
            PytorchError::Io(source) => WeightError::io(path, source),
            other => WeightError::malformed(path, "checkpoint", other.to_string(), "a state dict"),
        })?;
        Ok(Self {
            path: path.to_owned(),
            tensors: reader.into_tensors().into_iter().collect(),
        })
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, WeightError> {
        self.tensors
            .get(name)
            .ok_or_else(|| WeightError::missing(&self.path, name, self.names()))
    }
}

impl WeightSource for PytorchFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightError> {
        Ok(self.tensor(name)?.shape().to_vec())
    }

    fn storage(&self, name: &str) -> Result<String, WeightError> {
        Ok(format!("{:?}", self.tensor(name)?.dtype()))
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        let tensor = self.tensor(name)?;
        let decode = match tensor.dtype() {
            DType::F32 => |raw: &[u8]| dequantise(TensorType::F32, raw),
            DType::F16 => |raw: &[u8]| dequantise(TensorType::F16, raw),
            DType::BF16 => |raw: &[u8]| dequantise(TensorType::BF16, raw),
            DType::F64 => from_f64,
            other => {
                let item = format!("tensor `{name}`");
                let found = format!("type {other:?}");
                return Err(WeightError::unsupported(
                    &self.path,
                    item,
                    found,
                    "F64, F32, F16, BF16",
                ));
            }
        };
        let raw = tensor
            .read()
            .map_err(|source| WeightError::io(&self.path, source))?;
        Ok(decode(&raw))
    }
}

//! Weights from files, one tensor at a time, under their Hugging Face names.
//!
//! [`open`] takes what people have: a Hugging Face directory (safetensors or PyTorch `.bin`, in one file or sharded) or a
//! GGUF file. Whatever it is, a [`WeightSource`] gives 32-bit numbers in row-major order and in the layout of Hugging
//! Face. Files are read when a tensor is asked for, so no more than one tensor is in memory because of this module.

mod bytes;
mod error;
mod folder;
mod gguf;
pub(crate) mod gguf_names;
mod pytorch;
mod safetensors;
mod sharded;
mod unused;
mod write;

use std::path::Path;

pub(crate) use bytes::ByteFile;
pub use error::WeightError;
pub(crate) use folder::{UNQUANTISED, open_file, refuse_pointer};
pub(crate) use gguf::GgufWeights;
pub(crate) use pytorch::PytorchFile;
pub use safetensors::SafetensorsFile;
pub(crate) use sharded::Sharded;
pub(crate) use unused::{WRITERS, warn_of_unread};
pub use write::write_safetensors;
pub(crate) use write::write_views;

use crate::config::ModelConfig;
use cpu_kernels::StoredMatrix;

/// Named tensors that are read on demand.
pub trait WeightSource: Send + Sync {
    /// The file or directory, for messages.
    fn path(&self) -> &Path;

    /// Every tensor's name, sorted.
    fn names(&self) -> Vec<String>;

    /// A tensor's shape, outermost dimension first; a linear layer is `[out, in]`.
    ///
    /// # Errors
    ///
    /// [`WeightError::Missing`] if there is no such tensor.
    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightError>;

    /// How a tensor is stored (`F32`, `BF16`, `Q4_1`, ...), for display.
    ///
    /// # Errors
    ///
    /// [`WeightError::Missing`] if there is no such tensor.
    fn storage(&self, name: &str) -> Result<String, WeightError>;

    /// A tensor's numbers, row-major.
    ///
    /// # Errors
    ///
    /// [`WeightError`] if there is no such tensor, the file cannot be read, or the tensor does not hold real numbers.
    fn read(&self, name: &str) -> Result<Vec<f32>, WeightError>;

    /// A matrix as the file stores it; `None` where that is not shorter than 32 bits a number.
    ///
    /// # Errors
    ///
    /// As [`WeightSource::read`].
    fn stored(&self, _name: &str) -> Result<Option<StoredMatrix>, WeightError> {
        Ok(None)
    }

    /// Whether there is a tensor of this name.
    fn contains(&self, name: &str) -> bool {
        self.shape(name).is_ok()
    }
}

/// Opens a model: a Hugging Face directory, a GGUF file, or a directory that holds one GGUF file and no `config.json`.
///
/// # Errors
///
/// [`WeightError`] naming the file, and the key or tensor in it, and what was found and expected.
pub fn open(path: impl AsRef<Path>) -> Result<(ModelConfig, Box<dyn WeightSource>), WeightError> {
    let path = path.as_ref();
    if !path.is_dir() {
        folder::refuse_part(path)?;
        return open_gguf(path);
    }
    let config = path.join("config.json");
    if config.is_file() {
        return Ok((
            ModelConfig::from_hf_file(&config)?,
            folder::open_directory(path)?,
        ));
    }
    match crate::gguf::only_file_in(path) {
        Some(file) => {
            folder::refuse_part(&file)?;
            open_gguf(&file)
        }
        None => Err(folder::no_model(path)),
    }
}

/// Numbers in double precision, little-endian.
fn from_f64(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers
        .iter()
        .map(|raw| f64::from_le_bytes(*raw) as f32)
        .collect()
}

fn open_gguf(path: &Path) -> Result<(ModelConfig, Box<dyn WeightSource>), WeightError> {
    let (config, weights) = GgufWeights::open(path)?;
    Ok((config, Box::new(weights)))
}

#[cfg(test)]
mod tests;

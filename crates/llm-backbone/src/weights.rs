//! Weights from files, one tensor at a time, under their Hugging Face names.
//!
//! [`open`] takes what people have: a Hugging Face directory (safetensors or PyTorch `.bin`, in one file or sharded) or a
//! GGUF file. Whatever it is, a [`WeightSource`] gives 32-bit numbers in row-major order and in the layout of Hugging
//! Face. Files are read when a tensor is asked for, so no more than one tensor is in memory because of this module.

mod bytes;
mod error;
pub(crate) mod floats;
mod gguf;
pub(crate) mod gguf_names;
mod pytorch;
mod safetensors;
mod sharded;
mod write;

use std::path::Path;

pub(crate) use bytes::ByteFile;
pub use error::WeightError;
pub use gguf::GgufWeights;
pub use pytorch::PytorchFile;
pub use safetensors::SafetensorsFile;
pub use sharded::Sharded;
pub use write::{replace_file, write_safetensors};

use crate::config::ModelConfig;
use crate::stored::StoredMatrix;

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
        return open_gguf(path);
    }
    let config = path.join("config.json");
    if config.is_file() {
        return Ok((ModelConfig::from_hf_file(&config)?, open_directory(path)?));
    }
    match crate::gguf::only_file_in(path) {
        Some(file) => open_gguf(&file),
        None => Err(WeightError::NoModel {
            path: path.to_owned(),
            expected: "`config.json` or one GGUF file".to_owned(),
        }),
    }
}

fn open_gguf(path: &Path) -> Result<(ModelConfig, Box<dyn WeightSource>), WeightError> {
    let (config, weights) = GgufWeights::open(path)?;
    Ok((config, Box::new(weights)))
}

/// The weights of a Hugging Face directory, in the order `transformers` looks for them.
fn open_directory(folder: &Path) -> Result<Box<dyn WeightSource>, WeightError> {
    let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    if let Some(path) = file("model.safetensors") {
        return Ok(Box::new(SafetensorsFile::open(path)?));
    }
    if let Some(path) = file("model.safetensors.index.json") {
        return Ok(Box::new(Sharded::open(path)?));
    }
    if let Some(path) = file("pytorch_model.bin") {
        return Ok(Box::new(PytorchFile::open(path)?));
    }
    if let Some(path) = file("pytorch_model.bin.index.json") {
        return Ok(Box::new(Sharded::open(path)?));
    }
    Err(WeightError::NoModel {
        path: folder.to_owned(),
        expected: "`model.safetensors` or `pytorch_model.bin`, or the index of a sharded one"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests;

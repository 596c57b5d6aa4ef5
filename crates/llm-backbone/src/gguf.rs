//! GGUF files: metadata, tensor list, and the quantised block types.
//!
//! The format is that of <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian.
//! Nothing in a file is trusted: every count is held against the bytes that are left before anything is allocated.

mod layout;
mod reader;
mod value;

use std::fs::File;
use std::path::{Path, PathBuf};

pub(crate) use cpu_kernels::TensorType;
pub(crate) use layout::TensorInfo;
pub(crate) use value::Metadata;

use cpu_kernels::dequantise;

use crate::weights::{ByteFile, WeightError};

/// An opened GGUF file: its metadata and its list of tensors. Tensor data stays on disk until asked for.
#[derive(Debug)]
pub(crate) struct GgufFile {
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    bytes: ByteFile,
}

impl GgufFile {
    /// Reads and checks the header of `path`.
    ///
    /// # Errors
    ///
    /// [`WeightError`] naming the file and the key or tensor if the file is no GGUF, is cut off, or contradicts itself.
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| WeightError::io(path, source))?;
        let bytes = ByteFile::new(path, file)?;
        let mut header = reader::HeaderReader::new(path)?;
        let counts = header.counts()?;
        let metadata = header.metadata(counts.keys)?;
        refuse_part(path, &metadata)?;
        let mut tensors = header.tensors(counts.tensors)?;
        layout::place(&mut tensors, &metadata, header.position(), &bytes)?;
        Ok(Self {
            metadata,
            tensors,
            bytes,
        })
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        self.bytes.path()
    }

    /// The keys and values in front of the tensors.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The tensors in the order of the file, under their GGUF names.
    pub(crate) fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor of a GGUF name, if there is one.
    pub(crate) fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Reads one tensor's data, dequantised, in row-major order.
    ///
    /// # Errors
    ///
    /// [`WeightError::Io`] if the file cannot be read.
    pub(crate) fn read(&self, tensor: &TensorInfo) -> Result<Vec<f32>, WeightError> {
        Ok(dequantise(tensor.kind, &self.read_raw(tensor)?))
    }

    /// Reads one tensor's data as it is stored.
    ///
    /// # Errors
    ///
    /// [`WeightError::Io`] if the file cannot be read.
    pub(crate) fn read_raw(&self, tensor: &TensorInfo) -> Result<Vec<u8>, WeightError> {
        self.bytes.read(tensor.position, tensor.bytes)
    }
}

/// Refuses one of the files that a model was split into: only the first says what the model is, and none has all tensors.
fn refuse_part(path: &Path, metadata: &Metadata) -> Result<(), WeightError> {
    let Some(count) = metadata.u64("split.count").filter(|count| *count > 1) else {
        return Ok(());
    };
    let number = metadata.u64("split.no").unwrap_or(0).saturating_add(1);
    let found = format!("part {number} of {count} of a GGUF file that was split");
    let next = "put the parts together with `llama-gguf-split --merge FIRST-PART WHOLE`, and give the whole file";
    Err(WeightError::something_else(path, found, next))
}

/// Finds the only GGUF file in a folder, if there is exactly one.
pub(crate) fn only_file_in(folder: &Path) -> Option<PathBuf> {
    let mut found = std::fs::read_dir(folder).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        (path.extension()? == "gguf").then_some(path)
    });
    match (found.next(), found.next()) {
        (Some(path), None) => Some(path),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod test_file;
#[cfg(test)]
mod tests;

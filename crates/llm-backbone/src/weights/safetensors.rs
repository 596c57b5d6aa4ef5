//! One safetensors file (<https://github.com/huggingface/safetensors>).

use std::fs::File;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{ByteFile, WeightError, WeightSource, from_f64};
use cpu_kernels::{StoredMatrix, TensorType, dequantise};

/// Longest header the format allows, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// A safetensors file with tensors of type F64, F32, F16 or BF16.
#[derive(Debug)]
pub struct SafetensorsFile {
    bytes: ByteFile,
    metadata: Metadata,
    data_start: u64,
}

impl SafetensorsFile {
    /// Reads and checks the header.
    ///
    /// # Errors
    ///
    /// [`WeightError`] if the file cannot be read, is cut off, or its header is malformed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| WeightError::io(path, source))?;
        let bytes = ByteFile::new(path, file)?;
        let header_len = header_len(&bytes)?;
        let header = bytes.read(8, header_len as usize)?;
        // The crate checks that offsets are in order, leave no gap, and match shape and type.
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| {
            WeightError::malformed(path, "header", error.to_string(), "a safetensors header")
        })?;
        let data_start = 8 + header_len;
        let end = data_start.saturating_add(metadata.data_len() as u64);
        if end > bytes.len() {
            return Err(WeightError::truncated(path, "data", bytes.len(), end));
        }
        if end < bytes.len() {
            let found = format!("{} bytes behind the last tensor", bytes.len() - end);
            return Err(WeightError::malformed(path, "data", found, "none"));
        }
        Ok(Self {
            bytes,
            metadata,
            data_start,
        })
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, WeightError> {
        self.metadata
            .info(name)
            .ok_or_else(|| WeightError::missing(self.path(), name, self.names()))
    }

    fn raw(&self, info: &TensorInfo) -> Result<Vec<u8>, WeightError> {
        let (start, end) = info.data_offsets;
        self.bytes.read(self.data_start + start as u64, end - start)
    }
}

/// The first eight bytes, which say how long the header is.
fn header_len(bytes: &ByteFile) -> Result<u64, WeightError> {
    if bytes.len() < 8 {
        return Err(WeightError::truncated(
            bytes.path(),
            "header",
            bytes.len(),
            8,
        ));
    }
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes.read(0, 8)?);
    let len = u64::from_le_bytes(raw);
    if len > LONGEST_HEADER {
        let expected = format!("at most {LONGEST_HEADER} bytes");
        let found = format!("a length of {len}");
        return Err(WeightError::malformed(
            bytes.path(),
            "header",
            found,
            expected,
        ));
    }
    if 8 + len > bytes.len() {
        return Err(WeightError::truncated(
            bytes.path(),
            "header",
            bytes.len(),
            8 + len,
        ));
    }
    Ok(len)
}

impl WeightSource for SafetensorsFile {
    fn path(&self) -> &Path {
        self.bytes.path()
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.metadata.offset_keys();
        names.sort_unstable();
        names
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightError> {
        Ok(self.info(name)?.shape.clone())
    }

    fn storage(&self, name: &str) -> Result<String, WeightError> {
        Ok(self.info(name)?.dtype.to_string())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        let info = self.info(name)?;
        let decode = match info.dtype {
            Dtype::F32 => |raw: &[u8]| dequantise(TensorType::F32, raw),
            Dtype::F16 => |raw: &[u8]| dequantise(TensorType::F16, raw),
            Dtype::BF16 => |raw: &[u8]| dequantise(TensorType::BF16, raw),
            Dtype::F64 => from_f64,
            other => {
                let item = format!("tensor `{name}`");
                let found = format!("type {other}");
                return Err(WeightError::unsupported(
                    self.path(),
                    item,
                    found,
                    "F64, F32, F16, BF16",
                ));
            }
        };
        Ok(decode(&self.raw(info)?))
    }

    fn stored(&self, name: &str) -> Result<Option<StoredMatrix>, WeightError> {
        let info = self.info(name)?;
        let kind = match info.dtype {
            Dtype::F16 => TensorType::F16,
            Dtype::BF16 => TensorType::BF16,
            _ => return Ok(None),
        };
        let &[rows, columns] = info.shape.as_slice() else {
            return Ok(None);
        };
        Ok(StoredMatrix::new(kind, self.raw(info)?, [rows, columns]))
    }
}

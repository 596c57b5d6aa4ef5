//! A model in a GGUF file, under Hugging Face names and in the Hugging Face layout.

use std::path::Path;

use super::gguf_names::{Place, Places};
use super::{WeightError, WeightSource};
use crate::config::ModelConfig;
use crate::family;
use crate::gguf::{GgufFile, TensorInfo, TensorType};
use cpu_kernels::StoredMatrix;

/// The tensors of a GGUF file.
#[derive(Debug)]
pub(crate) struct GgufWeights {
    file: GgufFile,
    places: Places,
}

impl GgufWeights {
    /// Opens a GGUF file and reads the model's shape from it.
    ///
    /// # Errors
    ///
    /// [`WeightError`] if the file is malformed, or holds a model or a tensor that this crate does not know.
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<(ModelConfig, Self), WeightError> {
        let file = GgufFile::open(path)?;
        let (family, places) = family::from_gguf(&file)?;
        let config = ModelConfig(family);
        config.validate(file.path())?;
        Ok((config, Self { file, places }))
    }

    fn find(&self, name: &str) -> Result<(&TensorInfo, Place), WeightError> {
        match self.places.get(name) {
            Some(place) => Ok((&self.file.tensors()[place.index], *place)),
            None => Err(WeightError::missing(self.file.path(), name, self.names())),
        }
    }

    /// A tensor's numbers or bytes with its rows in the Hugging Face order.
    fn in_order<T: Copy>(
        &self,
        info: &TensorInfo,
        place: Place,
        content: Vec<T>,
    ) -> Result<Vec<T>, WeightError> {
        let Some(heads) = place.permuted_heads else {
            return Ok(content);
        };
        let rows = info.shape.first().copied().unwrap_or(0);
        if heads == 0 || !rows.is_multiple_of(2 * heads) {
            let item = format!("tensor `{}`", info.name);
            let expected = format!("{heads} heads of an even width");
            let found = format!("{rows} rows");
            return Err(WeightError::malformed(self.path(), item, found, expected));
        }
        Ok(unpermute(&content, rows, heads))
    }
}

impl WeightSource for GgufWeights {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightError> {
        Ok(self.find(name)?.0.shape.clone())
    }

    fn storage(&self, name: &str) -> Result<String, WeightError> {
        Ok(self.find(name)?.0.kind.to_string())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        let (info, place) = self.find(name)?;
        let mut numbers = self.file.read(info)?;
        if place.above_one {
            numbers.iter_mut().for_each(|number| *number -= 1.0);
        }
        self.in_order(info, place, numbers)
    }

    fn stored(&self, name: &str) -> Result<Option<StoredMatrix>, WeightError> {
        let (info, place) = self.find(name)?;
        let &[rows, columns] = info.shape.as_slice() else {
            return Ok(None);
        };
        if info.kind == TensorType::F32 {
            return Ok(None);
        }
        // Rows are whole blocks, so that they can change places as they are.
        let bytes = self.in_order(info, place, self.file.read_raw(info)?)?;
        Ok(StoredMatrix::new(info.kind, bytes, [rows, columns]))
    }
}

/// Puts the rows of a query or key matrix, of numbers or of bytes, back into the Hugging Face order.
///
/// Hugging Face rotates dimension `j` of a head with dimension `j + width / 2`. The GGUF converter reorders rows so that
/// the two are neighbours: row `2 j + i` of a head in the file is row `i * width / 2 + j` (`i` is 0 or 1).
fn unpermute<T: Copy>(numbers: &[T], rows: usize, heads: usize) -> Vec<T> {
    let columns = numbers.len() / rows;
    let width = rows / heads;
    let mut out = Vec::with_capacity(numbers.len());
    for head in 0..heads {
        for half in 0..2 {
            for j in 0..width / 2 {
                let row = head * width + 2 * j + half;
                out.extend_from_slice(&numbers[row * columns..][..columns]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;

//! Writing safetensors, and files in general, so that an interrupted write leaves what existed.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{SafeTensorError, View, serialize_to_file};
use whole_file::Unfinished;

use super::WeightError;

struct Tensor {
    shape: Vec<usize>,
    numbers: Vec<f32>,
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        self.numbers.len() * 4
    }
}

/// Writes `(name, shape, numbers)` as 32-bit safetensors that `transformers` and `peft` read.
///
/// # Errors
///
/// [`WeightError`] if a shape does not fit its numbers, a name comes twice, or the disk refuses. An existing file is
/// then as it was.
pub fn write_safetensors(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> Result<(), WeightError> {
    let path = path.as_ref();
    let mut names = BTreeSet::new();
    let mut list = Vec::new();
    for (name, shape, numbers) in tensors {
        let count = shape
            .iter()
            .try_fold(1_usize, |n, size| n.checked_mul(*size));
        if count != Some(numbers.len()) {
            let found = format!("{} numbers", numbers.len());
            let expected = format!("as many as the shape {shape:?} holds");
            return Err(WeightError::malformed(
                path,
                format!("tensor `{name}`"),
                found,
                expected,
            ));
        }
        if !names.insert(name.clone()) {
            let item = format!("tensor `{name}`");
            return Err(WeightError::malformed(
                path,
                item,
                "it twice",
                "every name once",
            ));
        }
        list.push((name, Tensor { shape, numbers }));
    }
    write_views(path, list)
}

/// Writes tensors that give their bytes when asked, one after the other.
pub(crate) fn write_views<V: View>(path: &Path, list: Vec<(String, V)>) -> Result<(), WeightError> {
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    replace_file(path, |temporary| {
        serialize_to_file(list, Some(about), temporary).map_err(|error| match error {
            SafeTensorError::IoError(source) => WeightError::io(path, source),
            other => WeightError::malformed(path, "header", other.to_string(), "a valid one"),
        })
    })
}

/// Lets `write` fill a temporary file in the same folder, syncs it, and renames it to `path`.
///
/// # Errors
///
/// What `write` returns, or [`WeightError::Io`]. The temporary file is then removed and `path` is as it was.
pub(super) fn replace_file(
    path: impl AsRef<Path>,
    write: impl FnOnce(&Path) -> Result<(), WeightError>,
) -> Result<(), WeightError> {
    let path = path.as_ref();
    let failed = |source| WeightError::io(path, source);
    let file = Unfinished::new(path).map_err(failed)?;
    write(file.temporary())?;
    file.sync().and_then(|()| file.finish()).map_err(failed)
}

//! `user_model.safetensors`: shared tensors, rows, and optionally the rows' optimiser state.
//!
//! | tensor | type | shape |
//! |---|---|---|
//! | `shared` | F32 | `[1 or K, T_u, width]`, absent if users share nothing |
//! | `rows` | F32 | `[rows, row_len]`, absent if no row exists |
//! | `first_moments`, `second_moments` | F32 | as `rows`; all three of these or none |
//! | `steps` | U64 | `[rows]`, 0 for a row without moments |

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Moments;
use crate::table::{Row, RowMoments};
use crate::{FileError, UserModel, UserModelConfig};

const SHARED: &str = "shared";
const ROWS: &str = "rows";
const FIRST: &str = "first_moments";
const SECOND: &str = "second_moments";
const STEPS: &str = "steps";

/// What the file holds.
#[derive(Debug)]
pub(super) struct Tensors {
    /// Numbers of the shared tensors; empty if there are none.
    pub shared: Vec<f32>,
    /// The rows, in the manifest's order.
    pub rows: Vec<Row>,
}

/// The file's bytes.
pub(super) fn encode(
    model: &UserModel,
    rows: &[&Row],
    moments: Moments,
) -> Result<Vec<u8>, FileError> {
    let row_len = model.config().row_len();
    let mut buffers: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    if let Some(shared) = model.shared() {
        let shape = shared.dims().to_vec();
        let values = shared
            .try_into_vec_as::<f32>()
            .map_err(|error| FileError::Unsavable(error.to_string()))?;
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        buffers.push((SHARED, Dtype::F32, shape, bytes));
    }
    if !rows.is_empty() {
        let mut push_rows = |name, part: RowPart| {
            let shape = vec![rows.len(), row_len];
            buffers.push((name, Dtype::F32, shape, row_bytes(rows, row_len, part)));
        };
        push_rows(ROWS, |row| Some(&row.values));
        if moments == Moments::Keep {
            push_rows(FIRST, |row| row.moments.as_ref().map(|m| &m.first));
            push_rows(SECOND, |row| row.moments.as_ref().map(|m| &m.second));
            let steps = rows
                .iter()
                .map(|row| row.moments.as_ref().map_or(0, |m| m.steps));
            let steps = steps.flat_map(u64::to_le_bytes).collect();
            buffers.push((STEPS, Dtype::U64, vec![rows.len()], steps));
        }
    }
    let unsavable = |error: safetensors::SafeTensorError| FileError::Unsavable(error.to_string());
    let mut views = Vec::with_capacity(buffers.len());
    for (name, dtype, shape, bytes) in &buffers {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(unsavable)?;
        views.push((*name, view));
    }
    safetensors::serialize(views, None).map_err(unsavable)
}

/// Reads the file of `count` rows.
pub(super) fn decode(
    path: &Path,
    file: &[u8],
    config: &UserModelConfig,
    count: usize,
) -> Result<Tensors, FileError> {
    let tensors = SafeTensors::deserialize(file).map_err(|source| FileError::Safetensors {
        path: path.to_owned(),
        source,
    })?;
    let mut reader = Reader {
        path,
        tensors,
        taken: Vec::new(),
    };
    let row_shape = [count, config.row_len()];
    let shared = match config.shared_tensors() {
        0 => Vec::new(),
        _ => reader.floats(SHARED, &UserModel::shared_shape(config))?,
    };
    let mut rows = Vec::new();
    if count > 0 {
        let values = reader.floats(ROWS, &row_shape)?;
        let state = if reader.has_any(&[FIRST, SECOND, STEPS]) {
            Some((
                reader.floats(FIRST, &row_shape)?,
                reader.floats(SECOND, &row_shape)?,
                reader.steps(count)?,
            ))
        } else {
            None
        };
        // invariant: row_len > 0, or the manifest would have no rows
        for (at, values) in values.chunks(config.row_len()).enumerate() {
            let range = at * config.row_len()..(at + 1) * config.row_len();
            let moments = state.as_ref().and_then(|(first, second, steps)| {
                (steps[at] > 0).then(|| RowMoments {
                    first: first[range.clone()].to_vec(),
                    second: second[range.clone()].to_vec(),
                    steps: steps[at],
                })
            });
            rows.push(Row {
                values: values.to_vec(),
                moments,
            });
        }
    }
    reader.finish()?;
    Ok(Tensors { shared, rows })
}

/// Takes tensors by name, checked, and knows which are left over.
struct Reader<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    taken: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    fn take(
        &mut self,
        name: &'static str,
        dtype: Dtype,
        shape: &[usize],
    ) -> Result<&'a [u8], FileError> {
        let expected = format!("a {dtype:?} tensor of shape {shape:?}");
        let wrong = |found: String| FileError::content(self.path, name, found, &expected);
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| wrong("missing".into()))?;
        if view.dtype() != dtype || view.shape() != shape {
            let found = format!("a {:?} tensor of shape {:?}", view.dtype(), view.shape());
            return Err(wrong(found));
        }
        self.taken.push(name);
        Ok(view.data())
    }

    fn floats(&mut self, name: &'static str, shape: &[usize]) -> Result<Vec<f32>, FileError> {
        let bytes = self.take(name, Dtype::F32, shape)?;
        let (chunks, _) = bytes.as_chunks::<4>();
        Ok(chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect())
    }

    fn steps(&mut self, count: usize) -> Result<Vec<u64>, FileError> {
        let bytes = self.take(STEPS, Dtype::U64, &[count])?;
        let (chunks, _) = bytes.as_chunks::<8>();
        Ok(chunks
            .iter()
            .map(|chunk| u64::from_le_bytes(*chunk))
            .collect())
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.tensors.tensor(name).is_ok())
    }

    fn finish(self) -> Result<(), FileError> {
        let mut names = self.tensors.names();
        names.sort_unstable();
        match names.into_iter().find(|name| !self.taken.contains(name)) {
            Some(name) => Err(FileError::content(
                self.path,
                name,
                "a tensor that user_model.json gives no place to",
                "no such tensor",
            )),
            None => Ok(()),
        }
    }
}

/// Some numbers of a row, `[row_len]`; a row that lacks them has zeros.
type RowPart = fn(&Row) -> Option<&Vec<f32>>;

/// The numbers of all rows, in their order.
fn row_bytes(rows: &[&Row], row_len: usize, part: RowPart) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * row_len * size_of::<f32>());
    for row in rows {
        match part(row) {
            Some(values) => values
                .iter()
                .for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())),
            None => bytes.resize(bytes.len() + row_len * size_of::<f32>(), 0),
        }
    }
    bytes
}

//! Where each tensor lies in the file, and that none lies on another.

use std::collections::HashSet;
use std::path::Path;

use super::value::Metadata;
use crate::weights::{ByteFile, WeightError};
use cpu_kernels::TensorType;

/// Alignment of tensor data where the file does not name one.
const DEFAULT_ALIGNMENT: u64 = 32;

/// One tensor of a GGUF file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TensorInfo {
    /// Its name in the file.
    pub(crate) name: String,
    /// Its shape, outermost dimension first (a GGUF file lists the innermost first).
    pub(crate) shape: Vec<usize>,
    /// How its numbers are stored.
    pub(crate) kind: TensorType,
    /// Where its data starts, in bytes from the start of the file.
    pub(crate) position: u64,
    /// How long its data is, in bytes.
    pub(crate) bytes: usize,
}

impl TensorInfo {
    /// Checks shape against type; `offset` is still relative to the data section.
    pub(super) fn new(
        file: &Path,
        name: String,
        sizes: &[u64],
        kind: TensorType,
        offset: u64,
    ) -> Result<Self, WeightError> {
        let bad = |found: String, expected: String| {
            WeightError::malformed(file, format!("tensor `{name}`"), found, expected)
        };
        let row = sizes.first().copied().unwrap_or(0);
        if row % kind.block() as u64 != 0 {
            let expected = format!("a multiple of {} ({kind})", kind.block());
            return Err(bad(format!("rows of {row}"), expected));
        }
        let count = sizes.iter().try_fold(1_u64, |n, size| n.checked_mul(*size));
        let bytes = count
            .filter(|count| *count > 0)
            .map(|count| count / kind.block() as u64)
            .and_then(|blocks| blocks.checked_mul(kind.block_bytes() as u64))
            .and_then(|bytes| usize::try_from(bytes).ok());
        let Some(bytes) = bytes else {
            let expected = "sizes of at least 1 whose product fits the address space".to_owned();
            return Err(bad(format!("the dimensions {sizes:?}"), expected));
        };
        Ok(Self {
            name,
            // Each size divides a product that fits `usize`.
            shape: sizes.iter().rev().map(|size| *size as usize).collect(),
            kind,
            position: offset,
            bytes,
        })
    }

    fn end(&self) -> u64 {
        self.position.saturating_add(self.bytes as u64)
    }
}

/// Turns offsets into positions in the file and checks names, alignment, bounds and overlaps.
pub(super) fn place(
    tensors: &mut [TensorInfo],
    metadata: &Metadata,
    header_end: u64,
    file: &ByteFile,
) -> Result<(), WeightError> {
    let path = file.path();
    validate_names(tensors, path)?;
    let alignment = alignment(metadata, path)?;
    let start = header_end.checked_next_multiple_of(alignment);
    for tensor in tensors.iter_mut() {
        let item = format!("tensor `{}`", tensor.name);
        if !tensor.position.is_multiple_of(alignment) {
            let found = format!("offset {}", tensor.position);
            let expected = format!("a multiple of {alignment}");
            return Err(WeightError::malformed(path, item, found, expected));
        }
        let end = start
            .and_then(|start| start.checked_add(tensor.position))
            .and_then(|position| position.checked_add(tensor.bytes as u64));
        match end {
            Some(end) if end <= file.len() => tensor.position = end - tensor.bytes as u64,
            _ => {
                let expected = end.unwrap_or(u64::MAX);
                return Err(WeightError::truncated(path, item, file.len(), expected));
            }
        }
    }
    validate_overlaps(tensors, path)
}

fn alignment(metadata: &Metadata, path: &Path) -> Result<u64, WeightError> {
    let key = "general.alignment";
    let Some(value) = metadata.get(key) else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    match value.as_u64() {
        Some(alignment) if alignment.is_power_of_two() => Ok(alignment),
        _ => {
            let item = format!("key `{key}`");
            Err(WeightError::malformed(
                path,
                item,
                value.kind(),
                "a power of two",
            ))
        }
    }
}

fn validate_names(tensors: &[TensorInfo], path: &Path) -> Result<(), WeightError> {
    let mut seen = HashSet::with_capacity(tensors.len());
    match tensors
        .iter()
        .find(|tensor| !seen.insert(tensor.name.as_str()))
    {
        None => Ok(()),
        Some(twice) => {
            let item = format!("tensor `{}`", twice.name);
            Err(WeightError::malformed(
                path,
                item,
                "it twice",
                "every name once",
            ))
        }
    }
}

fn validate_overlaps(tensors: &[TensorInfo], path: &Path) -> Result<(), WeightError> {
    let mut sorted: Vec<&TensorInfo> = tensors.iter().collect();
    sorted.sort_by_key(|tensor| tensor.position);
    for pair in sorted.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        if first.end() > second.position {
            return Err(WeightError::malformed(
                path,
                format!("tensor `{}`", second.name),
                format!("its data at byte {}", second.position),
                format!("it behind `{}`, which ends at {}", first.name, first.end()),
            ));
        }
    }
    Ok(())
}

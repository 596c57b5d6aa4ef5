//! Files that are whole or not there.

use std::path::Path;

use llm_backbone::weights::{self, WeightError};

use crate::error::TrainError;

/// Writes a file under a temporary name, syncs it, and lets it take the place of the old one.
///
/// # Errors
/// A disk that is full or a folder that cannot be written; the old file is then as it was.
pub fn replace_file(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), TrainError> {
    Ok(weights::replace_file(path, |temporary| {
        std::fs::write(temporary, bytes).map_err(|source| WeightError::Io {
            file: path.into(),
            source,
        })
    })?)
}

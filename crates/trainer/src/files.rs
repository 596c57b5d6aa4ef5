//! Files that are whole or not there, and folders that are free.

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

/// Refuses a folder that holds something already.
///
/// # Errors
/// [`TrainError::Occupied`].
pub fn validate_free(dir: &Path) -> Result<(), TrainError> {
    match std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        true => Err(TrainError::Occupied { path: dir.into() }),
        false => Ok(()),
    }
}

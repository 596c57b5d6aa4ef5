//! The user model on disk: `user_model.safetensors` and `user_model.json` in one directory, and beside them a folder of fitted users.

mod fitted;
mod manifest;
mod tensors;

use std::path::Path;

use burn::tensor::Device;
use sha2::{Digest, Sha256};
use whole_file::Unfinished;

use crate::table::Row;
use crate::{FileError, UserModel, UserTable};
pub use fitted::{DatedBelief, FITTED_FOLDER, FittedRow, FittedUsers, KeptBelief, UserBelief};
use manifest::Manifest;

/// Name of the file that holds the numbers.
const TENSOR_FILE: &str = "user_model.safetensors";
/// Name of the file that holds configuration and id table.
pub const MANIFEST_FILE: &str = "user_model.json";

/// Whether to save the optimiser state of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moments {
    /// Keep it: a checkpoint to resume from.
    Keep,
    /// Leave it out: an adapter to use.
    Drop,
}

/// Writes model and table into the directory `dir`, which must exist. Both files are complete under
/// temporary names before either takes its place. Fitted users stay as they are.
///
/// # Errors
///
/// [`FileError::Io`] (nothing is replaced if the disk is full), or [`FileError::Unsavable`] if
/// model and table have different configurations.
pub fn save(
    dir: &Path,
    model: &UserModel,
    table: &UserTable,
    moments: Moments,
) -> Result<(), FileError> {
    if model.config() != table.config() {
        return Err(FileError::Unsavable(
            "the model and the table have different configurations".into(),
        ));
    }
    let (tensor_path, manifest_path) = (dir.join(TENSOR_FILE), dir.join(MANIFEST_FILE));
    let rows: Vec<&Row> = table.rows.values().collect();
    let tensors = tensors::encode(model, &rows, moments)?;
    let manifest = Manifest::new(table, &tensors);
    let mut text = serde_json::to_vec_pretty(&manifest).map_err(FileError::json(&manifest_path))?;
    text.push(b'\n');
    write_atomically(&[(&tensor_path, &tensors), (&manifest_path, &text)])?;
    tracing::debug!(users = table.len(), rows = table.touched(), dir = %dir.display(), "saved the user model");
    Ok(())
}

/// Reads what [`save`] wrote; the numbers are the same to the bit. The rows' optimiser state is
/// restored if the files hold it. Of fitted users nothing is read: the table finds each when asked.
///
/// A table whose first rows come from the vocabulary needs
/// [`with_vocabulary`](UserTable::with_vocabulary) again.
///
/// # Errors
///
/// [`FileError`] names the file, the key or tensor, what was found and what was expected.
pub fn load(dir: &Path, device: &Device) -> Result<(UserModel, UserTable), FileError> {
    let (tensor_path, manifest_path) = (dir.join(TENSOR_FILE), dir.join(MANIFEST_FILE));
    let manifest = Manifest::parse(&manifest_path, &read(&manifest_path)?)?;
    let bytes = read(&tensor_path)?;
    let tensors = tensors::decode(&tensor_path, &bytes, &manifest.config, manifest.row_count())?;
    manifest.validate_tensor_file(&tensor_path, &bytes)?;
    let model = UserModel::from_shared(manifest.config.clone(), tensors.shared, device);
    let mut table = manifest.into_table(&manifest_path, tensors.rows)?;
    table.fitted = FittedUsers::beside(dir);
    tracing::debug!(users = table.len(), rows = table.touched(), dir = %dir.display(), "loaded the user model");
    Ok((model, table))
}

/// Removes a file, which need not be there.
fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(FileError::io(path)(e)),
        _ => Ok(()),
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(FileError::io(path))
}

/// Writes every file under a temporary name beside its own, then renames them all.
pub(crate) fn write_atomically(files: &[(&Path, &[u8])]) -> Result<(), FileError> {
    let written = files.iter().map(|(path, bytes)| {
        let file = Unfinished::with(path, bytes);
        Ok((path, file.map_err(FileError::io(path))?))
    });
    for (path, file) in written.collect::<Result<Vec<_>, FileError>>()? {
        file.finish().map_err(FileError::io(path))?;
    }
    Ok(())
}

//! The user model on disk: `user_model.safetensors` and `user_model.json` in one directory.

mod manifest;
mod tensors;

use std::io::Write;
use std::path::Path;

use burn::tensor::Device;
use tempfile::NamedTempFile;

use crate::table::Row;
use crate::{FileError, UserModel, UserTable};
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
/// temporary names before either takes its place.
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
/// restored if the files hold it.
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
    let table = manifest.into_table(&manifest_path, tensors.rows)?;
    tracing::debug!(users = table.len(), rows = table.touched(), dir = %dir.display(), "loaded the user model");
    Ok((model, table))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(FileError::io(path))
}

/// Writes every file under a temporary name beside its own, then renames them all.
pub(crate) fn write_atomically(files: &[(&Path, &[u8])]) -> Result<(), FileError> {
    let mut written = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        written.push((
            path,
            write_temporary(path, bytes).map_err(FileError::io(path))?,
        ));
    }
    for (path, file) in written {
        let renamed = file.persist(path);
        renamed.map_err(|failed| FileError::io(path)(failed.error))?;
        sync_names(folder_of(path)).map_err(FileError::io(path))?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Has the names in a folder on the disk, where the system can.
#[cfg(unix)]
fn sync_names(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_names(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes `.NAME.random.tmp` in the folder of `path`.
fn write_temporary(path: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    // As other new files: readable as far as the umask allows.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

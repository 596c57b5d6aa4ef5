//! Models by name: a local path as it is, a hub id downloaded into the hub's own cache.

#[cfg(feature = "hub")]
mod download;

use std::path::PathBuf;

use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::ModelSection;
use trainer::source::{self, BaseModel};

/// Opens the model of a `[model]` section, which may name it by hub id.
///
/// # Errors
/// As [`locate`] and [`source::open_section`].
pub fn open_section(section: &ModelSection, device: &Device) -> Result<BaseModel, TrainError> {
    source::open_section(section, &locate(&section.source)?, device)
}

/// The local path of a source; hub repositories are downloaded.
///
/// # Errors
/// [`TrainError::NoModel`] that says what was tried.
pub fn locate(source: &str) -> Result<PathBuf, TrainError> {
    let path = PathBuf::from(source);
    if path.exists() {
        return Ok(path);
    }
    let parts: Vec<&str> = source.split('/').collect();
    let is_id = matches!(parts[..], [owner, name] if !owner.is_empty() && !name.is_empty());
    if !is_id || source.ends_with(".gguf") || source.starts_with(['.', '~']) {
        return Err(no_model(source, "there is no such file or directory"));
    }
    download(source)
}

fn no_model(source: &str, problem: impl ToString) -> TrainError {
    TrainError::NoModel {
        source_name: source.into(),
        problem: problem.to_string(),
    }
}

#[cfg(feature = "hub")]
fn download(id: &str) -> Result<PathBuf, TrainError> {
    let answer = download::repository(id);
    answer.map_err(|e| no_model(id, format!("not a local path, and the hub said: {e}")))
}

#[cfg(not(feature = "hub"))]
fn download(id: &str) -> Result<PathBuf, TrainError> {
    let problem = "not a local path, and this program was built without the feature `hub`";
    Err(no_model(id, problem))
}

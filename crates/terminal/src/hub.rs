//! Models and data sets by name: a local path as it is, a hub id downloaded into the hub's own cache.

#[cfg(feature = "hub")]
mod download;

use std::path::{Path, PathBuf};

use trainer::burn::tensor::Device;
use trainer::config::{DataSection, ModelSection, TrainingSection};
use trainer::llm_backbone::weights;
use trainer::source::{self, BaseModel};
use trainer::{TrainError, estimate};

/// Opens the model of a `[model]` section, which may name it by hub id, to be trained.
///
/// # Errors
/// As [`locate`] and [`source::open_section`], or weights that the device has no room for, before they are read.
pub fn open_section(
    section: &ModelSection,
    device: &Device,
    training: &TrainingSection,
) -> Result<BaseModel, TrainError> {
    let path = locate(&section.source)?;
    let (config, _) = weights::open(&path)?;
    estimate::validate_weights(&config, section.dtype, device, training)?;
    source::open_section(section, &path, device)
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
    let is_path =
        source.ends_with(".gguf") || source.starts_with(['.', '~']) || source.contains('\\');
    if !is_id || is_path {
        return Err(no_model(source, source::nothing_at(&path)));
    }
    download(source)
}

/// The same section with local paths; data sets of the hub are downloaded.
///
/// # Errors
/// As [`locate_data`].
pub fn located(section: &DataSection) -> Result<DataSection, TrainError> {
    Ok(DataSection {
        train: locate_data(&section.train)?,
        validation: locate_data(&section.validation)?,
        ..section.clone()
    })
}

/// The local paths of data. `hf://OWNER/NAME` is a data set of the hub: its files for training where their names tell splits
/// apart, else all; `hf://OWNER/NAME/PATH` is a file or a folder in it.
///
/// # Errors
/// [`TrainError::NoData`] that says what was tried.
pub fn locate_data(paths: &[PathBuf]) -> Result<Vec<PathBuf>, TrainError> {
    let mut located = Vec::new();
    for path in paths {
        match hub_data(path) {
            None => located.push(path.clone()),
            Some(name) => located.extend(data_set(name)?),
        }
    }
    Ok(located)
}

/// What stands behind `hf://`, or `hf://datasets/` as other tools write it.
fn hub_data(path: &Path) -> Option<&str> {
    let name = path.to_str()?;
    // Paths that went through a list of components have lost a slash.
    let name = ["hf://", "hf:/"]
        .iter()
        .find_map(|scheme| name.strip_prefix(scheme))?;
    Some(name.strip_prefix("datasets/").unwrap_or(name))
}

fn data_set(name: &str) -> Result<Vec<PathBuf>, TrainError> {
    let mut parts = name.trim_end_matches('/').splitn(3, '/');
    let (Some(owner), Some(set)) = (parts.next(), parts.next()) else {
        return Err(no_data(name, "an owner and a name are needed"));
    };
    if owner.is_empty() || set.is_empty() {
        return Err(no_data(name, "an owner and a name are needed"));
    }
    download_data(&format!("{owner}/{set}"), parts.next().unwrap_or_default())
}

fn no_data(name: &str, problem: impl ToString) -> TrainError {
    TrainError::NoData {
        source_name: format!("hf://{name}"),
        problem: problem.to_string(),
    }
}

#[cfg(feature = "hub")]
fn download_data(id: &str, within: &str) -> Result<Vec<PathBuf>, TrainError> {
    let files = download::data_set(id, within);
    let files = files.map_err(|error| no_data(id, format!("the hub said: {error}")))?;
    match files.is_empty() {
        true => Err(no_data(
            id,
            format!("it holds no data file below `/{within}`"),
        )),
        false => Ok(files),
    }
}

#[cfg(not(feature = "hub"))]
fn download_data(id: &str, _within: &str) -> Result<Vec<PathBuf>, TrainError> {
    Err(no_data(
        id,
        "this program was built without the feature `hub`",
    ))
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
    match answer {
        Ok(folder) if folder.as_os_str().is_empty() => Err(no_model(
            id,
            "the hub's repository of that name holds no model",
        )),
        Ok(folder) => Ok(folder),
        Err(e) => Err(no_model(
            id,
            format!(
                "{}, and the hub said of a model of that name: {e}",
                source::nothing_at(Path::new(id))
            ),
        )),
    }
}

#[cfg(not(feature = "hub"))]
fn download(id: &str) -> Result<PathBuf, TrainError> {
    let missing = source::nothing_at(Path::new(id));
    let problem = format!("{missing}, and this program was built without the feature `hub`");
    Err(no_model(id, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_the_hub_is_known_by_its_scheme() {
        let name = |path: &str| hub_data(Path::new(path)).map(str::to_owned);
        assert_eq!(name("hf://owner/name").as_deref(), Some("owner/name"));
        assert_eq!(
            name("hf://datasets/owner/name/a.jsonl").as_deref(),
            Some("owner/name/a.jsonl")
        );
        assert_eq!(name("owner/name"), None);
        let local = [PathBuf::from("a.jsonl"), PathBuf::from("-")];
        assert_eq!(locate_data(&local).unwrap(), local);
        let error = locate_data(&["hf://name".into()]).unwrap_err().to_string();
        assert!(error.contains("an owner and a name"), "{error}");
    }
}

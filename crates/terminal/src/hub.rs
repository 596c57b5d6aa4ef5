//! Models by name: a local path as it is, a hub id downloaded into the hub's own cache.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use trainer::TrainError;
use trainer::config::ModelSection;
use trainer::source::{self, BaseModel};

/// Files of a hub repository that are fetched where they exist, beside the weights.
const FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
    "config.json",
];

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
        .map_err(|e| no_model(source, format!("not a local path, and the hub said: {e}")))
}

fn no_model(source: &str, problem: impl ToString) -> TrainError {
    TrainError::NoModel {
        source_name: source.into(),
        problem: problem.to_string(),
    }
}

fn download(id: &str) -> Result<PathBuf, ApiError> {
    let repository = ApiBuilder::from_env().build()?.model(id.into());
    let there: Vec<String> = repository
        .info()?
        .siblings
        .into_iter()
        .map(|file| file.rfilename)
        .collect();
    let safetensors = there.iter().any(|f| f.ends_with(".safetensors"));
    let wanted = |file: &&String| {
        let weights = match safetensors {
            true => file.ends_with(".safetensors") || file.ends_with(".safetensors.index.json"),
            false => file.starts_with("pytorch_model"),
        };
        !file.contains('/') && (weights || FILES.contains(&file.as_str()))
    };
    let mut folder = PathBuf::new();
    for file in there.iter().filter(wanted) {
        tracing::info!("fetching {id}/{file}");
        let path = repository.get(file)?;
        folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    }
    Ok(folder)
}

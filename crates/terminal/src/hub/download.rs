//! Files of a hub repository, into the hub's own cache.

use std::path::PathBuf;

use hf_hub::api::sync::{ApiBuilder, ApiError};

/// Files of a hub repository that are fetched where they exist, beside the weights.
const FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
    "config.json",
];

/// Downloads what a model is made of; the folder of the files.
pub(super) fn repository(id: &str) -> Result<PathBuf, ApiError> {
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
        folder = path.parent().map(PathBuf::from).unwrap_or_default();
    }
    Ok(folder)
}

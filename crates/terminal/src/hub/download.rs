//! Files of a hub repository, into the hub's own cache.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError};
use trainer::pref_data::is_data_file;

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

/// Downloads the data files of a data set below `within`. Where names tell splits apart and `within` names none, those of
/// `train`.
pub(super) fn data_set(id: &str, within: &str) -> Result<Vec<PathBuf>, ApiError> {
    let repository = ApiBuilder::from_env().build()?.dataset(id.into());
    let there = repository.info()?.siblings.into_iter();
    let names: Vec<String> = there.map(|file| file.rfilename).collect();
    let (wanted, others) = chosen(&names, within);
    for file in others {
        tracing::warn!("{id}/{file} is not read: name it, as in hf://{id}/{file}");
    }
    let mut files = Vec::new();
    for file in wanted {
        tracing::info!("fetching {id}/{file}");
        files.push(repository.get(file)?);
    }
    Ok(files)
}

/// Files to read, and data files that are not.
fn chosen<'f>(names: &'f [String], within: &str) -> (Vec<&'f str>, Vec<&'f str>) {
    let is_data = |name: &&str| is_data_file(Path::new(name));
    let is_within = |name: &&str| {
        let rest = name.strip_prefix(within.trim_end_matches('/'));
        rest.is_some_and(|rest| within.is_empty() || rest.is_empty() || rest.starts_with('/'))
    };
    let data: Vec<&str> = names.iter().map(String::as_str).filter(is_data).collect();
    let asked: Vec<&str> = data.into_iter().filter(is_within).collect();
    let is_train = |name: &&str| {
        name.split(|c: char| !c.is_alphanumeric())
            .any(|part| part == "train")
    };
    if within.is_empty() && asked.iter().any(is_train) {
        return asked.into_iter().partition(is_train);
    }
    (asked, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_files_are_chosen_and_the_others_named() {
        let names = [
            "README.md",
            "data/train-00000-of-00002.parquet",
            "data/test-00000-of-00001.parquet",
            "dataset_infos.json",
            "more/train.tsv.gz",
        ]
        .map(String::from);
        let (train, others) = chosen(&names, "");
        assert_eq!(
            train,
            ["data/train-00000-of-00002.parquet", "more/train.tsv.gz"]
        );
        assert_eq!(others, ["data/test-00000-of-00001.parquet"]);
        let test = "data/test-00000-of-00001.parquet";
        assert_eq!(chosen(&names, test), (vec![test], vec![]));
        assert_eq!(chosen(&names, "more").0, ["more/train.tsv.gz"]);
        assert_eq!(chosen(&names, "mor").0, <[&str; 0]>::default());
        let flat = ["a.csv", "b.json"].map(String::from);
        assert_eq!(chosen(&flat, "").0, ["a.csv", "b.json"]);
    }
}

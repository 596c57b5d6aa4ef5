//! Opening a model: a Hugging Face directory or a GGUF file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use llm_backbone::Model;
use llm_backbone::device::is_cpu;
use llm_backbone::peft::PeftConfig;
use llm_backbone::tokenizer::Tokenizer;
use llm_backbone::weights;
use sha2::{Digest, Sha256};

use crate::config::{Dtype, ModelSection};
use crate::error::TrainError;
use crate::head::RewardHead;
use crate::inference::Trained;
use crate::lineage::{self, HOW, Lineage, MERGED, same_weights};

/// A base model, ready to use.
pub struct BaseModel {
    /// Weights, frozen.
    pub model: Model,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// In words: goes into reports.
    pub source: String,
    /// By name, with what was merged into it: goes into adapters.
    pub lineage: Lineage,
    /// A hash of weights and type: the reference cache's key.
    pub key: String,
}

/// Opens the model at `path` on `device`.
///
/// # Errors
/// A path where nothing is, broken files, a tokenizer that does not fit the weights, or weights as stored on a device other
/// than the CPU.
pub fn open(path: &Path, dtype: Dtype, device: &Device) -> Result<BaseModel, TrainError> {
    if dtype == Dtype::Stored && !is_cpu(device) {
        let expected = "f32, bf16 or f16 on a GPU: stored weights would go there for every product";
        return Err(TrainError::config("model.dtype", "stored", expected));
    }
    if !path.exists() {
        return Err(TrainError::NoModel {
            source_name: path.display().to_string(),
            problem: nothing_at(path),
        });
    }
    let (config, weights) = weights::open(path)?;
    let tokenizer = Tokenizer::open(path)?;
    tokenizer.fits(&config)?;
    let model = Model::load(&config, weights.as_ref(), dtype, device)?;
    let source = path.display().to_string();
    let hash = weights_hash(path)?;
    let key = format!("{hash}-{dtype:?}");
    // Of these very weights, or left over from others.
    let lineage = Lineage::read(path, &source)?.filter(|lineage| lineage.weights == hash);
    let lineage = lineage.unwrap_or_else(|| Lineage::of_model(&source, hash, true));
    Ok(BaseModel {
        model,
        tokenizer,
        source,
        lineage,
        key,
    })
}

/// That nothing is at a path, and where it was looked for.
pub fn nothing_at(path: &Path) -> String {
    let missing = "there is no such file or directory";
    match std::path::absolute(path) {
        Ok(whole) if whole != path => format!("{missing} (looked for at {})", whole.display()),
        _ => missing.into(),
    }
}

/// Opens the model of a `[model]` section, its adapters merged into the weights. `path` is where what the section names
/// lies on this machine.
///
/// # Errors
/// As [`open`], or adapters that do not fit.
pub fn open_section(
    section: &ModelSection,
    path: &Path,
    device: &Device,
) -> Result<BaseModel, TrainError> {
    let mut base = open(path, section.dtype, device)?;
    base.source.clone_from(&section.source);
    base.lineage.name.clone_from(&section.source);
    if base.lineage.adapters.is_empty() {
        base.lineage.model.path.clone_from(&section.source);
        base.lineage.model.local = path == Path::new(&section.source);
    }
    match &section.adapters {
        Some(adapters) => base.with_merged(adapters),
        None => Ok(base),
    }
}

impl BaseModel {
    /// The model with the adapters of a folder merged, and before them whatever these were trained on. What is in the
    /// model already is not merged twice.
    ///
    /// # Errors
    /// Adapters that do not fit, that were trained on something else, or of a reward model, whose head no weights hold.
    pub fn with_merged(self, adapters: &Path) -> Result<Self, TrainError> {
        let adapters = adapters_in(adapters)?;
        let hash = weights_hash(&adapters)?;
        if self.lineage.has(&hash) {
            tracing::info!("{} has {} in it already", self.source, adapters.display());
            return Ok(self);
        }
        self.with_base_of(&adapters)?.merged(&adapters, hash)
    }

    /// The base that the adapters of a folder were trained on: this model, with what it lacks merged.
    ///
    /// # Errors
    /// A model that is not what they were trained on, or adapters to be merged first that have gone or changed.
    pub fn as_base_of(self, adapters: &Path) -> Result<Self, TrainError> {
        if self.lineage.has(&weights_hash(adapters)?) {
            let problem = format!(
                "{} has these adapters in it already: give {}",
                self.source,
                self.lineage.model.in_words()
            );
            return Err(TrainError::format(adapters, problem));
        }
        self.with_base_of(adapters)
    }

    /// The model with what it lacks of the base of adapters merged; these themselves are not in it.
    fn with_base_of(self, adapters: &Path) -> Result<Self, TrainError> {
        let Some(wanted) = Lineage::of_adapters(adapters)? else {
            return Ok(self);
        };
        let Some(layers) = self.lineage.lacks(&wanted) else {
            let problem = format!(
                "these adapters were trained on {}, and {} is not that: {}. Give the model that they were trained on; if this is it in another form (type, file format), remove {}",
                wanted.in_words(),
                self.source,
                self.lineage.differs_from(&wanted),
                adapters.join(lineage::FILE).display()
            );
            return Err(TrainError::format(adapters, problem));
        };
        let mut base = self;
        for layer in layers {
            let path = Path::new(&layer.path);
            let hash = hash_of_adapters(path)?.unwrap_or_default();
            if !same_weights(&hash, &layer.weights) {
                let state = if hash.is_empty() {
                    "are not there"
                } else {
                    "have changed since"
                };
                let problem = format!(
                    "these adapters were trained on {}, and the adapters in {} {state}: put them back, give a folder of the two merged, or train these anew",
                    wanted.in_words(),
                    layer.path,
                );
                return Err(TrainError::format(adapters, problem));
            }
            tracing::info!(
                "merging {} into {}, as the adapters want",
                layer.path,
                base.source
            );
            base = base.merged(&adapters_in(path)?, hash)?;
        }
        Ok(base)
    }

    fn merged(mut self, adapters: &Path, hash: String) -> Result<Self, TrainError> {
        RewardHead::validate_without(adapters)?;
        if adapters.join(user_model::MANIFEST_FILE).is_file() {
            tracing::warn!(
                "{} has a user model, which is not merged: the merged model is the same for everybody",
                adapters.display()
            );
        }
        self.model = self.model.with_adapters(adapters)?.0.merged();
        self.key += &format!("{MERGED}{hash}");
        self.source = format!("{} with {} merged", self.source, adapters.display());
        self.lineage = self.lineage.with(adapters, hash);
        Ok(self)
    }
}

/// The folder of adapters that a path names: itself, or that in the folder of a run.
///
/// # Errors
/// A path without adapters, with what it holds in their place.
pub fn adapters_in(path: &Path) -> Result<PathBuf, TrainError> {
    if let Some(found) = adapters_at(path) {
        return Ok(found);
    }
    if !path.exists() {
        return Err(TrainError::format(
            path,
            format!("no adapters here: {}", nothing_at(path)),
        ));
    }
    let entries = std::fs::read_dir(path).map_err(|e| TrainError::io(path, e))?;
    let mut folders: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.retain(|folder| Trained::is_adapters(folder));
    folders.sort();
    let found = match folders.last() {
        Some(folder) => format!("; there are some in {}", folder.display()),
        None if path.join("config.json").is_file() => "; this is a model".into(),
        None => String::new(),
    };
    let problem = format!("no adapters here: expected adapter_config.json and its tensors{found}");
    Err(TrainError::format(path, problem))
}

/// The same; none where there are none.
fn adapters_at(path: &Path) -> Option<PathBuf> {
    let mut folders = [path.to_path_buf(), path.join("adapters")].into_iter();
    folders.find(|folder| Trained::is_adapters(folder))
}

/// The hash of the adapters in a folder, or in that of a run; none where there are none.
///
/// # Errors
/// Files that cannot be read.
pub(crate) fn hash_of_adapters(path: &Path) -> Result<Option<String>, TrainError> {
    adapters_at(path).as_deref().map(weights_hash).transpose()
}

/// SHA-256 over the weight files of a model, by name, or over the tensors of an adapter folder with, behind a dot, one over what
/// its configuration makes of them ([`same_weights`] knows those without).
///
/// # Errors
/// Files that cannot be read, or a configuration of adapters that are not.
pub fn weights_hash(path: &Path) -> Result<String, TrainError> {
    let mut files = vec![path.to_path_buf()];
    let mut how = None;
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| TrainError::io(path, e))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let paths: std::io::Result<Vec<_>> = paths.collect();
        files = paths.map_err(|e| TrainError::io(path, e))?;
        files.retain(|file| {
            let extension = file.extension().and_then(|e| e.to_str());
            matches!(extension, Some("safetensors" | "bin" | "gguf"))
        });
        // What else lies there, such as a trainer's arguments, is no weight of the model.
        let of_model = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("model") || name.starts_with("pytorch_model")
        };
        let of_adapters =
            |file: &PathBuf| file.file_stem().is_some_and(|name| name == "adapter_model");
        if Trained::is_adapters(path) && files.iter().any(of_adapters) {
            files.retain(of_adapters);
            how = Some(PeftConfig::read(path)?.beside_tensors());
        } else if files.iter().any(of_model) {
            files.retain(of_model);
        }
        files.sort();
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in files {
        let mut file = File::open(&path).map_err(|e| TrainError::io(&path, e))?;
        loop {
            let read = file
                .read(&mut buffer)
                .map_err(|e| TrainError::io(&path, e))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
    }
    let start =
        |hash: Sha256, digits: usize| format!("{:x}", hash.finalize())[..digits].to_string();
    let tensors = start(hash, 32);
    Ok(match how {
        Some(how) => format!("{tensors}{HOW}{}", start(Sha256::new_with_prefix(how), 16)),
        None => tensors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_found_in_the_folder_of_a_run_and_hashed_by_their_tensors_and_how_these_act() {
        let run = tempfile::tempdir().expect("a folder");
        assert_eq!(hash_of_adapters(run.path()).expect("no files"), None);
        let adapters = run.path().join("adapters");
        std::fs::create_dir(&adapters).expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(adapters.join(name), text).expect("a file");
            hash_of_adapters(run.path()).expect("files")
        };
        write("adapter_config.json", "{}");
        let hash = write("adapter_model.safetensors", "a");
        assert_eq!(hash_of_adapters(&adapters).expect("files"), hash);
        assert_eq!(write("model.safetensors", "b"), hash);
        let named = r#"{"base_model_name_or_path": "elsewhere", "lora_dropout": 0.1}"#;
        assert_eq!(write("adapter_config.json", named), hash);
        let scaled = write("adapter_config.json", r#"{"lora_alpha": 99}"#);
        assert_ne!(scaled, hash);
        // As it was written when tensors alone counted.
        let [hash, scaled] = [hash, scaled].map(Option::unwrap_or_default);
        assert!(same_weights(&hash[..32], &hash) && same_weights(&hash[..32], &scaled));
        assert!(!same_weights(&hash, &scaled));
        let other = write("adapter_model.safetensors", "c").unwrap_or_default();
        assert!(!same_weights(&hash[..32], &other));
    }
}

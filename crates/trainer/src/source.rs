//! Where a model comes from: a Hugging Face directory, a GGUF file, or a hub id.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use llm_backbone::Model;
use llm_backbone::device::is_cpu;
use llm_backbone::tokenizer::Tokenizer;
use llm_backbone::weights;
use sha2::{Digest, Sha256};

use crate::config::{Dtype, ModelSection};
use crate::error::TrainError;
use crate::hash::hex;

/// A base model, ready to use.
pub struct BaseModel {
    /// Weights, frozen.
    pub model: Model,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// As asked for: goes into adapters and reports.
    pub source: String,
    /// A hash of weights and type: the reference cache's key.
    pub key: String,
}

/// Files of a hub repository that are fetched where they exist, beside the weights.
const HUB_FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
    "config.json",
];

/// Opens a model on `device`.
///
/// # Errors
/// A source that is neither path nor reachable hub id, broken files, a tokenizer that does not fit the weights, or weights as
/// stored on a device other than the CPU.
pub fn open(source: &str, dtype: Dtype, device: &Device) -> Result<BaseModel, TrainError> {
    if dtype == Dtype::Stored && !is_cpu(device) {
        let expected = "f32, bf16 or f16 on a GPU: stored weights would go there for every product";
        return Err(TrainError::config("model.dtype", "stored", expected));
    }
    let path = locate(source)?;
    let (config, weights) = weights::open(&path)?;
    let tokenizer = Tokenizer::open(&path)?;
    tokenizer.fits(&config)?;
    let model = Model::load(&config, weights.as_ref(), dtype, device)?;
    Ok(BaseModel {
        model,
        tokenizer,
        source: source.into(),
        key: format!("{}-{dtype:?}", weights_hash(&path)?),
    })
}

/// Opens the model of a `[model]` section, its adapters merged into the weights.
///
/// # Errors
/// As [`open`], or adapters that do not fit.
pub fn open_section(section: &ModelSection, device: &Device) -> Result<BaseModel, TrainError> {
    let mut base = open(&section.source, section.dtype, device)?;
    if let Some(adapters) = &section.adapters {
        base.model = base.model.with_adapters(adapters)?.0.merged();
        base.source = format!("{} with {} merged", base.source, adapters.display());
        base.key += &format!("+{}", weights_hash(adapters)?);
    }
    Ok(base)
}

/// The local path of a source; hub repositories are downloaded into the hub's own cache.
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

fn download(id: &str) -> Result<PathBuf, hf_hub::api::sync::ApiError> {
    let repository = hf_hub::api::sync::ApiBuilder::from_env()
        .build()?
        .model(id.into());
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
        !file.contains('/') && (weights || HUB_FILES.contains(&file.as_str()))
    };
    let mut folder = PathBuf::new();
    for file in there.iter().filter(wanted) {
        tracing::info!("fetching {id}/{file}");
        let path = repository.get(file)?;
        folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    }
    Ok(folder)
}

/// SHA-256 over the weight files of a model or of an adapter folder, by name.
///
/// # Errors
/// Files that cannot be read.
pub fn weights_hash(path: &Path) -> Result<String, TrainError> {
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| TrainError::io(path, e))?;
        files = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| {
                let extension = file.extension().and_then(|e| e.to_str());
                matches!(extension, Some("safetensors" | "bin" | "gguf"))
            })
            .collect();
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
    Ok(hex(&hash.finalize())[..32].to_string())
}

//! Opening a model: a Hugging Face directory or a GGUF file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use burn::tensor::Device;
use llm_backbone::Model;
use llm_backbone::device::is_cpu;
use llm_backbone::tokenizer::Tokenizer;
use llm_backbone::weights;
use sha2::{Digest, Sha256};

use crate::config::{Dtype, ModelSection};
use crate::error::TrainError;

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
            problem: "there is no such file or directory".into(),
        });
    }
    let (config, weights) = weights::open(path)?;
    let tokenizer = Tokenizer::open(path)?;
    tokenizer.fits(&config)?;
    let model = Model::load(&config, weights.as_ref(), dtype, device)?;
    Ok(BaseModel {
        model,
        tokenizer,
        source: path.display().to_string(),
        key: format!("{}-{dtype:?}", weights_hash(path)?),
    })
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
    if let Some(adapters) = &section.adapters {
        base.model = base.model.with_adapters(adapters)?.0.merged();
        base.source = format!("{} with {} merged", base.source, adapters.display());
        base.key += &format!("+{}", weights_hash(adapters)?);
    }
    Ok(base)
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
    Ok(format!("{:x}", hash.finalize())[..32].to_string())
}

//! A model as a Hugging Face folder of its own, for other programs and for `model.source`.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::DType;
use serde_json::{Map, Value, json};
use whole_file::Temporary;

use crate::config::Dtype;
use crate::error::TrainError;
use crate::files::replace_file;
use crate::lineage::Lineage;
use crate::source::{BaseModel, weights_hash};

/// Files of a tokenizer, which go along as they are.
const TOKENIZER: [&str; 10] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
];

/// The folder of further chat templates.
const TEMPLATES: &str = "additional_chat_templates";

/// Writes `model` into the folder `to`, which must not exist or be empty: weights of type `dtype`, `config.json`, the tokenizer
/// with its template, settings of generation, and what the model is made of. `from` is where the files of its base lie: a Hugging
/// Face folder, or a GGUF file. The folder is there as a whole, or not at all.
///
/// # Errors
/// A folder that holds something already or cannot be written, weights that the type cannot hold, or `dtype` as stored.
pub fn write(model: &BaseModel, from: &Path, to: &Path, dtype: Dtype) -> Result<(), TrainError> {
    let dtype = match dtype {
        Dtype::F32 => DType::F32,
        Dtype::Bf16 => DType::BF16,
        Dtype::F16 => DType::F16,
        Dtype::Stored => {
            let expected = "f32, bf16 or f16: merged weights are in no quantised blocks";
            return Err(TrainError::config("dtype", "stored", expected));
        }
    };
    if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        let problem = "already holds files: choose another folder, or remove this one";
        return Err(TrainError::format(to, problem));
    }
    let new = Partial::beside(to)?;
    let dir = new.path.as_path();
    model
        .model
        .save_weights(&dir.join("model.safetensors"), dtype)?;
    let config = config(model, from, dtype)?;
    write_json(&dir.join("config.json"), &config)?;
    match from.join("tokenizer.json").is_file() {
        true => copy_tokenizer(from, dir)?,
        false => {
            model.tokenizer.save(dir)?;
            let ends = json!({
                "bos_token_id": model.tokenizer.bos(),
                "eos_token_id": model.tokenizer.stop_ids(),
            });
            write_json(&dir.join("generation_config.json"), &ends)?;
        }
    }
    let lineage = Lineage {
        weights: weights_hash(dir)?,
        ..model.lineage.clone()
    };
    lineage.write(dir)?;
    new.into_place(to)
}

/// A folder in the making, removed where it does not get to its place.
struct Partial {
    path: PathBuf,
    _known: Temporary,
}

impl Partial {
    /// A hidden folder beside `to`, in a parent that is made if need be.
    fn beside(to: &Path) -> Result<Self, TrainError> {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let name = format!(".{name}.{}.tmp", std::process::id());
        let path = to.with_file_name(name);
        let known = Temporary::new(&path);
        fs::create_dir_all(&path).map_err(|e| TrainError::io(&path, e))?;
        Ok(Self {
            path,
            _known: known,
        })
    }

    fn into_place(self, to: &Path) -> Result<(), TrainError> {
        // An empty folder may stand there.
        let _ = fs::remove_dir(to);
        fs::rename(&self.path, to).map_err(|e| TrainError::io(to, e))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The base's own `config.json` where it has one, with what merging changed.
fn config(model: &BaseModel, from: &Path, dtype: DType) -> Result<Value, TrainError> {
    let shape = model.model.config().to_hf_json();
    let path = from.join("config.json");
    let mut config = match path.is_file() {
        true => {
            let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
            serde_json::from_slice::<Map<_, _>>(&text).map_err(|e| TrainError::format(&path, e))?
        }
        false => shape.as_object().cloned().unwrap_or_default(), // invariant: an object
    };
    const TIED: &str = "tie_word_embeddings";
    config.insert(TIED.into(), shape[TIED].clone());
    config.remove("dtype");
    let name = match dtype {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        _ => "float32",
    };
    config.insert("torch_dtype".into(), json!(name));
    Ok(Value::Object(config))
}

fn copy_tokenizer(from: &Path, to: &Path) -> Result<(), TrainError> {
    for name in TOKENIZER {
        copy_file(&from.join(name), &to.join(name))?;
    }
    let templates = from.join(TEMPLATES);
    if !templates.is_dir() {
        return Ok(());
    }
    let copies = to.join(TEMPLATES);
    fs::create_dir_all(&copies).map_err(|e| TrainError::io(&copies, e))?;
    for entry in fs::read_dir(&templates).map_err(|e| TrainError::io(&templates, e))? {
        let path = entry.map_err(|e| TrainError::io(&templates, e))?.path();
        let name = path.file_name().unwrap_or_default();
        copy_file(&path, &copies.join(name))?;
    }
    Ok(())
}

/// Copies a file, if there is one, without its permissions.
fn copy_file(path: &Path, copy: &Path) -> Result<(), TrainError> {
    if path.is_file() {
        let content = fs::read(path).map_err(|e| TrainError::io(path, e))?;
        fs::write(copy, content).map_err(|e| TrainError::io(copy, e))?;
    }
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> Result<(), TrainError> {
    replace_file(path, format!("{value:#}\n"))
}

//! The tensors of an adapter folder, under the names that `peft` gives them today.

use std::path::{Path, PathBuf};

use crate::lora::{LoraError, NamedTensors, PEFT_PREFIX};
use crate::weights::{WeightSource, open_file};

use super::format;

/// The files that may hold them, in the order in which `peft` looks.
const FILES: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// The file with the tensors of the adapters in `dir`.
///
/// # Errors
/// A folder without one.
pub(super) fn file_in(dir: &Path) -> Result<PathBuf, LoraError> {
    let paths = FILES.map(|name| dir.join(name));
    match paths.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => {
            let found = format!("found neither {} nor {}", FILES[0], FILES[1]);
            Err(format(dir, &found))
        }
    }
}

/// Opens the tensors of the adapters in a folder, as they are named there.
///
/// # Errors
/// A missing or broken file.
pub fn open_tensors(dir: &Path) -> Result<Box<dyn WeightSource>, LoraError> {
    let path = file_in(dir)?;
    open_file(&path).map_err(|error| LoraError::Format {
        file: dir.display().to_string(),
        problem: error.to_string(),
    })
}

/// Reads all tensors of a folder.
///
/// # Errors
/// As [`open_tensors`], a number that is none, or two tensors of one name.
pub(super) fn read(dir: &Path) -> Result<NamedTensors, LoraError> {
    let source = open_tensors(dir)?;
    let path = source.path();
    let mut tensors = NamedTensors::new();
    for name in source.names() {
        if name.contains(".original_module.") {
            continue; // The base's own weights, beside a module that was saved whole.
        }
        let shape = source.shape(&name).map_err(|e| format(path, &e))?;
        let values = source.read(&name).map_err(|e| format(path, &e))?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(LoraError::Tensor {
                file: path.display().to_string(),
                tensor: name,
                problem: format!("number {at} is {}: these adapters are broken", values[at]),
            });
        }
        let plain = plain_name(&name);
        let new = (shape, values);
        if tensors.get(&plain).is_some_and(|old| *old != new) {
            return Err(LoraError::Tensor {
                file: path.display().to_string(),
                tensor: name,
                problem: format!("the file has another one for {plain}"),
            });
        }
        tensors.insert(plain, new);
    }
    Ok(tensors)
}

/// A name without what wrappers put into it: the adapter's own name (`lora_A.default.weight`), `base_layer`,
/// `modules_to_save`; with the prefix that `peft` puts in front.
pub(super) fn plain_name(name: &str) -> String {
    let mut parts: Vec<&str> = name
        .strip_prefix(PEFT_PREFIX)
        .unwrap_or(name)
        .split('.')
        .filter(|part| !["_orig_mod", "_fsdp_wrapped_module", "base_layer"].contains(part))
        .collect();
    if let Some(at) = parts.iter().position(|part| *part == "modules_to_save") {
        let end = (at + 2).min(parts.len().saturating_sub(1));
        parts.drain(at..end.max(at));
    }
    let at = |wanted: &[&str]| parts.iter().position(|part| wanted.contains(part));
    if let Some(at) = at(&["lora_A", "lora_B"])
        && parts.len() == at + 3
    {
        parts.remove(at + 1);
    } else if let Some(at) = at(&["lora_magnitude_vector"]) {
        parts.truncate(at + 1);
    } else if let Some(at) = at(&[
        "lora_embedding_A",
        "lora_embedding_B",
        "trainable_tokens_delta",
    ]) && parts.len() == at + 2
    {
        parts.remove(at + 1);
    }
    format!("{PEFT_PREFIX}{}", parts.join("."))
}

//! What files and folders are, where they are not what their names say: said as what it is, with the next step.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::unused::refuse_other_heads;
use super::{GgufWeights, PytorchFile, SafetensorsFile, Sharded, WeightError, WeightSource};
use crate::gguf::GgufFile;

/// Opens one file of weights as what its first bytes say it is.
///
/// # Errors
///
/// [`WeightError`] if it cannot be read, or is no file of weights.
pub(crate) fn open_file(path: &Path) -> Result<Box<dyn WeightSource>, WeightError> {
    let start = start_of(path)?;
    refuse_pointer(path, &start)?;
    let has_ending = |ending: &str| path.extension().is_some_and(|found| found == ending);
    if start.starts_with(b"GGUF") {
        return Ok(Box::new(GgufWeights::open(path)?.1));
    }
    // A length of eight bytes, and a JSON object.
    let is_safetensors = start.get(5..9) == Some(b"\0\0\0{");
    // A zip archive, or a pickle alone.
    let is_pytorch = start.starts_with(b"PK") || start.starts_with(&[0x80]);
    match is_safetensors || (has_ending("safetensors") && !is_pytorch) {
        true => Ok(Box::new(SafetensorsFile::open(path)?)),
        false => Ok(Box::new(PytorchFile::open(path)?)),
    }
}

/// The first bytes of a file.
fn start_of(path: &Path) -> Result<Vec<u8>, WeightError> {
    const LENGTH: u64 = 256;
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LENGTH).read_to_end(&mut start))
        .map_err(|source| WeightError::io(path, source))?;
    Ok(start)
}

/// Refuses what stands in the place of a file: the pointer that Git LFS leaves, or the page of a failed download. `start` is
/// the file's beginning, or all of it.
///
/// # Errors
///
/// [`WeightError::SomethingElse`] for these.
pub(crate) fn refuse_pointer(path: &Path, start: &[u8]) -> Result<(), WeightError> {
    if start.starts_with(b"version https://git-lfs.github.com/") {
        let text = String::from_utf8_lossy(&start[..start.len().min(512)]);
        let size = text.lines().find_map(|line| line.strip_prefix("size "));
        let size = size.map_or(String::new(), |size| format!(" of {} bytes", size.trim()));
        let found = format!("a pointer of Git LFS, not the file{size} that it stands for");
        let next = "fetch the files with `git lfs pull` in their folder, or download them again";
        return Err(WeightError::something_else(path, found, next));
    }
    let start = start.trim_ascii_start();
    let head = start.get(..14).unwrap_or(start).to_ascii_lowercase();
    if head.starts_with(b"<!doctype html") || head.starts_with(b"<html") {
        let next = "download it again: the answer was an error page, or a page about the file";
        return Err(WeightError::something_else(
            path,
            "a web page, not a file of a model",
            next,
        ));
    }
    Ok(())
}

/// Refuses a file that is given as a model by itself, but is only a part of one.
///
/// # Errors
///
/// [`WeightError::SomethingElse`] for such a file.
pub(super) fn refuse_part(path: &Path) -> Result<(), WeightError> {
    if !path.is_file() {
        return Ok(());
    }
    let start = start_of(path)?;
    refuse_pointer(path, &start)?;
    let ending = path.extension().and_then(|ending| ending.to_str());
    let part = matches!(ending, Some("safetensors" | "bin" | "pt" | "pth" | "json"));
    if start.starts_with(b"GGUF") || !part {
        return Ok(());
    }
    let found = "one file of a model's folder, where a folder or a GGUF file is wanted";
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let next = format!(
        "give the folder, {}",
        folder.unwrap_or(Path::new(".")).display()
    );
    Err(WeightError::something_else(path, found, next))
}

/// What a folder may have weights in.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The weights of a Hugging Face directory, in the order `transformers` looks for them.
pub(super) fn open_directory(folder: &Path) -> Result<Box<dyn WeightSource>, WeightError> {
    refuse_adapters_beside(folder)?;
    for name in ["model.safetensors", "pytorch_model.bin"] {
        let path = folder.join(name);
        let index = folder.join(format!("{name}.index.json"));
        let source = match () {
            () if path.is_file() => open_file(&path)?,
            () if index.is_file() => Box::new(Sharded::open(&index)?),
            () => continue,
        };
        refuse_quantised(source.as_ref())?;
        refuse_other_heads(source.as_ref())?;
        return Ok(source);
    }
    Err(no_weights(folder))
}

/// Refuses adapters in the folder of a model: `transformers` reads them there, and in the place of the model itself.
fn refuse_adapters_beside(folder: &Path) -> Result<(), WeightError> {
    const ADAPTERS: &str = "adapter_config.json";
    let is_there = |name: &str| folder.join(name).is_file();
    let has_weights = WEIGHTS.iter().any(|name| is_there(name));
    if !is_there(ADAPTERS) || !has_weights {
        return Ok(()); // Adapters alone are told by `no_weights`.
    }
    let found = format!(
        "a model and adapters ({ADAPTERS}) in one folder, and only one of them can be meant"
    );
    let next = "move adapter_config.json and adapter_model.* into a folder of their own, and name that in `model.adapters` if they are to be used";
    Err(WeightError::something_else(folder, found, next))
}

/// Refuses weights that a program packed: their tensors have other shapes and types.
fn refuse_quantised(source: &dyn WeightSource) -> Result<(), WeightError> {
    const MARKS: [(&str, &str); 7] = [
        (".absmax", "bitsandbytes (4 bits)"),
        (".SCB", "bitsandbytes (8 bits)"),
        (".qweight", "GPTQ or AWQ"),
        (".qzeros", "GPTQ or AWQ"),
        (".weight_packed", "compressed-tensors"),
        (".weight_scale_inv", "blocks of 8-bit floats"),
        (".weight_scale", "scaled integers or 8-bit floats"),
    ];
    let names = source.names();
    let mark = |name: &String| MARKS.iter().find(|(end, _)| name.ends_with(end));
    match names.iter().find_map(mark) {
        Some((_, kind)) => Err(WeightError::something_else(
            source.path(),
            format!("weights quantised by {kind}"),
            UNQUANTISED,
        )),
        None => Ok(()),
    }
}

/// What helps with quantised weights.
pub(crate) const UNQUANTISED: &str =
    "use the model that was quantised, or a GGUF file of it (these may be quantised)";

/// What a folder with a `config.json` has in the place of weights.
fn no_weights(folder: &Path) -> WeightError {
    let others = Others::of(folder);
    let say = |found: String, next: &str| WeightError::something_else(folder, found, next);
    if let Some(adapters) = others.adapters(folder) {
        return adapters;
    }
    if let [file, ..] = others.ending("gguf").as_slice() {
        let next = format!("give that file itself: {}", file.display());
        return say(
            "a folder with a GGUF file beside a config.json".into(),
            &next,
        );
    }
    if others.names.iter().any(|name| name.contains("-of-0")) {
        let found = "shards without their index (model.safetensors.index.json)".into();
        return say(found, "download the folder again, with the index");
    }
    const FOREIGN: [(&str, &str); 6] = [
        (
            "consolidated.safetensors",
            "weights in Mistral's own layout",
        ),
        ("consolidated.00.pth", "weights in Meta's own layout"),
        ("tf_model.h5", "weights for TensorFlow"),
        ("flax_model.msgpack", "weights for Flax"),
        ("model.onnx", "an ONNX graph"),
        ("rust_model.ot", "weights for rust-bert"),
    ];
    for (name, what) in FOREIGN {
        if others.names.iter().any(|found| found == name) {
            let next = "use the model's release for `transformers`, with model.safetensors";
            return say(format!("{what} only ({name})"), next);
        }
    }
    WeightError::NoModel {
        path: folder.to_owned(),
        expected: "`model.safetensors` or `pytorch_model.bin`, or the index of a sharded one"
            .to_owned(),
    }
}

/// What a folder without a `config.json` holds, if it is no model.
pub(super) fn no_model(folder: &Path) -> WeightError {
    let others = Others::of(folder);
    let say = |found: String, next: &str| WeightError::something_else(folder, found, next);
    if let Some(adapters) = others.adapters(folder) {
        return adapters;
    }
    let files = others.ending("gguf");
    if let [first, ..] = files.as_slice() {
        if let Err(part @ WeightError::SomethingElse { .. }) = GgufFile::open(first) {
            return part;
        }
        let found = format!("a folder with {} GGUF files", files.len());
        return say(
            found,
            &format!("name one of them, such as {}", first.display()),
        );
    }
    let is_weights = |name: &String| name.starts_with("model") || name.starts_with("pytorch_model");
    if others.names.iter().any(is_weights) {
        let found = "weights without the config.json that describes them".into();
        return say(found, "download the folder again, with config.json");
    }
    let inner = |prefix: &str| {
        let inside = |name: &&String| name.starts_with(prefix) && folder.join(name).is_dir();
        others.names.iter().filter(inside).max()
    };
    if let Some(name) = inner("checkpoint-").or_else(|| inner("snapshots")) {
        let next = format!(
            "name a folder inside of it, such as {}",
            folder.join(name).display()
        );
        return say("a folder of folders, not a model".into(), &next);
    }
    WeightError::NoModel {
        path: folder.to_owned(),
        expected: "`config.json` or one GGUF file".to_owned(),
    }
}

/// The names in a folder, sorted.
struct Others {
    folder: PathBuf,
    names: Vec<String>,
}

impl Others {
    fn of(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        Self {
            folder: folder.to_owned(),
            names,
        }
    }

    fn ending(&self, ending: &str) -> Vec<PathBuf> {
        let paths = self.names.iter().map(|name| self.folder.join(name));
        paths
            .filter(|path| path.extension().is_some_and(|found| found == ending))
            .collect()
    }

    /// That the folder holds adapters, or is that of a run.
    fn adapters(&self, folder: &Path) -> Option<WeightError> {
        const NEXT: &str = "give the model that they were trained on and put them on it, or merge the two (`prlhf merge`)";
        let run = folder.join("adapters");
        let (config, what) = match () {
            () if folder.join("adapter_config.json").is_file() => (folder, "adapters"),
            () if run.join("adapter_config.json").is_file() => {
                (run.as_path(), "the folder of a run, with adapters")
            }
            () => return None,
        };
        let text = fs::read(config.join("adapter_config.json")).unwrap_or_default(); // for the message only
        let json: Value = serde_json::from_slice(&text).unwrap_or_default();
        let base = match json["base_model_name_or_path"].as_str() {
            Some(base) if !base.is_empty() => format!(" for `{base}`"),
            _ => String::new(),
        };
        let found = format!("{what}{base}, not a model");
        Some(WeightError::something_else(folder, found, NEXT))
    }
}

//! What adapters were trained on: a model, and the adapters that were merged into it first.
//!
//! Adapters name one base (`adapter_config.json`), which `peft` opens. Beside them lies [`FILE`], with a hash of that base, so that
//! nobody puts them on other weights. Where the base is a model with adapters merged, the folder of the merged model has such a file
//! too: our own programs then merge again what was merged in memory only. Paths in the file are found from any working folder.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use llm_backbone::peft::PeftConfig;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::files::replace_file;

/// The file's name.
pub const FILE: &str = "lineage.json";

/// Between the hash of a model's weights and those of what was merged into it, in a key.
pub(crate) const MERGED: char = '+';
/// Between the hash of the tensors of adapters and that of how they act.
pub(crate) const HOW: char = '.';

/// A base model by name, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// What opens as this base: a path or a hub id. Where adapters were merged in memory only, the folder that
    /// `prlhf merge` writes.
    #[serde(skip)]
    pub name: String,
    /// The model.
    pub model: Layer,
    /// The adapters that were merged into it, in this order.
    #[serde(default)]
    pub adapters: Vec<Layer>,
    /// The hash of the merged weights, in the folder of a merged model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub weights: String,
    /// In the file: the folder that its relative paths begin at, absolute or, as `..` and so on, seen from that of the file. In
    /// memory, paths are relative to the working folder, and this is empty.
    #[serde(default, skip_serializing_if = "path_is_empty")]
    pub(crate) folder: PathBuf,
}

fn path_is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

/// A part of a model by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// A path or a hub id.
    pub path: String,
    /// The hash of its weights, of adapters with how these act; empty where it is not known.
    pub weights: String,
    /// Whether it was found as a path, and not on the hub.
    #[serde(default)]
    pub local: bool,
}

impl Layer {
    /// What may be given as it: its name, unless it was a path and has gone.
    pub(crate) fn in_words(&self) -> String {
        match self.local && !Path::new(&self.path).exists() {
            true => format!("the model that it was made of, once {}", self.path),
            false => self.path.clone(),
        }
    }
}

/// Whether two hashes, or keys of models with adapters merged, are of the same weights. Those of adapters that were written
/// before `adapter_config.json` counted are of the tensors alone, and compared by these.
pub fn same_weights(a: &str, b: &str) -> bool {
    let tensors = |part: &str| {
        part.split_once(HOW)
            .map_or(part, |(tensors, _)| tensors)
            .len()
    };
    let same_part = |(a, b): (&str, &str)| match a.contains(HOW) == b.contains(HOW) {
        true => a == b,
        false => a[..tensors(a)] == b[..tensors(b)],
    };
    a.split(MERGED).count() == b.split(MERGED).count()
        && a.split(MERGED).zip(b.split(MERGED)).all(same_part)
}

impl From<&str> for Lineage {
    /// A model of which only the name is known.
    fn from(name: &str) -> Self {
        Self::of_model(name, String::new(), false)
    }
}

impl Lineage {
    /// A model as it is; `local` says that its name is a path.
    pub fn of_model(name: &str, weights: String, local: bool) -> Self {
        let path = name.to_owned();
        Self {
            name: path.clone(),
            model: Layer {
                path,
                weights,
                local,
            },
            adapters: Vec::new(),
            weights: String::new(),
            folder: PathBuf::new(),
        }
    }

    /// The base with the adapters of a folder merged.
    #[must_use]
    pub fn with(mut self, adapters: &Path, weights: String) -> Self {
        self.name = merged_folder(adapters).display().to_string();
        let path = adapters.display().to_string();
        self.adapters.push(Layer {
            path,
            weights,
            local: true,
        });
        self.weights.clear();
        self
    }

    /// Reads what a merged model, or the base of adapters, in `folder` is made of; none where there is no such file. `name` is
    /// what it is called.
    ///
    /// # Errors
    /// A file that cannot be read, or is broken.
    pub fn read(folder: &Path, name: &str) -> Result<Option<Self>, TrainError> {
        let Some(read) = Self::as_written(folder)? else {
            return Ok(None);
        };
        let origin = read.origin(folder);
        let layer = |layer: Layer| Layer {
            path: match layer.local {
                true => from_here(&origin, Path::new(&layer.path))
                    .display()
                    .to_string(),
                false => layer.path,
            },
            ..layer
        };
        Ok(Some(Self {
            name: name.to_owned(),
            model: layer(read.model),
            adapters: read.adapters.into_iter().map(layer).collect(),
            folder: PathBuf::new(),
            ..read
        }))
    }

    /// What the file in `folder` says.
    fn as_written(folder: &Path) -> Result<Option<Self>, TrainError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
        let read = serde_json::from_slice(&text).map_err(|e| TrainError::format(&path, e))?;
        Ok(Some(read))
    }

    /// The folder that the relative paths of a file in `folder` begin at.
    fn origin(&self, folder: &Path) -> PathBuf {
        match std::path::absolute(folder) {
            Ok(folder) if !self.folder.has_root() => {
                let up = |part: &Component<'_>| *part == Component::ParentDir;
                let levels = self.folder.components().filter(up).count();
                folder.ancestors().nth(levels).unwrap_or(&folder).into()
            }
            _ => self.folder.clone(),
        }
    }

    /// What the base of the adapters in `folder` is made of; none where it is a model as it is.
    ///
    /// # Errors
    /// As [`Lineage::read`], or a broken configuration of the adapters.
    pub fn of_adapters(folder: &Path) -> Result<Option<Self>, TrainError> {
        let name = PeftConfig::read(folder)?.base_model_name_or_path;
        let Some(read) = Self::read(folder, &name.unwrap_or_default())? else {
            return Ok(None);
        };
        let name = match (read.adapters.is_empty(), paths_begin_at(folder)?) {
            (true, _) => read.model.path.clone(),
            (false, Some(origin)) => from_here(&origin, Path::new(&read.name))
                .display()
                .to_string(),
            (false, None) => read.name.clone(),
        };
        Ok(Some(Self { name, ..read }))
    }

    /// Writes it into a folder, where more than a name is known.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        if self.adapters.is_empty() && self.model.weights.is_empty() {
            return Ok(());
        }
        let path = folder.join(FILE);
        let written = Self {
            folder: working_folder_from(folder).map_err(|e| TrainError::io(folder, e))?,
            ..self.clone()
        };
        let text = serde_json::to_string_pretty(&written);
        let text = text.map_err(|e| TrainError::format(&path, e))?;
        replace_file(&path, text + "\n")
    }

    /// The adapters that `self` still needs to become `wanted`; none where it is something else.
    pub fn lacks<'a>(&self, wanted: &'a Self) -> Option<&'a [Layer]> {
        let done = self.adapters.len();
        let same = |a: &Layer, b: &Layer| same_weights(&a.weights, &b.weights);
        let is_part = (wanted.model.weights.is_empty() || same(&self.model, &wanted.model))
            && done <= wanted.adapters.len()
            && self
                .adapters
                .iter()
                .zip(&wanted.adapters)
                .all(|(a, b)| same(a, b));
        is_part.then(|| &wanted.adapters[done..])
    }

    /// Whether adapters of this hash are merged.
    pub(crate) fn has(&self, weights: &str) -> bool {
        (self.adapters.iter()).any(|layer| same_weights(&layer.weights, weights))
    }

    /// Whether this is all that `wanted` is made of.
    pub fn is(&self, wanted: &Self) -> bool {
        self.lacks(wanted).is_some_and(<[_]>::is_empty)
    }

    /// What keeps this from being a part of `wanted`, in words.
    pub(crate) fn differs_from(&self, wanted: &Self) -> String {
        let (own, other) = (&self.model.path, &wanted.model.path);
        if !wanted.model.weights.is_empty() && self.model.weights != wanted.model.weights {
            return match own == other {
                true => format!("{own} has other weights than it had then"),
                false => format!("{own} has other weights than {other} had then"),
            };
        }
        let mut pairs = self.adapters.iter().zip(&wanted.adapters);
        if let Some((merged, _)) =
            pairs.find(|(own, then)| !same_weights(&own.weights, &then.weights))
        {
            return format!(
                "the adapters of {} that are merged in it are others than those of then",
                merged.path
            );
        }
        let more: Vec<_> = self.adapters[wanted.adapters.len().min(self.adapters.len())..]
            .iter()
            .map(|layer| layer.path.as_str())
            .collect();
        format!("it has more adapters merged: {}", more.join(", "))
    }

    /// In words.
    pub fn in_words(&self) -> String {
        let adapters: Vec<_> = self
            .adapters
            .iter()
            .map(|layer| layer.path.as_str())
            .collect();
        match adapters.as_slice() {
            [] => self.model.path.clone(),
            all => format!("{} with {} merged", self.model.path, all.join(", ")),
        }
    }
}

/// The folder that relative paths begin at which were written with the adapters in `folder`; none where nobody has said it.
///
/// # Errors
/// As [`Lineage::read`].
pub(crate) fn paths_begin_at(folder: &Path) -> Result<Option<PathBuf>, TrainError> {
    let read = Lineage::as_written(folder)?;
    let said = read.filter(|read| !path_is_empty(&read.folder));
    Ok(said.map(|read| read.origin(folder)))
}

/// The way to a path that began at `origin`, from the working folder. Where nothing is there, the path itself leads to it, or the
/// answer is where it should have been.
pub(crate) fn from_here(origin: &Path, path: &Path) -> PathBuf {
    let whole = origin.join(path);
    if whole.exists() {
        let here = std::env::current_dir().unwrap_or_default(); // Else the whole path.
        return match whole.strip_prefix(&here) {
            Ok(inside) if path_is_empty(inside) => ".".into(),
            Ok(inside) => inside.into(),
            Err(_) => whole,
        };
    }
    match path.exists() {
        true => path.into(),
        false => whole,
    }
}

/// The working folder, as `..` and so on from a folder within it, or absolute.
fn working_folder_from(folder: &Path) -> std::io::Result<PathBuf> {
    let here = std::env::current_dir()?;
    let folder = std::path::absolute(folder)?;
    Ok(match folder.strip_prefix(&here) {
        Ok(inside)
            if inside
                .components()
                .all(|part| matches!(part, Component::Normal(_))) =>
        {
            let up: PathBuf = inside.components().map(|_| "..").collect();
            if path_is_empty(&up) { ".".into() } else { up }
        }
        _ => here,
    })
}

/// The folder where `prlhf merge` writes a model with the adapters of a folder merged, if it is not told where.
pub fn merged_folder(adapters: &Path) -> PathBuf {
    let name = adapters.file_name().unwrap_or_default();
    if name == "adapters" {
        return adapters.with_file_name("merged");
    }
    let mut merged = OsString::from(name);
    merged.push("-merged");
    adapters.with_file_name(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(hashes: &[&str]) -> Lineage {
        let mut lineage = Lineage::of_model("base", hashes[0].into(), false);
        for (at, hash) in hashes.iter().enumerate().skip(1) {
            let path = format!("runs/{at}/adapters");
            lineage = lineage.with(Path::new(&path), (*hash).into());
        }
        lineage
    }

    #[test]
    fn a_base_lacks_what_was_merged_behind_it() {
        let wanted = lineage(&["m", "a", "b"]);
        let lacks = |hashes: &[&str]| {
            let found = lineage(hashes).lacks(&wanted).map(<[Layer]>::to_vec);
            found.map(|layers| {
                layers
                    .into_iter()
                    .map(|layer| layer.path)
                    .collect::<Vec<_>>()
            })
        };
        let [first, second] = ["runs/1/adapters", "runs/2/adapters"].map(String::from);
        assert_eq!(lacks(&["m"]), Some(vec![first, second.clone()]));
        assert_eq!(lacks(&["m", "a"]), Some(vec![second]));
        assert_eq!(lacks(&["m", "a", "b"]), Some(Vec::new()));
        assert_eq!(lacks(&["other"]), None);
        assert_eq!(lacks(&["m", "b"]), None);
        assert_eq!(lacks(&["m", "a", "b", "c"]), None);
    }

    #[test]
    fn hashes_of_tensors_alone_are_those_of_adapters_however_they_act() {
        for (a, b, expected) in [
            ("a", "a", true),
            ("a", "b", false),
            ("", "a", false),
            ("a.1", "a.1", true),
            ("a.1", "a.2", false),
            ("a.1", "b.1", false),
            ("a", "a.1", true),
            ("a.1", "b", false),
            ("m-F32+a", "m-F32+a.1", true),
            ("m-F32+a.2", "m-F32+a.1", false),
            ("m-F32+a+b", "m-F32+a.1+b.1", true),
            ("m-F32", "m-F32+a.1", false),
            ("m-F32+a", "m-Bf16+a.1", false),
        ] {
            assert_eq!(same_weights(a, b), expected, "{a} {b}");
            assert_eq!(same_weights(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_path_that_has_gone_is_not_to_be_given() {
        let layer = |path: &str, local| Layer {
            path: path.into(),
            weights: String::new(),
            local,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let there = folder.path().display().to_string();
        assert_eq!(layer(&there, true).in_words(), there);
        assert_eq!(layer("owner/name", false).in_words(), "owner/name");
        let gone = layer(&format!("{there}/gone"), true).in_words();
        assert!(
            gone.starts_with("the model that it was made of, once "),
            "{gone}"
        );
    }

    #[test]
    fn a_merged_model_lies_beside_its_adapters() {
        let at = |path: &str| merged_folder(Path::new(path)).display().to_string();
        assert_eq!(at("runs/sft/adapters"), "runs/sft/merged");
        assert_eq!(at("adapters/"), "merged");
        assert_eq!(at("/x/lora"), "/x/lora-merged");
    }

    #[test]
    fn what_is_written_is_read_back_and_a_name_alone_writes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        Lineage::from("m").write(folder.path()).expect("nothing");
        assert_eq!(Lineage::read(folder.path(), "x").expect("no file"), None);
        let mut two = lineage(&["m", "a"]);
        two.adapters[0].path = folder.path().display().to_string();
        two.write(folder.path()).expect("a file");
        let read = Lineage::read(folder.path(), &two.name).expect("a file");
        assert_eq!(read, Some(two));
    }

    #[test]
    fn relative_paths_begin_where_the_file_says() {
        let whole = tempfile::tempdir().expect("a folder");
        let adapters = whole.path().join("runs/a/adapters");
        std::fs::create_dir_all(&adapters).expect("a folder");
        std::fs::create_dir(whole.path().join("model")).expect("a folder");
        for (folder, model) in [
            ("../../..", "model"),
            ("..", "../../model"),
            ("../../..", "gone"),
        ] {
            let text = format!(
                r#"{{"model": {{"path": "{model}", "weights": "m", "local": true}}, "folder": "{folder}"}}"#
            );
            std::fs::write(adapters.join(FILE), text).expect("a file");
            let read = Lineage::read(&adapters, "")
                .expect("a file")
                .expect("a file");
            let expected = whole.path().join(match folder {
                ".." => "runs/a/../../model",
                _ => model,
            });
            assert_eq!(Path::new(&read.model.path), expected);
        }
        // What is on the hub is no path.
        let text = r#"{"model": {"path": "owner/name", "weights": "m"}, "folder": "../../.."}"#;
        std::fs::write(adapters.join(FILE), text).expect("a file");
        let read = Lineage::read(&adapters, "")
            .expect("a file")
            .expect("a file");
        assert_eq!(read.model.path, "owner/name");
    }

    #[test]
    fn the_working_folder_is_told_from_a_folder_within_it() {
        let from = |folder: &str| working_folder_from(Path::new(folder)).expect("a working folder");
        assert_eq!(from("runs/a/adapters"), Path::new("../../.."));
        let here = std::env::current_dir().expect("a working folder");
        assert_eq!(from("/elsewhere/adapters"), here);
    }

    #[test]
    fn the_way_to_the_working_folder_is_not_empty() {
        let here = std::env::current_dir().expect("a working folder");
        assert_eq!(from_here(&here, Path::new(".")), Path::new("."));
        assert_eq!(from_here(&here, Path::new("src")), Path::new("src"));
    }

    #[test]
    fn what_keeps_a_model_from_being_the_base_is_said() {
        let wanted = lineage(&["m", "a"]);
        let says = |hashes: &[&str]| lineage(hashes).differs_from(&wanted);
        assert_eq!(says(&["x", "a"]), "base has other weights than it had then");
        assert!(says(&["m", "b"]).contains("are others than those of then"));
        assert!(says(&["m", "a", "b"]).contains("more adapters merged: runs/2/adapters"));
    }
}

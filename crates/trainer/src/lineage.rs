//! What adapters were trained on: a model, and the adapters that were merged into it first.
//!
//! Adapters name one base (`adapter_config.json`), which `peft` opens. Where that is a model with adapters merged, the folder
//! of the merged model has [`FILE`] in it, and so have adapters that were trained on it: our own programs then merge again
//! what was merged in memory only, and nobody puts adapters on the model without.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use llm_backbone::peft::PeftConfig;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::files::replace_file;

/// The file's name.
pub const FILE: &str = "lineage.json";

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
}

/// A part of a model by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// A path or a hub id.
    pub path: String,
    /// The hash of its weights; empty where it is not known.
    pub weights: String,
}

impl From<&str> for Lineage {
    /// A model of which only the name is known.
    fn from(name: &str) -> Self {
        Self::of_model(name, String::new())
    }
}

impl Lineage {
    /// A model as it is.
    pub fn of_model(name: &str, weights: String) -> Self {
        let path = name.to_owned();
        Self {
            name: path.clone(),
            model: Layer { path, weights },
            adapters: Vec::new(),
            weights: String::new(),
        }
    }

    /// The base with the adapters of a folder merged.
    #[must_use]
    pub fn with(mut self, adapters: &Path, weights: String) -> Self {
        self.name = merged_folder(adapters).display().to_string();
        let path = adapters.display().to_string();
        self.adapters.push(Layer { path, weights });
        self.weights.clear();
        self
    }

    /// Reads what a merged model, or the base of adapters, in `folder` is made of; none where there is no such file. `name` is
    /// what it is called.
    ///
    /// # Errors
    /// A file that cannot be read, or is broken.
    pub fn read(folder: &Path, name: &str) -> Result<Option<Self>, TrainError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
        let read: Self = serde_json::from_slice(&text).map_err(|e| TrainError::format(&path, e))?;
        let name = name.to_owned();
        Ok(Some(Self { name, ..read }))
    }

    /// What the base of the adapters in `folder` is made of; none where it is a model as it is.
    ///
    /// # Errors
    /// As [`Lineage::read`], or a broken configuration of the adapters.
    pub fn of_adapters(folder: &Path) -> Result<Option<Self>, TrainError> {
        let name = PeftConfig::read(folder)?.base_model_name_or_path;
        Self::read(folder, &name.unwrap_or_default())
    }

    /// Writes it into a folder, where anything was merged.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        if self.adapters.is_empty() {
            return Ok(());
        }
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|e| TrainError::format(&path, e))?;
        replace_file(&path, text + "\n")
    }

    /// The adapters that `self` still needs to become `wanted`; none where it is something else.
    pub fn lacks<'a>(&self, wanted: &'a Self) -> Option<&'a [Layer]> {
        let done = self.adapters.len();
        let same = |a: &Layer, b: &Layer| a.weights == b.weights;
        let is_part = same(&self.model, &wanted.model)
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
        self.adapters.iter().any(|layer| layer.weights == weights)
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
        let mut lineage = Lineage::of_model("base", hashes[0].into());
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
    fn a_merged_model_lies_beside_its_adapters() {
        let at = |path: &str| merged_folder(Path::new(path)).display().to_string();
        assert_eq!(at("runs/sft/adapters"), "runs/sft/merged");
        assert_eq!(at("adapters/"), "merged");
        assert_eq!(at("/x/lora"), "/x/lora-merged");
    }

    #[test]
    fn what_is_written_is_read_back_and_a_model_as_it_is_writes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        lineage(&["m"]).write(folder.path()).expect("nothing");
        assert_eq!(Lineage::read(folder.path(), "x").expect("no file"), None);
        let two = lineage(&["m", "a"]);
        two.write(folder.path()).expect("a file");
        let read = Lineage::read(folder.path(), &two.name).expect("a file");
        assert_eq!(read, Some(two));
    }
}

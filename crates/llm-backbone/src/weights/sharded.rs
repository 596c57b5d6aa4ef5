//! Weights in several files with an index (`*.index.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use cpu_kernels::StoredMatrix;

use super::{WeightError, WeightSource, open_file, refuse_pointer};

/// The index, and every shard it names.
pub(crate) struct Sharded {
    index: PathBuf,
    shards: Vec<Box<dyn WeightSource>>,
    /// Tensor name to shard.
    places: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Sharded {
    /// Opens `model.safetensors.index.json` or `pytorch_model.bin.index.json` and the shards beside it.
    ///
    /// # Errors
    ///
    /// [`WeightError`] if the index or a shard cannot be read, or a shard lacks a tensor that the index puts in it.
    pub(crate) fn open(index: impl AsRef<Path>) -> Result<Self, WeightError> {
        let index = index.as_ref();
        let text =
            std::fs::read_to_string(index).map_err(|source| WeightError::io(index, source))?;
        refuse_pointer(index, text.as_bytes())?;
        let Index { weight_map } = serde_json::from_str(&text).map_err(|error| {
            WeightError::malformed(index, "index", error.to_string(), "a `weight_map`")
        })?;
        let mut this = Self {
            index: index.to_owned(),
            shards: Vec::new(),
            places: BTreeMap::new(),
        };
        for file in weight_map.values() {
            refuse_elsewhere(index, file)?;
        }
        require_all(index, &weight_map)?;
        let mut opened = BTreeMap::new();
        for (tensor, file) in weight_map {
            let shard = match opened.get(&file) {
                Some(shard) => *shard,
                None => {
                    this.shards.push(open_file(&index.with_file_name(&file))?);
                    opened.insert(file, this.shards.len() - 1);
                    this.shards.len() - 1
                }
            };
            this.shards[shard].shape(&tensor)?;
            this.places.insert(tensor, shard);
        }
        Ok(this)
    }

    fn shard(&self, name: &str) -> Result<&dyn WeightSource, WeightError> {
        match self.places.get(name) {
            Some(place) => Ok(self.shards[*place].as_ref()),
            None => Err(WeightError::missing(&self.index, name, self.names())),
        }
    }
}

/// An index must not lead out of its folder.
fn refuse_elsewhere(index: &Path, file: &str) -> Result<(), WeightError> {
    let mut parts = Path::new(file).components();
    if matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        return Ok(());
    }
    let found = format!("the shard `{file}`");
    let expected = "a file beside the index";
    Err(WeightError::malformed(index, "weight_map", found, expected))
}

/// That every shard is there: a download that stopped leaves some out.
fn require_all(index: &Path, weight_map: &BTreeMap<String, String>) -> Result<(), WeightError> {
    let shards: BTreeSet<_> = weight_map.values().collect();
    let is_there = |shard: &&&String| index.with_file_name(shard).is_file();
    let missing: Vec<_> = shards.iter().filter(|shard| !is_there(shard)).collect();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let found = format!(
        "{} of the model's {} shards are not there, such as {first}",
        missing.len(),
        shards.len()
    );
    Err(WeightError::something_else(index, found, "download them"))
}

impl WeightSource for Sharded {
    fn path(&self) -> &Path {
        &self.index
    }

    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightError> {
        self.shard(name)?.shape(name)
    }

    fn storage(&self, name: &str) -> Result<String, WeightError> {
        self.shard(name)?.storage(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        self.shard(name)?.read(name)
    }

    fn stored(&self, name: &str) -> Result<Option<StoredMatrix>, WeightError> {
        self.shard(name)?.stored(name)
    }
}

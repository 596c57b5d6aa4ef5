//! Weights in several files with an index (`*.index.json`).

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use cpu_kernels::StoredMatrix;

use super::{PytorchFile, SafetensorsFile, WeightError, WeightSource};

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
        let Index { weight_map } = serde_json::from_str(&text).map_err(|error| {
            WeightError::malformed(index, "index", error.to_string(), "a `weight_map`")
        })?;
        let mut this = Self {
            index: index.to_owned(),
            shards: Vec::new(),
            places: BTreeMap::new(),
        };
        let mut opened = BTreeMap::new();
        for (tensor, file) in weight_map {
            let shard = match opened.get(&file) {
                Some(shard) => *shard,
                None => {
                    this.shards.push(open_shard(index, &file)?);
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

fn open_shard(index: &Path, file: &str) -> Result<Box<dyn WeightSource>, WeightError> {
    // An index must not lead out of its folder.
    let mut parts = Path::new(file).components();
    if !matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        let found = format!("the shard `{file}`");
        return Err(WeightError::malformed(
            index,
            "weight_map",
            found,
            "a file beside the index",
        ));
    }
    let path = index.with_file_name(file);
    if file.ends_with(".safetensors") {
        Ok(Box::new(SafetensorsFile::open(path)?))
    } else {
        Ok(Box::new(PytorchFile::open(path)?))
    }
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

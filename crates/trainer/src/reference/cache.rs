//! Log-probs of one reference model on disk: a JSON Lines file, appended to as results come, so that a stopped run loses
//! nothing.
//!
//! An entry's key is a hash of the model (weights, merged adapters, dtype) and of the exact token ids of prompt and response.
//! A line `{"settled":true}` says that all that was asked for together is there. Entries behind the last such line are of work
//! that was stopped: they count as known, but not when it is decided what is computed together.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::tokenise::TokenizedPair;

/// What is known of one reference model.
#[derive(Debug)]
pub(super) struct Cache {
    model_key: String,
    known: HashMap<String, f32>,
    /// Known from work that was stopped.
    unsettled: HashSet<String>,
    /// Where new entries go.
    path: PathBuf,
    /// Open once something was written.
    file: Option<File>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// The bits of the number: text would not always read back to the same one.
    Entry {
        key: String,
        bits: u32,
        /// Of both; entries of earlier versions have none.
        #[serde(default)]
        check: Option<u32>,
    },
    Settled {
        settled: bool,
    },
}

impl Cache {
    /// The cache of a model in `dir`.
    pub(super) fn open(dir: &Path, model_key: &str) -> Result<Self, TrainError> {
        let mut cache = Self::empty(dir, model_key);
        let path = cache.path.clone();
        cache.read(&path)?;
        Ok(cache)
    }

    /// A cache that knows nothing, in the place of the one in `dir`, which the run that begins there removes.
    pub(super) fn empty(dir: &Path, model_key: &str) -> Self {
        Self {
            model_key: model_key.into(),
            known: HashMap::new(),
            unsettled: HashSet::new(),
            path: dir.join(format!("reference-{}.jsonl", short(model_key))),
            file: None,
        }
    }

    /// The same, whose new entries go into a file beside it.
    pub(super) fn open_beside(dir: &Path, model_key: &str) -> Result<Self, TrainError> {
        let mut cache = Self::open(dir, model_key)?;
        let path = dir.join(format!("evaluated-{}.jsonl", short(model_key)));
        cache.read(&path)?;
        cache.unsettled.clear();
        cache.path = path;
        Ok(cache)
    }

    /// Takes the entries of a file in; the first of a key counts.
    fn read(&mut self, path: &Path) -> Result<(), TrainError> {
        let error = |e| TrainError::io(path, e);
        if !path.exists() {
            return Ok(());
        }
        let mut reader = BufReader::new(File::open(path).map_err(error)?);
        let (mut line, mut broken) = (Vec::new(), 0_usize);
        while reader.read_until(b'\n', &mut line).map_err(error)? > 0 {
            match serde_json::from_slice(&line) {
                Ok(Line::Entry { key, bits, check })
                    if check.is_none_or(|check| check == check_of(&key, bits)) =>
                {
                    if let Entry::Vacant(place) = self.known.entry(key.clone()) {
                        place.insert(f32::from_bits(bits));
                        self.unsettled.insert(key);
                    }
                }
                Ok(Line::Settled { .. }) => self.unsettled.clear(),
                Err(_) if line.trim_ascii().is_empty() => {}
                Ok(Line::Entry { .. }) | Err(_) => broken += 1,
            }
            line.clear();
        }
        if broken > 0 {
            tracing::warn!(
                "{}: {broken} broken line(s) passed over; what they held is computed again",
                path.display()
            );
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn get(&self, key: &str) -> Option<f32> {
        self.known.get(key).copied()
    }

    /// Whether a log-prob is known from work that was finished.
    pub(super) fn is_settled(&self, key: &str) -> bool {
        self.known.contains_key(key) && !self.unsettled.contains(key)
    }

    /// Adds log-probs of both responses under their keys. A response that is known already, with another partner, keeps its
    /// first number, here as in the file: it may differ in the last bit.
    pub(super) fn add<'a>(
        &mut self,
        found: impl Iterator<Item = (&'a [String; 2], (f32, f32))>,
    ) -> Result<(), TrainError> {
        let mut lines = Vec::new();
        for (keys, (chosen, rejected)) in found {
            for (key, logp) in keys.iter().zip([chosen, rejected]) {
                if let Entry::Vacant(place) = self.known.entry(key.clone()) {
                    place.insert(logp);
                    let (key, bits) = (key.clone(), logp.to_bits());
                    let check = Some(check_of(&key, bits));
                    lines.push(Line::Entry { key, bits, check });
                }
            }
        }
        self.append(&lines)
    }

    /// All that was asked for together is known.
    pub(super) fn settle(&mut self) -> Result<(), TrainError> {
        self.unsettled.clear();
        self.append(&[Line::Settled { settled: true }])
    }

    /// Appends lines in one piece.
    fn append(&mut self, lines: &[Line]) -> Result<(), TrainError> {
        let path = &self.path;
        let text = as_lines(path, lines)?;
        let error = |e| TrainError::io(path, e);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => open_to_append(path).map_err(error)?,
        };
        file.write_all(&text).map_err(error)?;
        self.file = Some(file);
        Ok(())
    }

    /// The keys of a pair's responses.
    pub(super) fn keys(&self, pair: &TokenizedPair) -> [String; 2] {
        [&pair.chosen, &pair.rejected].map(|response| {
            let mut hash = Sha256::new();
            hash.update(&self.model_key);
            for part in [&pair.prompt.ids, response] {
                hash.update((part.len() as u64).to_le_bytes());
                for id in part {
                    hash.update(id.to_le_bytes());
                }
            }
            format!("{:x}", hash.finalize())[..32].to_string()
        })
    }
}

/// Tells a whole entry from one with a changed bit.
fn check_of(key: &str, bits: u32) -> u32 {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(bits.to_le_bytes());
    let bytes: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = bytes;
    u32::from_le_bytes([a, b, c, d])
}

/// Whether a file's name is that of a cache.
pub(crate) fn is_cache(name: &str) -> bool {
    let model = ["reference-", "evaluated-", "candidates-"]
        .iter()
        .find_map(|kind| name.strip_prefix(kind)?.strip_suffix(".jsonl"));
    model.is_some_and(|model| model.len() == 16 && model.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A model in the name of its file.
fn short(model_key: &str) -> String {
    format!("{:x}", Sha256::digest(model_key))[..16].to_string()
}

/// Values for a file, one a line.
fn as_lines(path: &Path, values: &[impl Serialize]) -> Result<Vec<u8>, TrainError> {
    let mut text = Vec::new();
    for value in values {
        let line = serde_json::to_vec(value).map_err(|e| TrainError::format(path, e))?;
        text.extend(line);
        text.push(b'\n');
    }
    Ok(text)
}

/// Appends values to a file, one a line and all in one piece.
pub(crate) fn append_lines(path: &Path, values: &[impl Serialize]) -> Result<(), TrainError> {
    let text = as_lines(path, values)?;
    let appended = open_to_append(path).and_then(|mut file| file.write_all(&text));
    appended.map_err(|e| TrainError::io(path, e))
}

/// Opens a file at its end. Where a crash cut its last line, the next begins on a line of its own.
fn open_to_append(path: &Path) -> std::io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).open(path)?;
    if ends_within_a_line(path)? {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn ends_within_a_line(path: &Path) -> std::io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(a: &str, b: &str) -> [String; 2] {
        [a.into(), b.into()]
    }

    fn file(dir: &Path) -> PathBuf {
        dir.join(format!("reference-{}.jsonl", short("m")))
    }

    #[test]
    fn entries_of_stopped_work_are_known_and_not_settled() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(dir.path(), "m").unwrap();
        cache
            .add([(&keys("a", "b"), (1.0, 2.0))].into_iter())
            .unwrap();
        cache.settle().unwrap();
        cache
            .add([(&keys("c", "a"), (3.0, 9.0))].into_iter())
            .unwrap();
        let cache = Cache::open(dir.path(), "m").unwrap();
        assert!(cache.is_settled("a") && cache.is_settled("b"));
        assert_eq!((cache.get("c"), cache.is_settled("c")), (Some(3.0), false));
        assert_eq!(cache.get("a"), Some(1.0), "the first counts");
    }

    #[test]
    fn a_line_cut_by_a_crash_costs_itself_alone_and_so_does_a_broken_byte() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(dir.path(), "m").unwrap();
        cache
            .add([(&keys("a", "b"), (1.0, 2.0))].into_iter())
            .unwrap();
        let mut bytes = fs::read(file(dir.path())).unwrap();
        bytes.truncate(bytes.len() - 5);
        bytes.splice(0..0, *b"\xff\xfe\n");
        fs::write(file(dir.path()), bytes).unwrap();
        let mut cache = Cache::open(dir.path(), "m").unwrap();
        assert_eq!((cache.get("a"), cache.get("b")), (Some(1.0), None));
        cache
            .add([(&keys("c", "b"), (3.0, 4.0))].into_iter())
            .unwrap();
        let cache = Cache::open(dir.path(), "m").unwrap();
        assert_eq!((cache.get("b"), cache.get("c")), (Some(4.0), Some(3.0)));
    }

    #[test]
    fn an_entry_with_a_changed_digit_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = Cache::open(dir.path(), "m").unwrap();
        cache
            .add([(&keys("a", "b"), (1.0, 2.0))].into_iter())
            .unwrap();
        let text = fs::read_to_string(file(dir.path())).unwrap();
        let bits = 1_f32.to_bits().to_string();
        let changed = text.replacen(&bits, &(1_f32.to_bits() + 1).to_string(), 1);
        assert_ne!(changed, text);
        fs::write(file(dir.path()), changed).unwrap();
        let cache = Cache::open(dir.path(), "m").unwrap();
        assert_eq!((cache.get("a"), cache.get("b")), (None, Some(2.0)));
    }

    #[test]
    fn what_an_evaluation_computes_is_not_read_by_training() {
        let dir = tempfile::tempdir().unwrap();
        let mut training = Cache::open(dir.path(), "m").unwrap();
        training
            .add([(&keys("a", "b"), (1.0, 2.0))].into_iter())
            .unwrap();
        let mut beside = Cache::open_beside(dir.path(), "m").unwrap();
        assert_eq!(beside.get("a"), Some(1.0));
        beside
            .add([(&keys("c", "d"), (3.0, 4.0))].into_iter())
            .unwrap();
        assert_eq!(Cache::open(dir.path(), "m").unwrap().get("c"), None);
        assert_eq!(
            Cache::open_beside(dir.path(), "m").unwrap().get("c"),
            Some(3.0)
        );
    }
}

//! Reference log-probs: they depend on neither user nor epoch nor beta, so they are computed once, when first needed, and kept
//! on disk.
//!
//! The cache is a JSON Lines file per model, appended to as results come, so that a stopped run loses nothing. An entry's
//! key is a hash of the model (weights, merged adapters, dtype) and of the exact token ids of prompt and response.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use llm_backbone::Model;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::example::{Example, ReferenceLogProbs};
use crate::host::host;
use crate::pack::PackedBatch;
use crate::policy::Policy;
use crate::profile::TARGET;
use crate::progress::Progress;
use crate::replicas;
use crate::tokenise::TokenizedPair;

/// A reference model with its cache. Copies share the cache.
#[derive(Clone, Debug)]
pub struct Reference {
    policy: Policy,
    cache: Arc<Mutex<Cache>>,
    micro_rows: usize,
}

impl Reference {
    /// `model` with its log-probs known so far, which lie in `dir` under `model_key`; `micro_rows` packed rows are computed at
    /// a time. A broken last line, as a crash leaves it, is dropped.
    ///
    /// # Errors
    /// A folder or file that cannot be read or written.
    pub fn open(
        dir: &Path,
        model: &Model,
        model_key: &str,
        micro_rows: usize,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            policy: Policy::plain(model.valid()),
            cache: Arc::new(Mutex::new(Cache::open(dir, model_key)?)),
            micro_rows: micro_rows.max(1),
        })
    }

    /// The number of responses whose log-probs are known.
    pub fn known(&self) -> usize {
        self.locked().known.len()
    }

    /// Gives every example the log-probs of its comparison, computed where unknown.
    ///
    /// # Errors
    /// A cache file that cannot be written.
    pub fn fill(&self, examples: &[&Example], progress: &dyn Progress) -> Result<(), TrainError> {
        let empty = |e: &&&Example| e.item.reference.get().is_none();
        let empty: Vec<&Example> = examples.iter().filter(empty).copied().collect();
        if empty.is_empty() {
            return Ok(());
        }
        let pairs: Vec<&TokenizedPair> = empty.iter().map(|e| e.pair()).collect();
        for (example, found) in empty.iter().zip(self.log_probs(&pairs, progress)?) {
            let _ = example.item.reference.set(found); // Already there: the same comparison twice.
        }
        Ok(())
    }

    /// Log-probs of every pair, computed where unknown.
    ///
    /// # Errors
    /// A cache file that cannot be written.
    pub fn log_probs(
        &self,
        pairs: &[&TokenizedPair],
        progress: &dyn Progress,
    ) -> Result<Vec<ReferenceLogProbs>, TrainError> {
        let mut cache = self.locked();
        let keys: Vec<[String; 2]> = pairs.iter().map(|p| cache.keys(p)).collect();
        let mut queued = HashSet::new();
        let mut missing: Vec<usize> = (0..pairs.len())
            .filter(|&i| keys[i].iter().any(|k| !cache.known.contains_key(k)))
            .filter(|&i| queued.insert(&keys[i]))
            .collect();
        if !missing.is_empty() {
            missing.sort_by_key(|&i| pairs[i].row_length(0));
            self.compute(&mut cache, pairs, &keys, &missing, progress)?;
        }
        let find = |key: &String| cache.known.get(key).copied().unwrap_or_default(); // invariant: just computed
        let found = keys.iter().map(|[chosen, rejected]| ReferenceLogProbs {
            chosen: find(chosen),
            rejected: find(rejected),
        });
        Ok(found.collect())
    }

    fn compute(
        &self,
        cache: &mut Cache,
        pairs: &[&TokenizedPair],
        keys: &[[String; 2]],
        missing: &[usize],
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        let _span = tracing::trace_span!(target: TARGET, "reference").entered();
        const WHAT: &str = "reference log-probs";
        let device = self.policy.model.device();
        let mut file = cache.append()?;
        let threads = replicas::on(&device);
        let sums = |chunk: &&[usize]| {
            let rows: Vec<&TokenizedPair> = chunk.iter().map(|&i| pairs[i]).collect();
            let packed = PackedBatch::for_device(&rows, 0, &device);
            let sums = self
                .policy
                .response_log_probs(&packed, &packed.to_device(&device), None);
            let [chosen, rejected] = [sums.chosen, sums.rejected].map(host);
            chosen.into_iter().zip(rejected)
        };
        progress.report(WHAT, 0, missing.len());
        let mut done = 0;
        // As many micro-batches at a time as there are threads; each round goes to the file.
        for round in missing.chunks(self.micro_rows.saturating_mul(threads)) {
            let each = round.len().div_ceil(threads).min(self.micro_rows);
            let chunks: Vec<&[usize]> = round.chunks(each).collect();
            let log_probs = replicas::map(&chunks, threads, sums);
            let found = log_probs.into_iter().flatten();
            cache.add(&mut file, round.iter().map(|&i| &keys[i]).zip(found))?;
            done += round.len();
            progress.report(WHAT, done, missing.len());
        }
        Ok(())
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of one reference model.
#[derive(Debug)]
struct Cache {
    model_key: String,
    path: PathBuf,
    known: HashMap<String, f32>,
}

#[derive(Serialize, Deserialize)]
struct CacheLine {
    key: String,
    /// The bits of the number: text would not always read back to the same one.
    bits: u32,
}

impl Cache {
    fn open(dir: &Path, model_key: &str) -> Result<Self, TrainError> {
        let path = dir.join(format!(
            "reference-{}.jsonl",
            &format!("{:x}", Sha256::digest(model_key))[..16]
        ));
        let mut known = HashMap::new();
        if path.exists() {
            let file = File::open(&path).map_err(|e| TrainError::io(&path, e))?;
            for line in BufReader::new(file).lines() {
                let line = line.map_err(|e| TrainError::io(&path, e))?;
                match serde_json::from_str::<CacheLine>(&line) {
                    Ok(entry) => _ = known.entry(entry.key).or_insert(f32::from_bits(entry.bits)),
                    Err(error) => tracing::warn!("{}: entry passed over: {error}", path.display()),
                }
            }
        }
        Ok(Self {
            model_key: model_key.into(),
            path,
            known,
        })
    }

    fn append(&self) -> Result<File, TrainError> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, e))?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&self.path);
        file.map_err(|e| TrainError::io(&self.path, e))
    }

    /// Adds log-probs of both responses under their keys. A response that is known already, with another partner, keeps its
    /// first number, here as in the file: it may differ in the last bit.
    fn add<'a>(
        &mut self,
        file: &mut File,
        found: impl Iterator<Item = (&'a [String; 2], (f32, f32))>,
    ) -> Result<(), TrainError> {
        let mut lines = String::new();
        for (keys, (chosen, rejected)) in found {
            for (key, logp) in keys.iter().zip([chosen, rejected]) {
                if let Entry::Vacant(place) = self.known.entry(key.clone()) {
                    place.insert(logp);
                    let (key, bits) = (key.clone(), logp.to_bits());
                    lines += &serde_json::to_string(&CacheLine { key, bits }).unwrap_or_default(); // invariant: plain data
                    lines.push('\n');
                }
            }
        }
        let written = file.write_all(lines.as_bytes());
        written.map_err(|e| TrainError::io(&self.path, e))
    }

    fn keys(&self, pair: &TokenizedPair) -> [String; 2] {
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

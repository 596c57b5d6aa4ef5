//! Reference log-probs: they depend on neither user nor epoch nor beta, so they are computed once and kept on disk.
//!
//! The cache is a JSON Lines file per model, appended to as results come, so that a stopped run loses nothing. An entry's
//! key is a hash of the model (weights, merged adapters, dtype) and of the exact token ids of prompt and response.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use burn::module::Module;
use llm_backbone::Model;
use pdpo_loss::Branch;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::pack::{PackedBatch, Row};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::replicas;
use crate::step::host;
use crate::tokenise::TokenizedPair;

/// Summed log-probs of both responses under the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReferenceLogProbs {
    /// Of the preferred response.
    pub chosen: f32,
    /// Of the other.
    pub rejected: f32,
}

/// The cache of one reference model.
#[derive(Debug)]
pub struct ReferenceCache {
    model_key: String,
    path: PathBuf,
    known: HashMap<String, f32>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    key: String,
    /// The bits of the number: text would not always read back to the same one.
    bits: u32,
}

impl ReferenceCache {
    /// Opens or creates the cache of the model with the given key in a folder. A broken last line, as a crash leaves it,
    /// is dropped.
    ///
    /// # Errors
    /// A folder or file that cannot be read or written.
    pub fn open(dir: &Path, model_key: &str) -> Result<Self, TrainError> {
        fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, e))?;
        let path = dir.join(format!(
            "reference-{}.jsonl",
            &hex(&Sha256::digest(model_key))[..16]
        ));
        let mut known = HashMap::new();
        if path.exists() {
            let file = File::open(&path).map_err(|e| TrainError::io(&path, e))?;
            for line in BufReader::new(file).lines() {
                let line = line.map_err(|e| TrainError::io(&path, e))?;
                match serde_json::from_str::<Entry>(&line) {
                    Ok(entry) => drop(known.insert(entry.key, f32::from_bits(entry.bits))),
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

    /// The number of responses known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True if nothing is known yet.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Log-probs of every pair, computed where unknown, `micro_rows` packed rows at a time.
    ///
    /// # Errors
    /// A cache file that cannot be written.
    pub fn log_probs(
        &mut self,
        model: &Model,
        pairs: &[&TokenizedPair],
        micro_rows: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<ReferenceLogProbs>, TrainError> {
        let keys: Vec<[String; 2]> = pairs
            .iter()
            .map(|p| [self.key(p, &p.chosen), self.key(p, &p.rejected)])
            .collect();
        let mut queued = std::collections::HashSet::new();
        let mut missing: Vec<usize> = (0..pairs.len())
            .filter(|&i| keys[i].iter().any(|k| !self.known.contains_key(k)))
            .filter(|&i| queued.insert(&keys[i]))
            .collect();
        missing.sort_by_key(|&i| pairs[i].row_length(0));
        if !missing.is_empty() {
            self.compute(model, (pairs, &keys), &missing, micro_rows, progress)?;
        }
        let find = |key: &String| self.known.get(key).copied().unwrap_or_default(); // invariant: just computed
        Ok(keys
            .iter()
            .map(|[chosen, rejected]| ReferenceLogProbs {
                chosen: find(chosen),
                rejected: find(rejected),
            })
            .collect())
    }

    fn compute(
        &mut self,
        model: &Model,
        (pairs, keys): (&[&TokenizedPair], &[[String; 2]]),
        missing: &[usize],
        micro_rows: usize,
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        let policy = Policy::plain(model.valid());
        let device = policy.model.device();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(|e| TrainError::io(&self.path, e))?;
        let (mut done, total) = (0, missing.len());
        progress.report("reference log-probs", done, total);
        let threads = replicas::on(&device);
        let sums = |chunk: &&[usize]| {
            let rows: Vec<Row<'_>> = chunk
                .iter()
                .map(|&i| Row {
                    pair: pairs[i],
                    branch: Branch::Generic,
                })
                .collect();
            let packed = PackedBatch::for_device(&rows, 0, &device);
            let sums = policy.response_log_probs(&packed, &packed.to_device(&device), None);
            host(sums.chosen).into_iter().zip(host(sums.rejected))
        };
        // As many micro-batches at a time as there are threads; each round goes to the file.
        let micro_rows = micro_rows.max(1);
        for round in missing.chunks(micro_rows.saturating_mul(threads)) {
            let chunks: Vec<&[usize]> = round.chunks(micro_rows).collect();
            let log_probs = replicas::map(&chunks, threads, sums);
            let mut lines = String::new();
            for (&i, (chosen, rejected)) in round.iter().zip(log_probs.into_iter().flatten()) {
                for (key, logp) in keys[i].iter().zip([chosen, rejected]) {
                    if self.known.insert(key.clone(), logp).is_none() {
                        let (key, bits) = (key.clone(), logp.to_bits());
                        lines += &serde_json::to_string(&Entry { key, bits }).unwrap_or_default(); // invariant: plain data
                        lines.push('\n');
                    }
                }
            }
            file.write_all(lines.as_bytes())
                .map_err(|e| TrainError::io(&self.path, e))?;
            done += round.len();
            progress.report("reference log-probs", done, total);
        }
        Ok(())
    }

    fn key(&self, pair: &TokenizedPair, response: &[u32]) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.model_key);
        for part in [&pair.prompt.ids[..], response] {
            hash.update((part.len() as u64).to_le_bytes());
            for id in part {
                hash.update(id.to_le_bytes());
            }
        }
        hex(&hash.finalize())[..32].to_string()
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

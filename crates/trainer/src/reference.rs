//! Reference log-probs: they depend on neither user nor epoch nor beta, so they are computed once, when first needed, and kept
//! on disk (`cache.rs`).

mod cache;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::module::Module;
use llm_backbone::Model;

use crate::error::TrainError;
use crate::example::{Example, Item, ReferenceLogProbs};
use crate::host::host;
use crate::pack::{PackedBatch, RowTokens};
use crate::policy::Policy;
use crate::profile::TARGET;
use crate::progress::Progress;
use crate::replicas;
use crate::sharing::{self, AtOnce, Pass};
use crate::tokenise::TokenizedPair;
use cache::Cache;
pub(crate) use cache::{append_lines, is_cache};

/// A reference model with its cache. Copies share the cache.
#[derive(Clone, Debug)]
pub struct Reference {
    policy: Policy,
    cache: Arc<Mutex<Cache>>,
    micro_rows: usize,
}

impl Reference {
    /// `model` with its log-probs known so far, which lie in `dir` under `model_key`; `micro_rows` packed rows are computed at
    /// a time. Broken lines, as a crash leaves them, are passed over.
    ///
    /// # Errors
    /// A folder or file that cannot be read or written.
    pub fn open(
        dir: &Path,
        model: &Model,
        model_key: &str,
        micro_rows: usize,
    ) -> Result<Self, TrainError> {
        let cache = Cache::open(dir, model_key)?;
        Ok(Self::with_cache(cache, model, micro_rows))
    }

    /// The same for a run that replaces the one whose log-probs lie in `dir`: none of them is known.
    pub fn new(dir: &Path, model: &Model, model_key: &str, micro_rows: usize) -> Self {
        Self::with_cache(Cache::empty(dir, model_key), model, micro_rows)
    }

    /// The same for comparisons that are not trained on: what is computed goes into a file of its own, which no training reads. A
    /// log-prob may differ in its last bit with the company it is computed in, and a run that goes on must not differ from the
    /// run that was never stopped.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn open_beside(
        dir: &Path,
        model: &Model,
        model_key: &str,
        micro_rows: usize,
    ) -> Result<Self, TrainError> {
        let cache = Cache::open_beside(dir, model_key)?;
        Ok(Self::with_cache(cache, model, micro_rows))
    }

    fn with_cache(cache: Cache, model: &Model, micro_rows: usize) -> Self {
        Self {
            policy: Policy::plain(model.valid()),
            cache: Arc::new(Mutex::new(cache)),
            micro_rows: micro_rows.max(1),
        }
    }

    /// The number of responses whose log-probs are known.
    pub fn known(&self) -> usize {
        self.locked().len()
    }

    /// Gives every example the log-probs of its comparison, computed where unknown.
    ///
    /// # Errors
    /// A cache file that cannot be written, or [`TrainError::Stopped`].
    pub fn fill(&self, examples: &[&Example], progress: &dyn Progress) -> Result<(), TrainError> {
        self.fill_with(examples, |item| &item.reference, Cow::Borrowed, progress)
    }

    /// Gives every example the log-probs of the first tokens of its responses, as many as the shorter one has. They are those of
    /// the responses that end there, which is how they are kept.
    ///
    /// # Errors
    /// As [`Reference::fill`].
    pub fn fill_shared(
        &self,
        examples: &[&Example],
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        let shared = |pair| Cow::Owned(TokenizedPair::shared(pair));
        self.fill_with(examples, |item| &item.shared_reference, shared, progress)
    }

    fn fill_with<'a>(
        &self,
        examples: &[&'a Example],
        place: fn(&Item) -> &OnceLock<ReferenceLogProbs>,
        scored: impl Fn(&'a TokenizedPair) -> Cow<'a, TokenizedPair>,
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        let empty = examples.iter().filter(|e| place(&e.item).get().is_none());
        let empty: Vec<&Example> = empty.copied().collect();
        if empty.is_empty() {
            return Ok(());
        }
        let pairs: Vec<_> = empty.iter().map(|e| scored(e.pair())).collect();
        let pairs: Vec<&TokenizedPair> = pairs.iter().map(AsRef::as_ref).collect();
        for (example, found) in empty.iter().zip(self.log_probs(&pairs, progress)?) {
            let _ = place(&example.item).set(found); // Already there: the same comparison twice.
        }
        Ok(())
    }

    /// Log-probs of every pair, computed where unknown.
    ///
    /// # Errors
    /// A cache file that cannot be written, or [`TrainError::Stopped`].
    pub fn log_probs(
        &self,
        pairs: &[&TokenizedPair],
        progress: &dyn Progress,
    ) -> Result<Vec<ReferenceLogProbs>, TrainError> {
        let mut cache = self.locked();
        let keys: Vec<[String; 2]> = pairs.iter().map(|p| cache.keys(p)).collect();
        let mut queued = HashSet::new();
        let mut missing: Vec<usize> = (0..pairs.len())
            .filter(|&i| keys[i].iter().any(|k| !cache.is_settled(k)))
            .filter(|&i| queued.insert(&keys[i]))
            .collect();
        if !missing.is_empty() {
            missing.sort_by_key(|&i| pairs[i].row_length(0));
            let pairs: Vec<&TokenizedPair> = missing.iter().map(|&i| pairs[i]).collect();
            let keys: Vec<&[String; 2]> = missing.iter().map(|&i| &keys[i]).collect();
            self.compute(&mut cache, &pairs, &keys, progress)?;
        }
        let found = keys.iter().map(|[chosen, rejected]| {
            Ok(ReferenceLogProbs {
                chosen: cache.get(chosen).ok_or(TrainError::NoReference)?,
                rejected: cache.get(rejected).ok_or(TrainError::NoReference)?,
            })
        });
        found.collect()
    }

    /// Computes log-probs, a prompt once for all of its pairs, in rounds of as many micro-batches as there are threads; each round goes to the
    /// file. A round that an earlier process got done before it was stopped is not computed again, and the others have the company that they would
    /// have had in it.
    fn compute(
        &self,
        cache: &mut Cache,
        pairs: &[&TokenizedPair],
        keys: &[&[String; 2]],
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        let _span = tracing::trace_span!(target: TARGET, "reference").entered();
        const WHAT: &str = "reference log-probs";
        let device = self.policy.model.device();
        let threads = replicas::on(&device);
        let tokens: Vec<RowTokens<'_>> = pairs.iter().map(|&pair| pair.into()).collect();
        let each = self.micro_rows.min(pairs.len().div_ceil(threads));
        let passes = sharing::passes(
            &tokens,
            &vec![(); pairs.len()],
            AtOnce::new(&self.policy, each, threads),
            |rows| {
                rows.sort_by_key(|row| row.length);
            },
        );
        let sums = |pass: &Pass| -> Result<Vec<(f32, f32)>, TrainError> {
            let tokens: Vec<RowTokens<'_>> = pass.members.iter().map(|&i| tokens[i]).collect();
            let packed = PackedBatch::of_rows(&tokens, &pass.sizes, 0, &device);
            let sums = self
                .policy
                .response_log_probs(&packed, &packed.to_device(&device), None);
            let (chosen, rejected) = (host(sums.chosen)?, host(sums.rejected)?);
            Ok(chosen.into_iter().zip(rejected).collect())
        };
        progress.report(WHAT, 0, pairs.len());
        let mut done = 0;
        for round in passes.chunks(threads) {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            let of_round = || {
                round
                    .iter()
                    .flat_map(|pass| &pass.members)
                    .map(|&i| keys[i])
            };
            if of_round().flatten().any(|key| cache.get(key).is_none()) {
                let log_probs = replicas::map(round, threads, sums).into_iter();
                let log_probs: Vec<Vec<(f32, f32)>> = log_probs.collect::<Result<_, _>>()?;
                cache.add(of_round().zip(log_probs.into_iter().flatten()))?;
            }
            done += of_round().count();
            progress.report(WHAT, done, pairs.len());
        }
        cache.settle()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

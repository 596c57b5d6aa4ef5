//! A reward model in use: what texts are worth to users.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pref_data::Comparison;
use sha2::{Digest, Sha256};

use super::{Engine, Opened};
use crate::adapters;
use crate::error::TrainError;
use crate::progress::Progress;
use crate::scorer::{Beside, Scorer};
use crate::task::Reward;
use crate::tokenise::SpecialTokens;

/// A reward model, opened.
#[derive(Debug)]
pub struct RewardModel {
    engine: Engine,
    task: Reward,
    /// What tells the base model from others.
    base: String,
    /// Where the adapters lie.
    dir: PathBuf,
    /// What tells fitted users from others.
    fitted: Option<String>,
}

impl RewardModel {
    /// The reward model whose adapters lie in `dir`, as it was opened.
    ///
    /// # Errors
    /// Adapters that are no reward model's, or settings out of range.
    pub fn of(opened: Opened, dir: &Path) -> Result<Self, TrainError> {
        let Some(task) = opened.reward()? else {
            let problem =
                "these adapters are no reward model's: prlhf train --mode reward makes one";
            return Err(TrainError::format(dir, problem));
        };
        Ok(Self {
            base: opened.key,
            dir: dir.into(),
            fitted: None,
            engine: opened.engine,
            task,
        })
    }

    /// The engine that scores.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The same for these users: where one of them is fitted, and anew, or not any more, it is another one.
    ///
    /// # Errors
    /// A fitted user's file that cannot be read.
    pub fn with_users(mut self, users: BTreeSet<&str>) -> Result<Self, TrainError> {
        let Some(table) = self.engine.table() else {
            return Ok(self);
        };
        let mut hash = Sha256::new();
        let mut some = false;
        for id in users.into_iter().filter(|id| !table.owns(id)) {
            if let Some(row) = table.fitted().get(id)? {
                some = true;
                hash.update(Sha256::digest(id));
                row.values.iter().for_each(|x| hash.update(x.to_le_bytes()));
            }
        }
        self.fitted = some.then(|| format!("{:x}", hash.finalize()));
        Ok(self)
    }

    /// Takes special tokens that a text spells for text.
    #[must_use]
    pub fn with_special_tokens(self, special_tokens: SpecialTokens) -> Self {
        Self {
            engine: self.engine.with_special_tokens(special_tokens),
            ..self
        }
    }
}

impl Scorer for RewardModel {
    fn key(&self) -> Result<String, TrainError> {
        let adapters = hash_of(&self.dir)?;
        let parts = [Some(self.base.clone()), Some(adapters), self.fitted.clone()];
        Ok(parts.into_iter().flatten().collect::<Vec<_>>().join("+"))
    }

    fn knows(&self, user: &str) -> bool {
        let table = self.engine.table();
        table.is_some_and(|table| table.contains(user))
    }

    fn longest(&self) -> Option<usize> {
        Some(self.engine.formatter().config().max_response_length)
    }

    fn rewards(
        &self,
        texts: &[Comparison],
        _: Beside<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let dataset = self.engine.dataset(texts)?;
        if dataset.cut_responses > 0 {
            let (cut, all) = (dataset.cut_responses, texts.len());
            let limit = self.engine.formatter().config().max_response_length;
            tracing::warn!("{cut} of {all} responses above {limit} tokens lost their end");
        }
        self.engine.rewards(&self.task, &dataset, progress)
    }
}

/// SHA-256 over all that makes rewards beside the base model: adapters, users and head.
fn hash_of(dir: &Path) -> Result<String, TrainError> {
    let mut hash = Sha256::new();
    for name in adapters::FILES {
        let path = dir.join(name);
        if name.ends_with(".safetensors") && path.is_file() {
            let bytes = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
            hash.update(name);
            hash.update(Sha256::digest(bytes));
        }
    }
    Ok(format!("{:x}", hash.finalize()))
}

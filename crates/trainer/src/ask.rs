//! Which comparisons to show a user next: what is to be known of each, computed once and kept on disk.
//!
//! How much a user's answer would tell depends on what trained users would answer ([`user_model::Mix`]), and that on no user who is
//! asked. So the margins of every candidate, in the middle of the trained users and at the rows of some, are kept in a file of the run
//! like the reference's log-probs: whoever is asked afterwards, nothing is computed by the model, which need not even be opened.
//! The name of the file is a hash of all that the margins depend on (base model, adapters, shared tensors, trained users, the
//! sections of the configuration that make prompts and rewards), an entry's key one of the comparison's texts.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use pref_data::Comparison;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use user_model::{Belief, Question, UserModel};

use crate::error::TrainError;
use crate::inference::{Engine, Trained};
use crate::lineage::Lineage;
use crate::progress::{Part, Progress};
use crate::reference::append_lines;
use crate::source::weights_hash;
use crate::task::Ranking;

/// Comparisons whose margins are computed before they are written.
const ROUND: usize = 64;

/// The margins of comparisons that are known, in a file.
#[derive(Debug)]
pub struct Candidates {
    path: PathBuf,
    known: HashMap<String, Vec<f64>>,
    /// Numbers of each.
    width: usize,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    key: String,
    margins: Vec<f64>,
}

impl Candidates {
    /// What is known of the trained users of `prior`, in `dir`; `users` are the shared tensors beside the adapters of `trained`. Broken
    /// lines, as a crash leaves them, are passed over.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(
        dir: &Path,
        trained: &Trained,
        users: &UserModel,
        prior: &Belief,
    ) -> Result<Self, TrainError> {
        let key = key_of(trained, users, prior)?;
        let path = dir.join(format!("{PREFIX}{}.jsonl", &key[..16]));
        let width = 1 + prior.starts(crate::fit::TRAINED).len();
        let mut known = HashMap::new();
        if path.exists() {
            let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
            let lines = text.split(|&byte| byte == b'\n');
            let entries = lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
            let fits = |entry: &Entry| entry.margins.len() == width;
            known.extend(entries.filter(fits).map(|entry| (entry.key, entry.margins)));
        }
        Ok(Self { path, known, width })
    }

    /// How many trained users' margins are known of each.
    pub fn trained(&self) -> usize {
        self.width - 1
    }

    /// Those of some comparisons whose margins are not known.
    pub fn unknown(&self, comparisons: &[Comparison]) -> Vec<Comparison> {
        let unknown = |comparison: &&Comparison| !self.known.contains_key(&key(comparison));
        comparisons.iter().filter(unknown).cloned().collect()
    }

    /// Computes the margins of comparisons, and keeps them as they come.
    ///
    /// # Errors
    /// Adapters without users, a text that the tokenizer or the chat template fails on, a file that cannot be written, or
    /// [`TrainError::Stopped`].
    pub fn compute<T: Ranking>(
        &mut self,
        comparisons: &[Comparison],
        engine: &Engine,
        task: &T,
        prior: &Belief,
        progress: &dyn Progress,
    ) -> Result<(), TrainError> {
        const WHAT: &str = "candidates";
        // All are looked at before time is spent on any.
        let examples = match comparisons {
            [] => Vec::new(),
            some => engine.dataset(some)?.examples(None),
        };
        progress.report(WHAT, 0, comparisons.len());
        let mut done = 0;
        for (some, examples) in comparisons.chunks(ROUND).zip(examples.chunks(ROUND)) {
            let quiet = &Part(progress);
            let margins = engine.margins_of_questions(task, examples, prior, quiet)?;
            if let Some(odd) = margins.iter().flatten().find(|margin| !margin.is_finite()) {
                let problem = format!(
                    "a candidate's margin is {odd}: the adapters are broken or not made for this model"
                );
                return Err(TrainError::Usage(problem));
            }
            let entries = some.iter().zip(margins);
            let entries = entries.map(|(comparison, margins)| Entry {
                key: key(comparison),
                margins,
            });
            let entries: Vec<Entry> = entries.collect();
            append_lines(&self.path, &entries)?;
            let entries = entries.into_iter();
            self.known
                .extend(entries.map(|entry| (entry.key, entry.margins)));
            done += some.len();
            progress.report(WHAT, done, comparisons.len());
        }
        Ok(())
    }

    /// What is to be known of each comparison; none where the margins of one are not.
    pub fn questions(&self, comparisons: &[Comparison]) -> Option<Vec<Question>> {
        let question = |comparison| match &self.known.get(&key(comparison))?[..] {
            [middle, trained @ ..] => Some(Question::new(*middle, trained)),
            [] => None,
        };
        comparisons.iter().map(question).collect()
    }

    /// Removes all that is kept in the folder of a run's reference: where a trained user has gone, it is void, and made of their row.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn forget(dir: &Path) -> Result<(), TrainError> {
        let entries = match fs::read_dir(dir) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|e| TrainError::io(dir, e))?,
        };
        for entry in entries {
            let path = entry.map_err(|e| TrainError::io(dir, e))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(PREFIX) && crate::reference::is_cache(&name) {
                fs::remove_file(&path).map_err(|e| TrainError::io(&path, e))?;
            }
        }
        Ok(())
    }
}

/// What the names of the files begin with.
const PREFIX: &str = "candidates-";

/// A hash of all that margins depend on beside the comparison.
fn key_of(trained: &Trained, users: &UserModel, prior: &Belief) -> Result<String, TrainError> {
    let config = &trained.config;
    let base = match Lineage::of_adapters(trained.dir())? {
        Some(lineage) => {
            let adapters = lineage.adapters.iter().map(|layer| layer.weights.clone());
            let weights = [lineage.model.weights.clone()];
            weights.into_iter().chain(adapters).collect()
        }
        None => vec![trained.base()?],
    };
    let sections = serde_json::json!({
        "prompt": config.prompt,
        "objective": config.objective,
        "reward": config.reward,
        "dtype": config.model.dtype,
    });
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    base.iter().for_each(|base| part(base));
    part(&weights_hash(trained.dir())?);
    part(&users.shared_sha256()?);
    part(&prior.prior_sha256());
    part(&sections.to_string());
    for value in prior.mean() {
        hash.update(value.to_le_bytes());
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// A hash of a comparison, whoever it is of.
fn key(comparison: &Comparison) -> String {
    let Comparison {
        user_text,
        prompt,
        template,
        chosen,
        rejected,
        thumb,
        ..
    } = comparison;
    let texts = serde_json::json!([user_text, prompt, template, chosen, rejected, thumb]);
    format!("{:x}", Sha256::digest(texts.to_string()))[..32].to_owned()
}

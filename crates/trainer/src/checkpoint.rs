//! Checkpoints: one folder with everything that training changes, never base weights.
//!
//! ```text
//! checkpoint/
//!   adapters.safetensors     LoRA factors under their PEFT names; all weights of a model that is trained whole
//!   optimizer.bpk            AdamW states, keyed by parameter id
//!   user_model.*             shared tensors, users' rows with their moments
//!   reward*                  the head of a reward model
//!   state.json               step, data cursor, best validation, size of the metrics file
//!   SHA256SUMS               a checksum of every other file, as `sha256sum` writes it
//! ```
//!
//! A checkpoint is written beside the old one, synced, and takes its place as a whole; a crash at any point leaves one
//! of the two. A file that changed since is refused by name.

use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use llm_backbone::LoraConfig;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use user_model::{MANIFEST_FILE, Moments, UserModel, UserTable};

use crate::adapters;
use crate::error::TrainError;
use crate::files::{found_folder, recover_folder, replace_folder};
use crate::head::{self, RewardHead};
use crate::learner::Learner;
use crate::policy::Policy;
use crate::settings::Settings;
use crate::task::Task;

const VERSION: u32 = 5;
/// The folder of the checkpoint in that of its run.
pub(crate) const FOLDER: &str = "checkpoint";
const ADAPTERS: &str = "adapters.safetensors";
pub(crate) const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
const SUMS: &str = "SHA256SUMS";
/// Its files, all of them.
pub(crate) const FILES: [&str; 8] = [
    ADAPTERS,
    OPTIMIZER,
    STATE,
    SUMS,
    "user_model.json",
    "user_model.safetensors",
    head::REWARD,
    head::WEIGHTS,
];

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The format.
    version: u32,
    /// What is trained: a checkpoint of something else is refused.
    pub settings: Settings,
    /// The time that the run's chat template tells, in seconds since 1970: that of its start.
    pub clock: Option<u64>,
    /// Optimiser steps done.
    pub step: usize,
    /// The best validation so far.
    pub best: Option<Best>,
    /// Validations since then.
    pub stale: usize,
    /// Bytes of the metrics file that belong to the steps done.
    pub metrics_bytes: u64,
    /// Seconds of training so far, evaluation excluded.
    pub train_seconds: f64,
    /// True where the last step's validation was due and did not end.
    #[serde(default)]
    pub(crate) unvalidated: bool,
    /// True once training has ended.
    pub finished: bool,
    /// Ids of the trainable parameters: an optimiser state without its parameter would silently start anew.
    parameters: Vec<u64>,
}

impl State {
    /// A run before its first step.
    pub fn new(settings: Settings, clock: Option<u64>) -> Self {
        Self {
            settings,
            clock,
            ..Self::default()
        }
    }
}

/// The best validation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// At which step.
    pub step: usize,
    /// Its mean loss.
    pub loss: f64,
    /// Its accuracy; none where no preferences are learnt.
    pub accuracy: Option<f64>,
}

/// Ids of the parameters that require gradients, sorted.
fn trainable_ids(policy: &Policy) -> Vec<u64> {
    struct Ids(Vec<u64>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.val().is_require_grad() {
                self.0.push(param.id.val());
            }
        }
    }
    let mut ids = Ids(Vec::new());
    policy.visit(&mut ids);
    ids.0.sort_unstable();
    ids.0
}

/// Writes a checkpoint to `dir`, replacing the one that is there.
///
/// # Errors
/// A disk that is full or a folder that cannot be written; the old checkpoint is then whole.
pub fn save<T: Task>(dir: &Path, learner: &Learner<T>, state: &State) -> Result<(), TrainError> {
    replace_folder(dir, &FILES, |new| {
        adapters::write_trained(&new.join(ADAPTERS), &learner.policy.model)?;
        let optimizer = new.join(OPTIMIZER);
        learner
            .optimizer
            .save(&optimizer)
            .map_err(|e| TrainError::format(&optimizer, e))?;
        if let (Some(users), Some(table)) = (&learner.policy.users, &learner.table) {
            user_model::save(new, users, table, Moments::Keep)?;
        }
        if let Some(head) = &learner.policy.head {
            head.save(new)?;
        }
        let state = State {
            version: VERSION,
            parameters: trainable_ids(&learner.policy),
            ..state.clone()
        };
        let path = new.join(STATE);
        let text = serde_json::to_vec_pretty(&state).map_err(|e| TrainError::format(&path, e))?;
        fs::write(&path, text).map_err(|e| TrainError::io(&path, e))?;
        write_sums(new)
    })
}

/// The users that the checkpoint in `dir` knows; none where there is none, or it has no users.
///
/// # Errors
/// A broken checkpoint, naming the file.
pub fn users(dir: &Path) -> Result<Option<(UserModel, UserTable)>, TrainError> {
    match found_folder(dir) {
        Some(dir) if dir.join(MANIFEST_FILE).is_file() => {
            Ok(Some(user_model::load(&dir, &Device::flex())?))
        }
        _ => Ok(None),
    }
}

/// Writes other users into the checkpoint in `dir`, which is replaced as a whole; all else in it stays as it is.
///
/// # Errors
/// A checkpoint with a file that changed since it was written, or a folder that cannot be written.
pub fn save_users(dir: &Path, users: &UserModel, table: &UserTable) -> Result<(), TrainError> {
    recover_folder(dir, &FILES)?;
    let old = dir.canonicalize().map_err(|e| TrainError::io(dir, e))?;
    validate_sums(&old, None)?;
    replace_folder(&old, &FILES, |new| {
        user_model::save(new, users, table, Moments::Keep)?;
        let others = FILES.iter().filter(|name| **name != SUMS);
        adapters::copy_missing(&old, new, others)?;
        write_sums(new)
    })
}

/// Writes the checksums of all files of a folder, as `sha256sum` does.
fn write_sums(dir: &Path) -> Result<(), TrainError> {
    let mut lines = String::new();
    for name in FILES.into_iter().filter(|name| *name != SUMS) {
        let path = dir.join(name);
        if path.exists() {
            lines += &format!("{}  {name}\n", file_hash(&path)?);
        }
    }
    let path = dir.join(SUMS);
    fs::write(&path, lines).map_err(|e| TrainError::io(&path, e))
}

/// Refuses a checkpoint with a file that is not as it was written; of `only` that file where one is named.
fn validate_sums(dir: &Path, only: Option<&str>) -> Result<(), TrainError> {
    let path = dir.join(SUMS);
    let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
    let text = String::from_utf8_lossy(&text);
    let mut names = Vec::new();
    for line in text.lines() {
        let Some((expected, name)) = line.split_once("  ").filter(|(_, n)| FILES.contains(n))
        else {
            return Err(damaged(
                &path,
                format!("line `{line}` is no checksum of a checkpoint's file"),
            ));
        };
        names.push(name);
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let path = dir.join(name);
        let found = file_hash(&path)?;
        if found != expected {
            return Err(damaged(
                &path,
                format!("its SHA-256 is {found}, {SUMS} expects {expected}"),
            ));
        }
    }
    let unlisted = FILES
        .into_iter()
        .find(|name| *name != SUMS && !names.contains(name) && dir.join(name).exists());
    match unlisted {
        Some(name) => Err(damaged(&path, format!("it has no checksum of {name}"))),
        None => Ok(()),
    }
}

fn damaged(path: &Path, problem: String) -> TrainError {
    let way = "it changed since it was written: bring the checkpoint back from a copy, or train anew in another folder";
    TrainError::format(path, format!("{problem}; {way}"))
}

/// Where the checkpoint in `dir` says that its run stands; none if there is none.
///
/// # Errors
/// A broken checkpoint, or one of another version, naming file and key.
pub fn state(dir: &Path) -> Result<Option<State>, TrainError> {
    let Some(dir) = found_folder(dir) else {
        return Ok(None);
    };
    let path = dir.join(STATE);
    let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
    let format = |e: serde_json::Error| TrainError::format(&path, e);
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(format)?;
    if value["version"] != VERSION {
        let problem = format!("`version` is {}, expected {VERSION}", value["version"]);
        return Err(TrainError::format(&path, problem));
    }
    validate_sums(&dir, Some(STATE))?;
    serde_json::from_value(value).map(Some).map_err(format)
}

/// Reads the checkpoint in `dir` into a fresh learner of the same settings; none if there is none.
///
/// # Errors
/// A broken checkpoint, or one of other settings, naming file and key.
pub fn load<T: Task>(
    dir: &Path,
    learner: &mut Learner<T>,
    lora: &LoraConfig,
    settings: &Settings,
) -> Result<Option<State>, TrainError> {
    let (Some(state), Some(dir)) = (state(dir)?, found_folder(dir)) else {
        return Ok(None);
    };
    validate_sums(&dir, None)?;
    let path = dir.join(STATE);
    let expect = |key: &str, found: &str, expected: &str| {
        let problem = format!("`{key}` is {found}, expected {expected}");
        Err(TrainError::format(&path, problem))
    };
    if let Some(difference) = state.settings.difference(settings) {
        return Err(TrainError::format(&path, difference));
    }
    let model = learner.policy.model.clone();
    learner.policy.model = adapters::read_trained(&dir.join(ADAPTERS), model, lora)?;
    let (width, device) = (
        learner.policy.model.d_model(),
        learner.policy.model.device(),
    );
    learner.policy.head = RewardHead::load(&dir, width, &device)?;
    if let Some(table) = &mut learner.table {
        let (users, rows) = user_model::load(&dir, &learner.policy.model.device())?;
        learner.policy.users = Some(users);
        *table = match table.vocabulary() {
            Some(vocabulary) => rows.with_vocabulary(vocabulary.clone()),
            None => rows,
        };
    }
    if state.parameters != trainable_ids(&learner.policy) {
        return expect(
            "parameters",
            "of another model",
            "the ids of this model's trainable parameters",
        );
    }
    let path = dir.join(OPTIMIZER);
    let fresh: ModuleOptimizer = learner.optimizer.clone();
    learner.optimizer = fresh
        .load(&path)
        .map_err(|e| TrainError::format(&path, e))?;
    Ok(Some(state))
}

fn file_hash(path: &Path) -> Result<String, TrainError> {
    let bytes = fs::read(path).map_err(|e| TrainError::io(path, e))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

//! Short training runs on a tiny model, and what they leave on disk.

use std::collections::BTreeMap;
use std::path::Path;

use burn::optim::OptimizerRecord;
use llm_backbone::{LoraConfig, Model};
use pdpo_loss::ObjectiveConfig;
use serde_json::Value;
use trainer::TrainError;
use trainer::config::TrainingSection;
use trainer::example::Example;
use trainer::metrics::Line;
use trainer::monitor::{Monitor, Stop};
use trainer::policy::Policy;
use trainer::session::{Outcome, Session, SessionConfig};
use trainer::task::{Preference, Task};
use user_model::{RowInit, UserModelKind, UserTable};

use super::{INDIVIDUAL, examples, lora, open, pairs, preference, users};

/// A model, data and settings of 8 steps in two epochs, with validations at 3, 6 and 8.
pub struct World {
    pub base: Model,
    pub name: &'static str,
    pub model_key: String,
    pub train: Vec<Example>,
    pub validation: Vec<Example>,
    pub kind: UserModelKind,
    pub lora: LoraConfig,
    pub objective: ObjectiveConfig,
    pub training: TrainingSection,
    pub seed: u64,
}

/// Optimiser steps of a [`World`].
pub const STEPS: usize = 8;

impl World {
    /// The tiny model with an individual user model.
    pub fn new() -> Self {
        Self::of("llama_tied", open("llama_tied"))
    }

    /// The same with another base model.
    pub fn of(name: &'static str, base: Model) -> Self {
        let all = examples(&base, &pairs(21, 20), true);
        let (train, validation) = all.split_at(14);
        Self {
            base,
            name,
            model_key: name.into(),
            train: train.to_vec(),
            validation: validation.to_vec(),
            kind: INDIVIDUAL,
            lora: lora(),
            objective: ObjectiveConfig::default(),
            training: TrainingSection {
                epochs: 2,
                batch: 4,
                micro_rows: 3,
                learning_rate: 1e-2,
                users_learning_rate: 5e-2,
                warmup_steps: 2,
                weight_decay: 0.01,
                eval_every: 3,
                save_every: 0,
                ..Default::default()
            },
            seed: 7,
        }
    }

    /// The policy before the first step, and its users.
    pub fn start(&self) -> Result<(Policy, UserTable), TrainError> {
        let (users, table) = users(self.kind, 2, self.base.d_model(), RowInit::Zero);
        let model = self.base.clone().with_lora(&self.lora, self.seed)?;
        let policy = Policy::new(model, Some(users));
        Ok((policy, table))
    }

    /// A session in `dir`.
    pub fn session(&self, dir: &Path, resume: bool) -> Result<Session<Preference>, TrainError> {
        let (policy, table) = self.start()?;
        let task = preference(&self.objective, true);
        self.session_of(task, (policy, Some(table)), dir, resume)
    }

    /// The same of another task.
    pub fn session_of<T: Task>(
        &self,
        task: T,
        start: (Policy, Option<UserTable>),
        dir: &Path,
        resume: bool,
    ) -> Result<Session<T>, TrainError> {
        let config = SessionConfig {
            dir: dir.into(),
            base: self.name.into(),
            model_key: self.model_key.clone(),
            seed: self.seed,
            lora: self.lora.clone(),
            training: self.training.clone(),
            section: "training",
            sources: serde_json::Value::Null,
            further_devices: Vec::new(),
            clock: None,
        };
        let data = (self.train.clone(), self.validation.clone());
        Session::new(config, task, start, data, resume)
    }

    /// Trains to the end, or until `stop` steps have been done in this call.
    pub fn run(
        &self,
        dir: &Path,
        resume: bool,
        stop: Option<usize>,
    ) -> Result<Outcome, TrainError> {
        let mut monitor = StopAfter::steps(stop.unwrap_or(usize::MAX));
        self.session(dir, resume)?.run(&mut monitor)
    }

    /// Trains until `stop` steps have been done, which is before the end.
    pub fn run_until(&self, dir: &Path, resume: bool, stop: usize) {
        match self.run(dir, resume, Some(stop)) {
            Err(TrainError::Interrupted { .. }) => {}
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("not stopped"),
        }
    }
}

/// Says stop after a number of steps.
pub struct StopAfter {
    steps: usize,
    done: usize,
}

impl StopAfter {
    /// So many, counted from when it is made.
    pub fn steps(steps: usize) -> Self {
        Self { steps, done: 0 }
    }
}

impl Monitor for StopAfter {
    fn line(&mut self, line: &Line, _: usize) {
        self.done += usize::from(line.split == "train");
    }

    fn stop(&self) -> Option<Stop> {
        (self.done >= self.steps).then_some(Stop::AfterSaving)
    }
}

/// What must not depend on interruptions: weights, users, moments, state, best adapters, metrics without times.
pub fn traces(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut traces = BTreeMap::new();
    for folder in ["checkpoint", "adapters"] {
        // There are no adapters before the first validation.
        let entries = std::fs::read_dir(dir.join(folder));
        for entry in entries.into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let content = match &*name {
                "optimizer.bpk" => optimizer(&path),
                "state.json" => state(&path),
                "SHA256SUMS" => Vec::new(), // Of files with times.
                _ => std::fs::read(&path).expect("a file"),
            };
            traces.insert(format!("{folder}/{name}"), content);
        }
    }
    let lines: Vec<String> = metrics(dir).iter().map(Value::to_string).collect();
    traces.insert("metrics.jsonl".into(), lines.join("\n").into_bytes());
    traces
}

/// The optimiser's states in the order of their names: the file's own order is that of a hash map.
fn optimizer(path: &Path) -> Vec<u8> {
    let record = OptimizerRecord::load(path).expect("a record");
    assert!(!record.is_empty());
    record.into_bytes().expect("bytes").to_vec()
}

/// The state without what depends on the clock.
fn state(path: &Path) -> Vec<u8> {
    let text = std::fs::read(path).expect("a file");
    let mut state: Value = serde_json::from_slice(&text).expect("JSON");
    let object = state.as_object_mut().expect("an object");
    for key in ["metrics_bytes", "train_seconds"] {
        object.remove(key).expect(key);
    }
    state.to_string().into_bytes()
}

/// The lines of `metrics.jsonl` without times.
pub fn metrics(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("metrics.jsonl")).expect("metrics");
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        let object = line.as_object_mut().expect("an object");
        object.retain(|key, _| !key.ends_with("_per_second"));
        line
    };
    text.lines().map(line).collect()
}

/// Compares traces file by file.
pub fn assert_same(
    found: &BTreeMap<String, Vec<u8>>,
    expected: &BTreeMap<String, Vec<u8>>,
    when: &str,
) {
    assert!(
        found.keys().eq(expected.keys()),
        "{when}: {:?}",
        found.keys()
    );
    for (name, expected) in expected {
        let found = &found[name];
        if found != expected {
            let text = |bytes: &[u8]| {
                String::from_utf8_lossy(bytes)
                    .chars()
                    .take(3000)
                    .collect::<String>()
            };
            panic!(
                "{when}: {name} differs:\n{}\n---\n{}",
                text(found),
                text(expected)
            );
        }
    }
}

//! Training runs through burn-train: the same steps as by hand, events for whoever watches, one way to stop, no files
//! but our own.

mod recorder;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use burn::train::Interrupter;
use llm_backbone::config::{ModelConfig, Sizes};
use llm_backbone::{LoraConfig, Model};
use recorder::Recorder;
use trainer::TrainError;
use trainer::config::{Objective, TrainingSection, UsersSection};
use trainer::metrics::Line;
use trainer::order;
use trainer::policy::Policy;
use trainer::reference::ReferenceLogProbs;
use trainer::schedule::Schedule;
use trainer::session::{Monitor, Session, SessionConfig, Unwatched};
use trainer::step::{Example, Learner};
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};
use user_model::{UserRef, UserTable, Vocabulary};

const USERS: [&str; 2] = ["ann", "ben"];
const SEED: u64 = 3;

fn examples() -> Vec<Example> {
    let example = |i: u32| Example {
        pair: TokenizedPair {
            prompt: TokenizedPrompt {
                ids: (0..4 + i % 3).map(|t| (t * 5 + i) % 14 + 2).collect(),
                soft_at: 0,
                cut: false,
                user_text_cut: false,
            },
            chosen: vec![(i * 3) % 14 + 2, (i * 7) % 14 + 2, 1],
            rejected: vec![(i * 11) % 14 + 2, 1],
            response_cut: false,
        },
        user: UserRef::id(USERS[i as usize % 2]),
        owner: Some(USERS[i as usize % 2].into()),
        reference: ReferenceLogProbs {
            chosen: -8.0,
            rejected: -5.5,
        },
    };
    (0..10).map(example).collect()
}

fn start() -> (Policy, UserTable) {
    let config = ModelConfig::from_scratch(
        Sizes {
            vocab_size: 16,
            hidden_size: 16,
            num_layers: 1,
            num_heads: 2,
            num_kv_heads: 1,
            head_dim: 8,
            max_positions: 64,
            ties_embeddings: true,
            bos_token_id: None,
            eos_token_ids: vec![1],
        },
        32,
    );
    let device = Device::flex().autodiff();
    let model = Model::random(&config, SEED, &device).unwrap();
    let vocabulary = Vocabulary::new(model.vocabulary());
    let model = model.with_lora(&LoraConfig::default(), SEED).unwrap();
    let users = UsersSection {
        user_tokens: 2,
        ..UsersSection::default()
    };
    let settings = users.model_config(USERS.len(), 16, SEED);
    let table = UserTable::new(settings.clone()).unwrap();
    let mut table = table.with_vocabulary(vocabulary.clone());
    for user in USERS {
        table.add(user);
    }
    let users = Some(settings.init(Some(&vocabulary), &device).unwrap());
    (Policy { model, users }, table)
}

/// Ten comparisons in batches of four: three steps an epoch, six in all.
fn training() -> TrainingSection {
    TrainingSection {
        epochs: 2,
        batch: 4,
        learning_rate: 1e-2,
        warmup_steps: 2,
        eval_every: 2,
        ..TrainingSection::default()
    }
}

fn session(dir: &Path, train: &[Example], validation: &[Example], resume: bool) -> Session {
    let (policy, table) = start();
    let config = SessionConfig {
        dir: dir.into(),
        base: "tiny".into(),
        seed: SEED,
        lora: LoraConfig::default(),
        objective: Objective::default(),
        training: training(),
        further_devices: Vec::new(),
    };
    Session::new(config, policy, Some(table), (train, validation), resume).unwrap()
}

fn adapters(policy: &Policy) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    policy.model.adapter_tensors()
}

fn lines(dir: &Path) -> Vec<Line> {
    let text = fs::read_to_string(dir.join("metrics.jsonl")).unwrap();
    let parse = |line| serde_json::from_str(line).unwrap();
    text.lines().map(parse).collect()
}

/// Keeps every line, exactly.
struct Lines(Vec<Line>);

impl Monitor for Lines {
    fn line(&mut self, line: &Line, _: usize) {
        self.0.push(line.clone());
    }
}

#[test]
fn a_session_takes_the_steps_of_a_loop_by_hand() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let mut lines = Lines(Vec::new());
    let session = session(dir.path(), &train, &[], false);
    let outcome = session.run(&mut lines).unwrap();

    let (policy, table) = start();
    let mut learner =
        Learner::new(policy, Some(table), &Objective::default(), &training()).unwrap();
    let mut schedule = Schedule::new(&training(), 6, 0).unwrap();
    let lengths: Vec<usize> = train.iter().map(|e| e.pair.row_length(0)).collect();
    let mut reports = Vec::new();
    for epoch in 0..2 {
        for batch in order::epoch(&lengths, 4, SEED, epoch) {
            let batch: Vec<Example> = batch.into_iter().map(|i| train[i].clone()).collect();
            reports.push(learner.step(&batch, &schedule.next()).unwrap());
        }
    }

    assert_eq!(lines.0.len(), 6);
    for (line, report) in lines.0.iter().zip(&reports) {
        assert_eq!(
            (line.loss, line.grad_norm),
            (report.loss, Some(report.grad_norm))
        );
    }
    assert_eq!(adapters(&outcome.policy), adapters(&learner.policy));
    let (ours, by_hand) = (outcome.table.unwrap(), learner.table.unwrap());
    for user in USERS.map(UserRef::id) {
        assert_eq!(ours.row(&user).unwrap(), by_hand.row(&user).unwrap());
    }
}

#[test]
fn burn_train_hears_of_every_step_and_validation() {
    let (dir, all) = (tempfile::tempdir().unwrap(), examples());
    let recorder = Recorder::default();
    session(dir.path(), &all, &all[..3], false)
        .with_renderer(Box::new(recorder.clone()))
        .run(&mut Unwatched)
        .unwrap();

    let lines = lines(dir.path());
    let losses = |split: &str| -> Vec<f32> {
        let of = lines.iter().filter(|l| l.split == split);
        of.map(|l| l.loss as f32).collect()
    };
    assert_eq!(recorder.values("train", "loss"), losses("train"));
    assert_eq!(recorder.values("valid", "loss"), losses("validation"));
    assert_eq!(recorder.values("train", "grad_norm").len(), 6);
    assert!(recorder.values("valid", "grad_norm").is_empty());
    let expected = [
        "start 2 epochs at 1",
        "train 3: 1 2", // A validation after every second step.
        "valid 3: 3",
        "train 3: 3",
        "epoch 1",
        "train 3: 1",
        "valid 3: 3",
        "train 3: 2 3",
        "valid 3: 3",
        "epoch 2",
        "end",
    ];
    assert_eq!(recorder.progress(), expected);
}

#[test]
fn only_our_own_files_appear() {
    let (dir, all) = (tempfile::tempdir().unwrap(), examples());
    session(dir.path(), &all, &all[..3], false)
        .run(&mut Unwatched)
        .unwrap();
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["adapters", "checkpoint", "metrics.jsonl"]);
}

/// Stops through burn-train's interrupter once a step is reached.
struct StopAt<'a>(usize, Interrupter, &'a mut Vec<usize>);

impl Monitor for StopAt<'_> {
    fn line(&mut self, line: &Line, total: usize) {
        assert_eq!(total, 6);
        self.2.push(line.step);
        if line.step == self.0 {
            self.1.stop(Some("the user asked"));
        }
    }
}

#[test]
fn the_interrupter_stops_after_the_step_and_the_run_goes_on_exactly() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let stopped = session(dir.path(), &train, &[], false);
    let mut seen = Vec::new();
    let mut monitor = StopAt(2, stopped.interrupter(), &mut seen);
    match stopped.run(&mut monitor) {
        Err(TrainError::Interrupted { step: 2, path }) => assert_eq!(path, dir.path()),
        other => panic!("{:?}", other.err()),
    }
    assert_eq!(seen, [1, 2]);

    let recorder = Recorder::default();
    let resumed = session(dir.path(), &train, &[], true).with_renderer(Box::new(recorder.clone()));
    assert_eq!(resumed.state().step, 2);
    let resumed = resumed.run(&mut Unwatched).unwrap();
    let whole_dir = tempfile::tempdir().unwrap();
    let whole = session(whole_dir.path(), &train, &[], false);
    let whole = whole.run(&mut Unwatched).unwrap();
    assert_eq!(adapters(&resumed.policy), adapters(&whole.policy));
    assert_eq!(lines(dir.path()).len(), 6);
    assert_eq!(recorder.progress()[1], "train 3: 3");
}

#[test]
fn a_loss_that_is_no_number_comes_back_as_an_error() {
    let (dir, mut train) = (tempfile::tempdir().unwrap(), examples());
    train[5].reference.chosen = f32::NAN;
    let result = session(dir.path(), &train, &[], false).run(&mut Unwatched);
    let error = result.err().unwrap();
    assert!(
        matches!(error, TrainError::Diverged { step: 1..=3, .. }),
        "{error}"
    );
}

#[test]
fn a_finished_run_resumes_to_its_result() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let first = session(dir.path(), &train, &[], false);
    let first = first.run(&mut Unwatched).unwrap();
    let again = session(dir.path(), &train, &[], true);
    let again = again.run(&mut Unwatched).unwrap();
    assert_eq!((again.state.step, again.state.finished), (6, true));
    assert_eq!(adapters(&first.policy), adapters(&again.policy));
}

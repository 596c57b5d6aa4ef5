//! A training run is the steps of a loop by hand, with one way to stop and no files but our own.

mod own_loss;
mod references;
mod stopping;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use llm_backbone::config::{ModelConfig, Sizes};
use llm_backbone::{LoraConfig, Model};
use pdpo_loss::ObjectiveConfig;
use trainer::TrainError;
use trainer::config::{TrainingSection, UsersSection};
use trainer::example::{Example, Item, ReferenceLogProbs};
use trainer::learner::Learner;
use trainer::metrics::Line;
use trainer::monitor::Monitor;
use trainer::order;
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::schedule::Schedule;
use trainer::session::{Session, SessionConfig};
use trainer::task::Preference;
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};
use user_model::{UserRef, UserTable, Vocabulary};

const USERS: [&str; 2] = ["ann", "ben"];
const SEED: u64 = 3;

fn pair(i: u32) -> TokenizedPair {
    TokenizedPair {
        prompt: TokenizedPrompt {
            ids: (0..4 + i % 3).map(|t| (t * 5 + i) % 14 + 2).collect(),
            soft_at: 0,
            cut: false,
            user_text_cut: false,
        },
        chosen: vec![(i * 3) % 14 + 2, (i * 7) % 14 + 2, 1],
        rejected: vec![(i * 11) % 14 + 2, 1],
        response_cut: false,
    }
}

/// Comparisons whose reference log-probs nobody has computed yet.
fn unreferenced(count: u32) -> Vec<Example> {
    let example = |i: u32| {
        let user = USERS[i as usize % 2];
        Example {
            item: Arc::new(Item::new(pair(i), Some(user.into()))),
            user: UserRef::id(user),
            drawn: None,
        }
    };
    (0..count).map(example).collect()
}

/// The first has the given reference log-prob of its preferred response.
fn examples_with(first: f32) -> Vec<Example> {
    let examples = unreferenced(10);
    for (i, example) in examples.iter().enumerate() {
        let chosen = if i == 0 { first } else { -8.0 };
        let rejected = -5.5;
        let set = example
            .item
            .reference
            .set(ReferenceLogProbs { chosen, rejected });
        set.unwrap();
    }
    examples
}

fn examples() -> Vec<Example> {
    examples_with(-8.0)
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
    let settings = users.model_config(USERS.len(), model.config(), SEED);
    let table = UserTable::new(settings.clone()).unwrap();
    let mut table = table.with_vocabulary(vocabulary.clone());
    for user in USERS {
        table.add(user);
    }
    let users = Some(settings.init(Some(&vocabulary), &device).unwrap());
    (Policy::new(model, users), table)
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

fn task() -> Preference {
    Preference::from_config(&ObjectiveConfig::default(), true, None).unwrap()
}

fn session_of(
    dir: &Path,
    task: Preference,
    training: TrainingSection,
    (train, validation): (&[Example], &[Example]),
    resume: bool,
) -> Result<Session<Preference>, TrainError> {
    let (policy, table) = start();
    let config = SessionConfig {
        dir: dir.into(),
        base: "tiny".into(),
        model_key: "tiny".into(),
        seed: SEED,
        lora: LoraConfig::default(),
        training,
        section: "training",
        sources: serde_json::Value::Null,
        further_devices: Vec::new(),
        clock: None,
    };
    let data = (train.to_vec(), validation.to_vec());
    Session::new(config, task, (policy, Some(table)), data, resume)
}

fn session(
    dir: &Path,
    train: &[Example],
    validation: &[Example],
    resume: bool,
) -> Session<Preference> {
    session_of(dir, task(), training(), (train, validation), resume).unwrap()
}

fn adapters(policy: &Policy) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    policy.model.adapter_tensors()
}

fn lines(dir: &Path) -> Vec<Line> {
    trainer::metrics::read(&dir.join("metrics.jsonl")).unwrap()
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
    let mut learner = Learner::new(task(), policy, Some(table), &training()).unwrap();
    let mut schedule = Schedule::new(&training(), 6, 0).unwrap();
    let lengths: Vec<usize> = train.iter().map(|e| e.pair().row_length(0)).collect();
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
            (line.loss, line.grad_norm, line.users_grad_norm),
            (
                report.loss,
                Some(report.grad_norms.model),
                report.grad_norms.users
            )
        );
    }
    assert_eq!(adapters(&outcome.policy), adapters(&learner.policy));
    let (ours, by_hand) = (outcome.table.unwrap(), learner.table.unwrap());
    for user in USERS.map(UserRef::id) {
        assert_eq!(ours.row(&user).unwrap(), by_hand.row(&user).unwrap());
    }
}

#[test]
fn only_our_own_files_appear() {
    let (dir, all) = (tempfile::tempdir().unwrap(), examples());
    session(dir.path(), &all, &all[..3], false)
        .run(&mut Quiet)
        .unwrap();
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["adapters", "checkpoint", "metrics.jsonl"]);
}

#[test]
fn a_loss_that_is_no_number_comes_back_as_an_error() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples_with(f32::NAN));
    let result = session(dir.path(), &train, &[], false).run(&mut Quiet);
    let error = result.err().unwrap();
    assert!(
        matches!(error, TrainError::Diverged { step: 1..=3, .. }),
        "{error}"
    );
    let told = error.to_string();
    assert!(told.starts_with("the loss became NaN at step "), "{told}");
    assert!(told.contains("(there is no checkpoint yet"), "{told}");
}

#[test]
fn a_finished_run_resumes_to_its_result() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let first = session(dir.path(), &train, &[], false);
    let first = first.run(&mut Quiet).unwrap();
    let again = session(dir.path(), &train, &[], true);
    let again = again.run(&mut Quiet).unwrap();
    assert_eq!((again.state.step, again.state.finished), (6, true));
    assert_eq!(adapters(&first.policy), adapters(&again.policy));
}

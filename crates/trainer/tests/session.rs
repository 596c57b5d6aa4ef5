//! A training run is the steps of a loop by hand, with one way to stop and no files but our own.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Tensor};
use llm_backbone::config::{ModelConfig, Sizes};
use llm_backbone::{LoraConfig, Model};
use pdpo_loss::{LossError, Objective, ObjectiveConfig, PairLogProbs, PairLoss, Rewards};
use trainer::TrainError;
use trainer::config::{TrainingSection, UsersSection};
use trainer::example::{Example, Item, ReferenceLogProbs};
use trainer::learner::Learner;
use trainer::metrics::Line;
use trainer::monitor::{Monitor, Plan, Stop};
use trainer::order;
use trainer::policy::Policy;
use trainer::progress::{Progress, Quiet};
use trainer::reference::Reference;
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

/// Stops once a step is reached.
struct StopAt {
    step: usize,
    how: Stop,
    plan: Option<Plan>,
    seen: Vec<usize>,
}

impl StopAt {
    fn new(step: usize, how: Stop) -> Self {
        let (plan, seen) = (None, Vec::new());
        Self {
            step,
            how,
            plan,
            seen,
        }
    }
}

impl Monitor for StopAt {
    fn start(&mut self, plan: &Plan) {
        self.plan = Some(*plan);
    }

    fn line(&mut self, line: &Line, total: usize) {
        assert_eq!(total, 6);
        self.seen.push(line.step);
    }

    fn stop(&self) -> Option<Stop> {
        (self.seen.last() == Some(&self.step)).then_some(self.how)
    }
}

#[test]
fn a_monitor_stops_after_the_step_and_the_run_goes_on_exactly() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let mut monitor = StopAt::new(2, Stop::AfterSaving);
    match session(dir.path(), &train, &[], false).run(&mut monitor) {
        Err(TrainError::Interrupted { step: 2, path }) => assert_eq!(path, dir.path()),
        other => panic!("{:?}", other.err()),
    }
    assert_eq!(monitor.seen, [1, 2]);
    let plan = |done| Plan {
        done,
        total: 6,
        per_epoch: 3,
    };
    assert_eq!(monitor.plan, Some(plan(0)));

    let resumed = session(dir.path(), &train, &[], true);
    assert_eq!(resumed.state().step, 2);
    let mut monitor = StopAt::new(7, Stop::AfterSaving);
    let resumed = resumed.run(&mut monitor).unwrap();
    assert_eq!(monitor.plan, Some(plan(2)));
    let whole_dir = tempfile::tempdir().unwrap();
    let whole = session(whole_dir.path(), &train, &[], false);
    let whole = whole.run(&mut Quiet).unwrap();
    assert_eq!(adapters(&resumed.policy), adapters(&whole.policy));
    assert_eq!(lines(dir.path()).len(), 6);
}

#[test]
fn stopping_at_once_saves_nothing() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let result = session(dir.path(), &train, &[], false).run(&mut StopAt::new(2, Stop::AtOnce));
    assert!(matches!(result, Err(TrainError::Killed { .. })));
    assert!(!dir.path().join("checkpoint").exists());
}

#[test]
fn the_clock_of_a_run_is_that_of_its_start() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let started = |clock: Option<u64>, resume| {
        let (policy, table) = start();
        let config = SessionConfig {
            dir: dir.path().into(),
            base: "tiny".into(),
            model_key: "tiny".into(),
            seed: SEED,
            lora: LoraConfig::default(),
            training: training(),
            section: "training",
            further_devices: Vec::new(),
            clock,
        };
        let data = (train.clone(), Vec::new());
        Session::new(config, task(), (policy, Some(table)), data, resume).unwrap()
    };
    let stop = &mut StopAt::new(1, Stop::AfterSaving);
    assert!(started(Some(1_700_000_000), false).run(stop).is_err());
    let state = trainer::checkpoint::state(&dir.path().join("checkpoint"));
    assert_eq!(state.unwrap().unwrap().clock, Some(1_700_000_000));
    assert_eq!(
        started(Some(1_800_000_000), true).state().clock,
        Some(1_700_000_000)
    );
}

/// A reference whose cache lies in `dir`.
fn reference(dir: &Path) -> Reference {
    let model = start().0.model.without_adapters();
    Reference::open(dir, &model, "tiny", 4).unwrap()
}

fn with_reference(reference: &Reference) -> Preference {
    let config = ObjectiveConfig::default();
    Preference::from_config(&config, true, Some(reference.clone())).unwrap()
}

/// Two users, the same answers, opposite choices: a response's log-prob may come out of another row, and differ there in its last
/// bit, so that a run that goes on would not be the one never stopped.
#[test]
fn a_response_in_several_pairs_keeps_its_first_log_prob() {
    let dir = tempfile::tempdir().unwrap();
    let examples = unreferenced(3);
    let first = examples[0].pair();
    let mut second = examples[1].pair().clone();
    second.prompt = first.prompt.clone();
    second.rejected = first.chosen.clone();
    reference(dir.path()).log_probs(&[first], &Quiet).unwrap();
    // Stands for another last bit.
    let file = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    let mut line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    line["bits"] = 42_f32.to_bits().into();
    line["check"] = serde_json::Value::Null;
    fs::write(file.path(), format!("{line}\n{text}")).unwrap();
    let again = reference(dir.path());
    let found = again.log_probs(&[&second], &Quiet).unwrap();
    assert_eq!(found[0].rejected, 42.0);
    assert_eq!(again.log_probs(&[first], &Quiet).unwrap()[0].chosen, 42.0);
}

#[test]
fn four_steps_compute_the_references_of_their_own_comparisons_alone() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(100));
    let reference = reference(&dir.path().join("reference"));
    let training = TrainingSection {
        max_steps: 4,
        ..training()
    };
    let data = (&train[..], &[][..]);
    let task = with_reference(&reference);
    let session = session_of(dir.path(), task, training, data, false).unwrap();
    session.run(&mut Quiet).unwrap();
    assert_eq!(reference.known(), 2 * 16);
    let computed = train.iter().filter(|e| e.item.reference.get().is_some());
    assert_eq!(computed.count(), 16);
}

#[test]
fn references_computed_when_needed_are_those_computed_before() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let runs = dirs.each_ref().map(|dir| {
        let (train, validation) = (unreferenced(10), unreferenced(3));
        let reference = reference(&dir.path().join("reference"));
        if dir.path() == dirs[1].path() {
            let all: Vec<&Example> = train.iter().chain(&validation).collect();
            reference.fill(&all, &Quiet).unwrap();
        }
        let data = (&train[..], &validation[..]);
        let session = session_of(
            dir.path(),
            with_reference(&reference),
            training(),
            data,
            false,
        );
        session.unwrap().run(&mut Quiet).unwrap();
        lines(dir.path()).iter().map(|l| l.loss).collect::<Vec<_>>()
    });
    assert_eq!(runs[0].len(), 9);
    for (lazy, eager) in runs[0].iter().zip(&runs[1]) {
        assert!((lazy - eager).abs() < 1e-5, "{lazy} {eager}");
    }
}

/// Says stop when long work has reported so many times.
struct StopInWork {
    reports: AtomicUsize,
    limit: usize,
}

impl Progress for StopInWork {
    fn report(&self, _: &str, _: usize, _: usize) {
        self.reports.fetch_add(1, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.reports.load(Ordering::Relaxed) > self.limit
    }
}

impl Monitor for StopInWork {
    fn line(&mut self, _: &Line, _: usize) {}

    fn progress(&self) -> &dyn Progress {
        self
    }
}

/// Prompts that two users judge oppositely, and a third response that shares one with theirs.
fn shared(prompts: std::ops::Range<u32>) -> Vec<Example> {
    let example = |i: u32, chosen: Vec<u32>, rejected: Vec<u32>, user: &str| Example {
        item: Arc::new(Item::new(
            TokenizedPair {
                chosen,
                rejected,
                ..pair(i)
            },
            Some(user.into()),
        )),
        user: UserRef::id(user),
    };
    let of = |i: u32| {
        let [a, b, c] = [
            vec![2 + i % 12, 5, 1],
            vec![9, 1],
            vec![3, 4, 2 + i % 7, 8, 1],
        ];
        [
            example(i, a.clone(), b.clone(), "ann"),
            example(i, b.clone(), a.clone(), "ben"),
            example(i, a, c, "ann"),
        ]
    };
    prompts.flat_map(of).collect()
}

/// Wherever a run is stopped in reference log-probs or in a validation, it keeps what it has, and goes on as one never stopped.
#[test]
fn a_run_stopped_within_long_work_goes_on_to_the_bit() {
    let run = |dir: &Path, limit: usize, resume: bool| {
        let reference = Reference::open(
            &dir.join("reference"),
            &start().0.model.without_adapters(),
            "tiny",
            1,
        );
        let (train, validation) = (shared(0..6), shared(6..9));
        let data = (&train[..], &validation[..]);
        let task = with_reference(&reference.unwrap());
        let session = session_of(dir, task, training(), data, resume).unwrap();
        let reports = AtomicUsize::new(0);
        session.run(&mut StopInWork { reports, limit })
    };
    let whole = tempfile::tempdir().unwrap();
    let expected = run(whole.path(), usize::MAX, false).unwrap();
    let without_times = |dir: &Path| -> Vec<_> {
        let key = |line: &Line| (line.split.clone(), line.step, line.loss, line.grad_norm);
        lines(dir).iter().map(key).collect()
    };
    let mut stopped_in_validation = 0;
    for limit in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let mut result = run(dir.path(), limit, false);
        let mut calls = 1;
        while let Err(error) = result {
            assert!(matches!(error, TrainError::Interrupted { .. }), "{error}");
            let state = fs::read_to_string(dir.path().join("checkpoint/state.json")).unwrap();
            stopped_in_validation += usize::from(state.contains("\"unvalidated\": true"));
            result = run(dir.path(), limit + calls, true);
            calls += 1;
        }
        let found = result.unwrap();
        assert!(calls > 1, "stopped at least once");
        assert_eq!(
            without_times(dir.path()),
            without_times(whole.path()),
            "{limit}"
        );
        assert_eq!(
            adapters(&found.policy),
            adapters(&expected.policy),
            "{limit}"
        );
    }
    assert!(stopped_in_validation > 0);
}

/// Prefers what the policy finds likelier by more than a token's worth, whatever a reference says.
#[derive(Debug)]
struct OwnLoss {
    over_the_batch: bool,
}

impl PairLoss for OwnLoss {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let policy = pairs.policy();
        let margins = policy.chosen.clone() - policy.rejected.clone();
        let target = match self.over_the_batch {
            true => margins.clone().mean().detach(),
            false => margins.clone().zeros_like().narrow(0, 0, 1),
        };
        Ok((margins - target - 1.0).square())
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.policy().clone(), 1.0))
    }

    fn needs_reference(&self) -> bool {
        false
    }

    fn needs_batch_statistics(&self) -> bool {
        self.over_the_batch
    }
}

fn own(over_the_batch: bool, reference: Option<Reference>) -> Preference {
    let objective = Objective::new(OwnLoss { over_the_batch }, 0.5).unwrap();
    Preference::new(objective, reference)
}

#[test]
fn a_loss_that_needs_no_reference_computes_and_stores_none() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(10));
    let reference = reference(&dir.path().join("reference"));
    let task = own(false, Some(reference.clone()));
    let data = (&train[..], &train[..2]);
    let session = session_of(dir.path(), task, training(), data, false).unwrap();
    let outcome = session.run(&mut Quiet).unwrap();
    assert_eq!((outcome.state.step, reference.known()), (6, 0));
    assert!(train.iter().all(|e| e.item.reference.get().is_none()));
    assert!(!dir.path().join("reference").exists());
}

#[test]
fn a_loss_that_needs_a_reference_says_so_where_there_is_none() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(10));
    let result = session(dir.path(), &train, &[], false).run(&mut Quiet);
    assert!(matches!(result, Err(TrainError::NoReference)));
}

#[test]
fn a_loss_over_its_whole_batch_refuses_to_be_cut_up() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(10));
    let with = |micro_rows, replicas| {
        let training = TrainingSection {
            micro_rows,
            replicas,
            ..training()
        };
        session_of(dir.path(), own(true, None), training, (&train, &[]), false)
    };
    let refusal = |micro_rows, replicas| with(micro_rows, replicas).err().unwrap().to_string();
    let message = refusal(7, 0);
    assert!(
        message.contains("`training.micro_rows` is 7, expected at least 8"),
        "{message}"
    );
    let message = refusal(8, 2);
    assert!(message.contains("`training.replicas` is 2"), "{message}");
    with(8, 0).unwrap().run(&mut Quiet).unwrap();
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

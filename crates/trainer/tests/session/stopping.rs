//! A run that is stopped goes on as one never stopped.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trainer::TrainError;
use trainer::example::{Example, Item};
use trainer::metrics::Line;
use trainer::monitor::{Monitor, Plan, Stop};
use trainer::progress::{Progress, Quiet};
use trainer::reference::Reference;
use trainer::session::{Session, SessionConfig};
use trainer::tokenise::TokenizedPair;
use user_model::UserRef;

use crate::references::with_reference;
use crate::{SEED, adapters, examples, lines, pair, session, session_of, start, task, training};
use llm_backbone::LoraConfig;
use pdpo_loss::{Branches, ObjectiveConfig};
use trainer::task::Preference;

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
fn branches_are_drawn_alike_after_a_stop() {
    let (dir, train) = (tempfile::tempdir().unwrap(), examples());
    let begin = |dir: &Path, resume| {
        let objective = ObjectiveConfig {
            branches: Branches::Sampled,
            ..ObjectiveConfig::default()
        };
        let task = Preference::from_config(&objective, true, None).unwrap();
        session_of(dir, task, training(), (&train, &[]), resume).unwrap()
    };
    let stopped = begin(dir.path(), false).run(&mut StopAt::new(4, Stop::AfterSaving));
    assert!(matches!(
        stopped,
        Err(TrainError::Interrupted { step: 4, .. })
    ));
    let resumed = begin(dir.path(), true).run(&mut Quiet).unwrap();
    let whole_dir = tempfile::tempdir().unwrap();
    let whole = begin(whole_dir.path(), false).run(&mut Quiet).unwrap();
    assert_eq!(adapters(&resumed.policy), adapters(&whole.policy));
    // Half the rows of ten comparisons in two passes are the users'.
    let shown = lines(whole_dir.path()).into_iter();
    let shown = shown.flat_map(|line| line.count_by_user.into_values());
    assert_eq!(shown.sum::<u64>(), 10);
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
            sources: serde_json::Value::Null,
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
        drawn: None,
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

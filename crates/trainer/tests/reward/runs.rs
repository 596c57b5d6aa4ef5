//! Runs of a reward model: stopped and resumed, kept and opened, and a new user's row.

use std::fs;
use std::path::Path;

use burn::module::Module;
use trainer::adapters;
use trainer::config::Head;
use trainer::head::RewardHead;
use trainer::monitor::Monitor;
use trainer::policy::Policy;
use trainer::session::{Outcome, Session};
use trainer::task::Reward;
use trainer::{TrainError, checkpoint};
use user_model::{RowInit, UserModelKind, UserTable};

use super::{examples, policy, scored, support, task};
use support::run::{STEPS, StopAfter, World, assert_same, traces};
use support::{INDIVIDUAL, device, largest_difference, open, users};

fn session(
    world: &World,
    head: Head,
    dir: &Path,
    resume: bool,
) -> Result<Session<Reward>, TrainError> {
    let tokens = match head {
        Head::Scalar => 2,
        Head::User => 1,
    };
    let (users, table) = users(world.kind, tokens, world.base.d_model(), RowInit::Zero);
    let model = world.base.clone().with_lora(&world.lora, world.seed)?;
    let policy = Policy::new(model, Some(users)).with_head(head);
    world.session_of(task(0.5, 0.01, true), (policy, Some(table)), dir, resume)
}

fn run(world: &World, head: Head, dir: &Path, resume: bool, steps: usize) -> Option<Outcome> {
    let mut monitor = StopAfter::steps(steps);
    let session = session(world, head, dir, resume).expect("a session");
    match session.run(&mut monitor as &mut dyn Monitor) {
        Ok(outcome) => Some(outcome),
        Err(TrainError::Interrupted { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_run_stopped_at_any_step_and_resumed_is_the_same_to_the_bit_head_included() {
    let mut world = World::new();
    for (head, kind) in [
        (Head::Scalar, INDIVIDUAL),
        (Head::User, INDIVIDUAL),
        (Head::User, UserModelKind::Cluster { clusters: 3 }),
    ] {
        world.kind = kind;
        let whole = tempfile::tempdir().expect("a folder");
        run(&world, head, whole.path(), false, usize::MAX).expect("a run");
        let expected = traces(whole.path());
        let has_weights = expected.contains_key("checkpoint/reward_head.safetensors");
        assert_eq!(has_weights, head == Head::Scalar);
        assert!(expected.contains_key("adapters/reward.json"));
        for stop in [1, 4, STEPS - 1] {
            let dir = tempfile::tempdir().expect("a folder");
            assert!(run(&world, head, dir.path(), false, stop).is_none());
            let outcome = run(&world, head, dir.path(), true, usize::MAX).expect("the rest");
            assert_eq!(outcome.state.step, STEPS);
            assert_same(
                &traces(dir.path()),
                &expected,
                &format!("{head:?}, step {stop}"),
            );
        }
    }
}

#[test]
fn another_head_is_another_run() {
    let world = World::new();
    let dir = tempfile::tempdir().expect("a folder");
    assert!(run(&world, Head::Scalar, dir.path(), false, 2).is_none());
    // A preference run is none of a reward model either.
    let error = world.session(dir.path(), true).err().expect("a refusal");
    assert!(error.to_string().contains("`reward` was"), "{error}");
}

#[test]
fn a_damaged_head_is_refused_by_its_name() {
    let world = World::new();
    let dir = tempfile::tempdir().expect("a folder");
    assert!(run(&world, Head::Scalar, dir.path(), false, 2).is_none());
    let path = dir.path().join("checkpoint/reward_head.safetensors");
    let mut bytes = fs::read(&path).expect("a head");
    *bytes.last_mut().expect("numbers") ^= 1;
    fs::write(&path, bytes).expect("a writable file");
    assert!(checkpoint::state(&dir.path().join("checkpoint")).is_ok());
    let error = session(&world, Head::Scalar, dir.path(), true).err();
    let error = error.expect("a refusal").to_string();
    assert!(
        error.contains("reward_head.safetensors: its SHA-256"),
        "{error}"
    );
}

fn saved(policy: &Policy, table: Option<&UserTable>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let at = dir.path().join("adapters");
    let lora = support::lora();
    adapters::save(&at, policy, table, &lora, &"llama".into()).expect("files");
    dir
}

#[test]
fn what_is_kept_and_opened_again_rewards_the_same() {
    for head in [Head::Scalar, Head::User] {
        let trained = policy("llama", head, Some(INDIVIDUAL));
        let dir = saved(&trained.0, trained.1.as_ref());
        let at = dir.path().join("adapters");
        assert_eq!(RewardHead::kind_in(&at).expect("a file"), Some(head));
        let (read, table, _) = adapters::load(&at, open("llama"), &device()).expect("files");
        assert_eq!(read.places(), trained.0.places());
        let (task, examples) = (task(0.5, 0.0, true), examples(6, true));
        let rewards = |of: &(Policy, Option<UserTable>)| -> Vec<f32> {
            let rows = scored(&task, of, &examples).into_iter();
            rows.flat_map(|row| [row.reward_chosen, row.reward_rejected])
                .collect()
        };
        assert_eq!(
            largest_difference(&rewards(&trained), &rewards(&(read, table))),
            0.0
        );
    }
}

#[test]
fn a_head_of_another_width_or_version_is_refused() {
    let (mut small, _) = policy("llama", Head::Scalar, None);
    small.head = Some(RewardHead::of(vec![1.0; 3], &device()));
    let dir = saved(&small, None);
    let at = dir.path().join("adapters");
    let load = || adapters::load(&at, open("llama"), &device()).err();
    let error = load().expect("a refusal").to_string();
    assert!(
        error.contains("`score.weight` is of the shape [1, 3]"),
        "{error}"
    );
    fs::write(at.join("reward.json"), r#"{"version":2,"head":"scalar"}"#).expect("a file");
    let error = load().expect("a refusal").to_string();
    assert!(error.contains("`version` is 2, expected 1"), "{error}");
}

#[test]
fn a_head_takes_part_in_the_norm_that_is_clipped() {
    let (policy, _) = policy("llama", Head::Scalar, None);
    let training = Default::default();
    let learner = trainer::learner::Learner::new(task(0.5, 0.0, false), policy, None, &training);
    let learner = learner.expect("good settings");
    let batch = support::unreferenced(&support::pairs(3, 4), false);
    let by_name = support::gradients(&learner, &batch);
    let squares: f64 = by_name
        .values()
        .flatten()
        .map(|g| f64::from(*g).powi(2))
        .sum();
    let (mut gradients, _) = learner.gradients(&batch).expect("known users");
    let norms = gradients.norms(&learner.policy);
    assert!((norms.model - squares.sqrt()).abs() < 1e-4 * norms.model);
    let bound = norms.model / 4.0;
    gradients.clip(
        &learner.policy,
        &norms,
        trainer::config::Clip::Groups,
        bound,
    );
    let clipped = gradients.norms(&learner.policy).model;
    assert!((clipped - bound).abs() < 1e-4 * bound, "{clipped} {bound}");
    assert!(
        learner
            .policy
            .head
            .as_ref()
            .is_some_and(|head| head.num_params() > 0)
    );
}

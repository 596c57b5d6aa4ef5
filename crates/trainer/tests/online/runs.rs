//! Whole runs: what they learn, how they go on, and what is refused.

use std::path::Path;

use trainer::TrainError;
use trainer::config::OnlineMethod;
use trainer::folder::Start;
use trainer::metrics;
use trainer::progress::Quiet;
use trainer::session::Outcome;
use trainer::training::Place;

use super::World;
use super::support::run::{StopAfter, assert_same, traces};

fn run(world: &World, dir: &Path, start: Start, stop: usize) -> Result<Outcome, TrainError> {
    let place = Place {
        start,
        ..Place::new(dir)
    };
    let session = world
        .training
        .online(place, &world.sides, World::scorer())?;
    session.run(&mut StopAfter::steps(stop))
}

fn short(method: &str) -> String {
    format!(
        "[online]\nmethod = \"{method}\"\nnum_generations = 4\nmax_new_tokens = 6\nnum_iterations = 2\n"
    )
}

#[test]
fn a_run_stopped_at_any_step_and_resumed_is_the_same_to_the_bit() {
    for method in ["rloo", "grpo", "dpo"] {
        let world = World::new(&short(method));
        let whole = world.folder.path().join("whole");
        run(&world, &whole, Start::New, usize::MAX).expect("a run");
        let expected = traces(&whole);
        for stop in [1, 4] {
            let dir = world.folder.path().join(format!("stopped-{stop}"));
            let stopped = run(&world, &dir, Start::New, stop).err();
            assert!(matches!(stopped, Some(TrainError::Interrupted { .. })));
            let outcome = run(&world, &dir, Start::Resume, usize::MAX).expect("the rest");
            assert_eq!(outcome.state.step, 6);
            assert_same(&traces(&dir), &expected, &format!("{method}, step {stop}"));
        }
    }
}

#[test]
fn every_user_moves_where_their_rewards_point() {
    // Online DPO learns from two of the eight responses.
    for (method, words_apart, fewer) in [("rloo", 2.0, 2.0), ("grpo", 2.0, 2.0), ("dpo", 0.3, 0.8)]
    {
        let keys =
            format!("[online]\nmethod = \"{method}\"\nnum_generations = 8\nmax_new_tokens = 8\n");
        let mut config = World::new(&keys).config;
        config.training.epochs = 12;
        config.training.batch = 8;
        config.training.eval_every = 1;
        let world = World::with(&config);
        let dir = world.folder.path().join("run");
        run(&world, &dir, Start::New, usize::MAX).expect("a run");
        let lines = metrics::read(&dir.join("metrics.jsonl")).expect("metrics");
        let held: Vec<_> = lines
            .iter()
            .filter(|line| line.split == "validation")
            .collect();
        let (first, last) = (held[0], held[held.len() - 1]);
        let words = |line: &metrics::Line, user: &str| line.words_by_user[user];
        let apart = |line: &metrics::Line| words(line, "a") - words(line, "b");
        assert!(
            apart(last) > apart(first) + words_apart,
            "{method}: {first:?} {last:?}"
        );
        assert!(
            words(last, "b") < words(first, "b") - fewer,
            "{method}: {first:?} {last:?}"
        );
        assert!(last.reward_by_user["b"] > first.reward_by_user["b"] + fewer);
        assert!(last.kl.expect("a KL") > first.kl.expect("a KL"));
        assert!(last.loss < first.loss);
        let step = lines
            .iter()
            .find(|line| line.split == "train")
            .expect("a step");
        assert!(step.reward.is_some() && step.mean_length.is_some() && step.cut_ratio.is_some());
        assert_eq!(step.rewards_accuracies.is_some(), method == "dpo");
        assert!(step.reward_by_user.is_empty());
    }
}

#[test]
fn another_method_or_scorer_is_another_run() {
    let world = World::new(&short("rloo"));
    let dir = world.folder.path().join("run");
    let stopped = run(&world, &dir, Start::New, 2).err();
    assert!(matches!(stopped, Some(TrainError::Interrupted { .. })));
    let mut config = world.config.clone();
    config.online.method = OnlineMethod::Grpo;
    let other = World::with(&config);
    let error = run(&other, &dir, Start::Resume, usize::MAX)
        .err()
        .expect("a refusal");
    assert!(
        error
            .to_string()
            .contains("`online.method` was \"rloo\" and is \"grpo\""),
        "{error}"
    );
    let place = Place {
        start: Start::Resume,
        ..Place::new(&dir)
    };
    let error = world.training.preferences(place).err().expect("a refusal");
    assert!(error.to_string().contains("`online` was"), "{error}");
}

#[test]
fn what_cannot_be_learnt_online_is_refused_by_its_key() {
    for (keys, expected) in [
        (
            "[online]\nmax_new_tokens = 500\n",
            "`online.max_new_tokens` is 500, expected at most",
        ),
        (
            "[online]\nmethod = \"dpo\"\n[objective]\nloss = \"kto\"\n",
            "`objective.loss` is kto",
        ),
        (
            "[online]\nmethod = \"dpo\"\n[objective]\nloss = \"aot\"\n[training]\nmicro_rows = 64\n",
            "`objective.loss` is aot",
        ),
        ("[online]\nepsilon = 3.0\n", "`online.epsilon` is 3"),
    ] {
        let refused = World::checked(keys).and_then(|world| {
            let place = Place::new(&world.folder.path().join("run"));
            let session = world
                .training
                .online(place, &world.sides, World::scorer())?;
            session.run(&mut Quiet).map(|_| ())
        });
        let error = refused.expect_err(keys).to_string();
        assert!(error.contains(expected), "{keys}: {error}");
    }
}

//! A run stopped at any step and resumed is the run that was never stopped, to the bit; a checkpoint is whole or refused.

mod support;

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use support::run::{STEPS, World, assert_same, metrics, traces};
use tempfile::TempDir;
use trainer::TrainError;
use user_model::UserModelKind;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What a run that was never stopped leaves behind.
fn uninterrupted(world: &World) -> std::collections::BTreeMap<String, Vec<u8>> {
    let dir = folder();
    let outcome = world.run(dir.path(), false, None).expect("a run");
    assert_eq!(outcome.state.step, STEPS);
    traces(dir.path())
}

fn refusal(world: &World, dir: &Path) -> String {
    match world.session(dir, true) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_run_stopped_at_any_step_and_resumed_is_the_same_to_the_bit() {
    let world = World::new();
    let expected = uninterrupted(&world);
    // Validations are after steps 3, 6 and 8, the first epoch ends after step 4.
    for stop in 1..STEPS {
        let dir = folder();
        world.run_until(dir.path(), false, stop);
        let outcome = world.run(dir.path(), true, None).expect("the rest");
        assert_eq!(outcome.state.step, STEPS);
        assert_same(
            &traces(dir.path()),
            &expected,
            &format!("stopped at step {stop}"),
        );
    }
}

#[test]
fn stopping_at_every_step_changes_nothing() {
    for kind in [
        support::INDIVIDUAL,
        UserModelKind::Individual { generic: false },
        UserModelKind::Cluster { clusters: 3 },
        support::prefix_of(&support::open("llama_tied")),
    ] {
        let mut world = World::new();
        world.kind = kind;
        let dir = folder();
        for stop in 1..STEPS {
            world.run_until(dir.path(), stop > 1, 1);
            assert_eq!(metrics(dir.path()).last().expect("a line")["step"], stop);
        }
        world.run(dir.path(), true, None).expect("the last step");
        assert_same(
            &traces(dir.path()),
            &uninterrupted(&world),
            &format!("{kind:?}"),
        );
    }
}

#[test]
fn adapters_of_every_kind_go_on_to_the_bit() {
    let mut world = World::new();
    world.lora = support::lora_of_every_kind();
    let expected = uninterrupted(&world);
    let dir = folder();
    world.run_until(dir.path(), false, 3);
    world.run_until(dir.path(), true, 2);
    world.run(dir.path(), true, None).expect("the last steps");
    assert_same(&traces(dir.path()), &expected, "every kind");
}

#[test]
fn resuming_a_finished_run_changes_nothing() {
    let world = World::new();
    let dir = folder();
    world.run(dir.path(), false, None).expect("a run");
    let before = traces(dir.path());
    let outcome = world.run(dir.path(), true, None).expect("nothing to do");
    assert_eq!(outcome.state.step, STEPS);
    assert_same(&traces(dir.path()), &before, "resumed at the end");
}

/// The only test here that draws random numbers on the device, whose generator all tests of a process share.
#[test]
fn dropout_draws_the_same_numbers_after_a_resume() {
    let mut world = World::new();
    world.lora.dropout = 0.3;
    let expected = uninterrupted(&world);
    assert_same(&uninterrupted(&world), &expected, "the same run again");
    let dir = folder();
    world.run_until(dir.path(), false, 3);
    world.run(dir.path(), true, None).expect("the rest");
    assert_same(&traces(dir.path()), &expected, "with dropout");
    world.lora.dropout = 0.0;
    assert_ne!(
        uninterrupted(&world)["metrics.jsonl"],
        expected["metrics.jsonl"]
    );
}

#[test]
fn steps_after_the_last_checkpoint_of_a_killed_run_are_done_again() {
    let mut world = World::new();
    world.training.save_every = 2;
    let expected = uninterrupted(&world);
    let (killed, dir) = (folder(), folder());
    world.run_until(killed.path(), false, 5); // its checkpoint is of step 5 ...
    world.run_until(dir.path(), false, 4);
    // ... but the kill came before it was written, and in the middle of a line of metrics.
    let read =
        |dir: &TempDir| fs::read_to_string(dir.path().join("metrics.jsonl")).expect("metrics");
    let (mut lines, later) = (read(&dir), read(&killed));
    lines += later.lines().last().expect("the line of step 5");
    lines += "\n{\"split\":\"train\",\"step\":6,\"ep";
    fs::write(dir.path().join("metrics.jsonl"), lines).expect("a writable file");
    world.run(dir.path(), true, None).expect("the rest");
    assert_same(&traces(dir.path()), &expected, "killed after step 5");
}

fn rename(dir: &Path, from: &str, to: &str) {
    fs::rename(dir.join(from), dir.join(to)).expect("a folder");
}

#[test]
fn a_crash_between_the_renames_loses_nothing() {
    let world = World::new();
    let expected = uninterrupted(&world);
    type Leave<'a> = &'a dyn Fn(&Path);
    let leftovers: [(&str, Leave<'_>); 4] = [
        ("only the old one", &|dir| {
            rename(dir, "checkpoint", "checkpoint.old");
        }),
        ("the old one and a whole new one", &|dir| {
            rename(dir, "checkpoint", "checkpoint.old");
            half_written(dir);
        }),
        ("a half-written new one", &half_written),
        ("an old one that was not removed", &|dir| {
            fs::create_dir(dir.join("checkpoint.old")).expect("a folder");
            fs::write(dir.join("checkpoint.old/state.json"), "{").expect("a file");
        }),
    ];
    for (what, leave) in leftovers {
        let dir = folder();
        world.run_until(dir.path(), false, 3);
        leave(dir.path());
        world.run_until(dir.path(), true, 2);
        for gone in ["checkpoint.old", "checkpoint.new"] {
            assert!(!dir.path().join(gone).exists(), "{what}: {gone} is removed");
        }
        world.run(dir.path(), true, None).expect("the rest");
        assert_same(&traces(dir.path()), &expected, what);
    }
}

fn half_written(dir: &Path) {
    let new = dir.join("checkpoint.new");
    fs::create_dir(&new).expect("a folder");
    fs::write(new.join("adapters.safetensors"), [1, 2, 3]).expect("a file");
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let dir = folder();
    World::new().run_until(dir.path(), false, 2);
    type Change<'a> = &'a dyn Fn(&mut World);
    let changes: [(&str, Change<'_>); 9] = [
        ("`seed` was 7 and is 8", &|w| w.seed += 1),
        ("`training.learning_rate` was 0.01 and is 0.02", &|w| {
            w.training.learning_rate *= 2.0
        }),
        ("`training.batch` was 4 and is 3", &|w| w.training.batch = 3),
        ("`lora.rank` was 4 and is 2", &|w| w.lora.rank = 2),
        ("`objective.alpha` was 0.5 and is 0.25", &|w| {
            w.objective.alpha = 0.25
        }),
        ("`users.kind` was \"individual\" and is \"cluster\"", &|w| {
            w.kind = UserModelKind::Cluster { clusters: 2 }
        }),
        ("`training.eval_limit` was 0 and is 1;", &|w| {
            w.training.eval_limit = 1
        }),
        ("the weights of `model.source` were", &|w| {
            w.model_key = "others".into()
        }),
        (
            "the comparisons of `data.train` were 14 with the hash",
            &|w| w.train[3] = support::changed(&w.train[3], |item| item.pair.chosen[0] += 1),
        ),
    ];
    for (expected, change) in changes {
        let mut world = World::new();
        change(&mut world);
        let error = refusal(&world, dir.path());
        assert!(
            error.contains("state.json") && error.contains(expected),
            "{expected}: {error}"
        );
    }
    assert!(World::new().session(dir.path(), true).is_ok());
}

#[test]
fn how_a_run_is_computed_and_saved_may_change() {
    let world = World::new();
    let (dir, whole) = (folder(), folder());
    world.run(whole.path(), false, None).expect("a run");
    world.run_until(dir.path(), false, 3);
    let mut other = World::new();
    other.training.save_every = 1;
    other.training.replicas = 1;
    other.name = "llama_tied under another path";
    other.model_key = "llama_tied".into();
    other.run(dir.path(), true, None).expect("the rest");
    let (found, expected) = (metrics(dir.path()), metrics(whole.path()));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        // Sums in another order round otherwise.
        let loss = |line: &serde_json::Value| line["loss"].as_f64().expect("a loss");
        assert!((loss(found) - loss(expected)).abs() < 1e-4, "{found}");
    }
}

#[test]
fn a_finished_run_goes_on_for_more_epochs() {
    let mut world = World::new();
    let dir = folder();
    world.run(dir.path(), false, None).expect("a run");
    world.training.epochs = 3;
    let outcome = world.run(dir.path(), true, None).expect("an epoch more");
    assert_eq!(outcome.state.step, 12);
    let steps = metrics(dir.path());
    let trained = steps.iter().filter(|line| line["split"] == "train");
    assert_eq!(trained.count(), 12);
}

#[test]
fn optimiser_states_without_their_parameters_are_an_error() {
    let world = World::new();
    let (dir, other) = (folder(), folder());
    world.run_until(dir.path(), false, 2);
    // The states of a run with adapters on fewer modules: burn would load them and start the missing ones anew.
    let mut fewer = World::new();
    fewer.lora.targets = llm_backbone::Targets::Names(vec!["q_proj".into()]);
    fewer.run_until(other.path(), false, 2);
    let file = "checkpoint/optimizer.bpk";
    let good = fs::read(dir.path().join(file)).expect("a file");
    fs::copy(other.path().join(file), dir.path().join(file)).expect("a file");
    let error = refusal(&world, dir.path());
    assert!(
        error.contains("optimizer.bpk") && error.contains("expects"),
        "{error}"
    );

    fs::write(dir.path().join(file), &good[..good.len() / 2]).expect("a file");
    assert!(refusal(&world, dir.path()).contains("optimizer.bpk"));
    fs::remove_file(dir.path().join(file)).expect("a file");
    assert!(refusal(&world, dir.path()).contains("optimizer.bpk"));
    fs::write(dir.path().join(file), &good).expect("a file");

    let state = dir.path().join("checkpoint/state.json");
    let text = fs::read_to_string(&state).expect("a file");
    let mut edited: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    edited["parameters"][0] = 12345.into();
    fs::write(&state, edited.to_string()).expect("a file");
    assert!(refusal(&world, dir.path()).contains("state.json: its SHA-256 is"));
    with_new_sum(&dir.path().join("checkpoint"), "state.json");
    let error = refusal(&world, dir.path());
    assert!(error.contains("`parameters`"), "{error}");
}

/// Has the checksum of a file say what it holds now.
fn with_new_sum(checkpoint: &Path, name: &str) {
    let sums = checkpoint.join("SHA256SUMS");
    let text = fs::read_to_string(&sums).expect("sums");
    let bytes = fs::read(checkpoint.join(name)).expect("a file");
    let new = format!("{:x}  {name}", Sha256::digest(bytes));
    let line = |line: &str| match line.ends_with(name) {
        true => new.clone(),
        false => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    fs::write(&sums, lines.join("\n")).expect("sums");
}

#[test]
fn one_flipped_bit_in_any_file_of_a_checkpoint_is_refused_by_the_files_name() {
    let world = World::new();
    let dir = folder();
    world.run_until(dir.path(), false, 2);
    let checkpoint = dir.path().join("checkpoint");
    let mut seen = 0;
    for entry in fs::read_dir(&checkpoint).expect("a checkpoint") {
        let path = entry.expect("an entry").path();
        let good = fs::read(&path).expect("a file");
        for at in [0, good.len() / 2, good.len() - 2] {
            let mut bad = good.clone();
            bad[at] ^= 4;
            fs::write(&path, &bad).expect("a file");
            let name = path.file_name().expect("a name").to_string_lossy();
            let error = refusal(&world, dir.path());
            // A changed sum blames the file that it is of.
            assert!(
                error.contains(&*name) || name == "SHA256SUMS",
                "{name}: {error}"
            );
            seen += 1;
        }
        fs::write(&path, good).expect("a file");
    }
    assert_eq!(seen, 3 * 6);
    assert!(world.session(dir.path(), true).is_ok());
}

#[test]
fn broken_checkpoint_files_are_named() {
    let world = World::new();
    let dir = folder();
    world.run_until(dir.path(), false, 2);
    for file in [
        "adapters.safetensors",
        "user_model.safetensors",
        "user_model.json",
        "state.json",
    ] {
        let path = dir.path().join("checkpoint").join(file);
        let good = fs::read(&path).expect("a file");
        fs::write(&path, &good[..good.len() - 5]).expect("a file");
        let error = refusal(&world, dir.path());
        assert!(error.contains(file), "{file}: {error}");
        fs::write(&path, good).expect("a file");
    }
    assert!(world.session(dir.path(), true).is_ok());
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_old_one_whole() {
    let mut world = World::new();
    world.training.save_every = 1;
    let expected = uninterrupted(&world);
    let dir = folder();
    world.run_until(dir.path(), false, 3);
    let before = traces(dir.path());
    let obstacle = dir.path().join("checkpoint.new"); // a file where the folder should go
    fs::write(&obstacle, "in the way").expect("a file");
    match world.run(dir.path(), true, None) {
        Err(TrainError::Io { path, .. }) => assert_eq!(path, obstacle),
        other => panic!("{:?}", other.map(|outcome| outcome.state)),
    }
    fs::remove_file(&obstacle).expect("a file");
    let after = traces(dir.path());
    assert_eq!(
        after["checkpoint/state.json"],
        before["checkpoint/state.json"]
    );
    world.run(dir.path(), true, None).expect("the rest");
    assert_same(
        &traces(dir.path()),
        &expected,
        "after the obstacle was removed",
    );
}

/// Where the test below sends its child process.
const CHILD: &str = "P_RLHF_TEST_FULL_DISK";

/// Runs in a process that may write small files only: as on a full disk, a write fails half-way.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_checkpoint_whole() {
    let mut world = World::new();
    world.training.save_every = 1;
    if let Some(dir) = std::env::var_os(CHILD) {
        let error = match world.run(Path::new(&dir), true, None) {
            Err(error) => error.to_string(),
            Ok(_) => "none".into(),
        };
        fs::write(Path::new(&dir).join("error"), error).expect("a small file");
        return;
    }
    let expected = uninterrupted(&world);
    let dir = folder();
    world.run_until(dir.path(), false, 1);
    let before = traces(dir.path());
    let name = "a_full_disk_leaves_the_old_checkpoint_whole";
    let script = format!("trap '' XFSZ; ulimit -f 16; exec \"$0\" --exact {name}");
    let status = std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().expect("this program"))
        .env(CHILD, dir.path())
        .stdout(std::process::Stdio::null())
        .status()
        .expect("a shell");
    assert!(status.success());
    let error = fs::read_to_string(dir.path().join("error")).expect("the child's error");
    assert!(error.contains("adapters.safetensors"), "{error}");
    let after = traces(dir.path());
    for (name, before) in &before {
        if name.starts_with("checkpoint/") {
            assert!(after[name] == *before, "{name} is as it was");
        }
    }
    world.run(dir.path(), true, None).expect("the rest");
    assert_same(
        &traces(dir.path()),
        &expected,
        "after the disk had room again",
    );
}

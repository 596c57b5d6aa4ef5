//! What a run writes is whole, its own, and nobody else's.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fixture::{self, ended, fixture, prlhf, started};
use crate::stop::{endless, send, wait_for_steps};

fn reference_of(run: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(run.join("reference")).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_run_in_use_is_left_alone_and_a_killed_one_goes_on() {
    let (config, out) = (endless(), fixture().fresh("in-use"));
    let train = [
        "train",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.str(),
    ];
    let mut child = started(&train);
    wait_for_steps(out.path());
    let expected = format!("is in use by process {}", child.id());
    for way in ["--resume", "--force"] {
        let error = prlhf(&[&train[..], &[way]].concat()).error();
        assert!(error.contains(&expected), "{way}: {error}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let short = ["--resume", "--set", "training.max_steps=2"];
    let done = prlhf(&[&train[..], &short].concat()).ok();
    assert!(done.contains("adapters "), "{done}");
    let mut names: Vec<_> = fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        ".prlhf-run",
        "adapters",
        "checkpoint",
        "config.toml",
        "metrics.jsonl",
        "reference",
    ];
    assert_eq!(names, expected);
}

#[test]
fn force_leaves_what_no_run_wrote() {
    let config = fixture().config.to_str().unwrap();
    let home = fixture().fresh("home");
    fs::create_dir(home.path()).unwrap();
    fs::write(home.path().join("config.toml"), "mine").unwrap();
    let train = ["train", "--config", config, "--out", home.str(), "--force"];
    let error = prlhf(&train).error();
    assert!(error.contains("not of a run"), "{error}");
    assert_eq!(
        fs::read_to_string(home.path().join("config.toml")).unwrap(),
        "mine"
    );

    // A run's own configuration, given again.
    let run = fixture().copy_of_run();
    let own = run.path().join("config.toml");
    let own = own.to_str().unwrap();
    let error = prlhf(&["train", "--config", own, "--out", run.str(), "--force"]).error();
    assert!(error.contains("config.toml is read by this run"), "{error}");
    for setting in ["lora.targets=[\"nope\"]", "users.clusters=0", "lora.rank=0"] {
        let set = ["--set", setting, "--set", "users.kind=cluster"];
        let train = ["train", "--config", config, "--out", run.str(), "--force"];
        prlhf(&[&train[..], &set].concat()).error();
        assert!(
            run.path().join("adapters/user_model.json").exists(),
            "{setting}"
        );
    }
}

#[test]
fn a_resume_without_a_checkpoint_touches_nothing() {
    let config = fixture().config.to_str().unwrap();
    let out = fixture().fresh("others");
    fs::create_dir(out.path()).unwrap();
    fs::write(out.path().join("metrics.jsonl"), "mine").unwrap();
    let error = prlhf(&["train", "--config", config, "--out", out.str(), "--resume"]).error();
    assert!(error.contains("no checkpoint"), "{error}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    assert_eq!(
        fs::read_to_string(out.path().join("metrics.jsonl")).unwrap(),
        "mine"
    );
}

#[test]
fn training_goes_on_where_head_has_seen_enough() {
    let config = fixture().config.to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_prlhf");
    for reader in ["| head -1", "2>&1 | head -1", "> /dev/full"] {
        let out = fixture().fresh("head");
        let command = format!(
            "{program} train --config {config} --out {} {reader}",
            out.str()
        );
        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.unwrap().success(), "{reader}");
        assert!(
            out.path().join("adapters/user_model.json").exists(),
            "{reader}"
        );
    }
}

#[test]
fn an_evaluation_leaves_the_log_probs_that_training_reads() {
    let run = fixture().copy_of_run();
    let before = reference_of(run.path());
    let data = fixture().file(
        "others.jsonl",
        &fixture::comparisons(&["stranger"]).replace("is it", "was it"),
    );
    let eval = ["eval", "--run", run.str(), "--data", data.to_str().unwrap()];
    let first = prlhf(&eval).ok();
    let after = reference_of(run.path());
    assert_eq!(after.len(), 2);
    let kept = |files: &[(String, Vec<u8>)]| {
        files
            .iter()
            .find(|(name, _)| name.starts_with("reference-"))
            .cloned()
    };
    assert_eq!(kept(&after), kept(&before));
    assert_eq!(prlhf(&eval).ok(), first);
    assert_eq!(reference_of(run.path()), after);
}

#[test]
fn what_would_fail_late_fails_at_the_start_with_its_key() {
    let config = fixture().config.to_str().unwrap();
    let data = format!("data.validation=[{:?}]", fixture().data);
    let one = fixture::comparisons(&["short"])
        .lines()
        .next()
        .unwrap()
        .to_owned()
        + "\n";
    let one = format!("data.train=[{:?}]", fixture().file("one.jsonl", &one));
    for (setting, needle) in [
        ("sampling.top_p=2.0", "`sampling.top_p` is 2"),
        ("sampling.temperature=-1.0", "`sampling.temperature` is -1"),
        ("lora.alpha=0.0", "`lora.alpha` is 0"),
        ("objective.alpha=2.0", "`objective.alpha` is 2"),
        (&data, "`data.validation` is a leak"),
        (&one, "`data.validation_share` is 0.25"),
    ] {
        let out = fixture().fresh("late");
        let set = ["--config", config, "--set", setting];
        for command in [
            &["check", "--no-estimate"][..],
            &["train", "--out", out.str()],
        ] {
            let error = prlhf(&[command, &set].concat()).error();
            assert!(error.contains(needle), "{setting}: {error}");
        }
        assert!(!out.path().exists());
    }
    let without = fixture().config_with("[users]\nuser_tokens = 2\n", "[objective]\nalpha = 0.9\n");
    let error = prlhf(&["check", "--config", without.to_str().unwrap()]).error();
    assert!(error.contains("`objective.alpha` is 0.9"), "{error}");
}

#[test]
fn two_signals_at_once_are_one_and_a_later_one_ends_at_once() {
    let (config, out) = (endless(), fixture().fresh("twice"));
    let train = [
        "train",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.str(),
    ];
    let child = started(&train);
    wait_for_steps(out.path());
    send(&child, "INT");
    send(&child, "INT");
    send(&child, "TERM");
    let stopped = ended(child);
    assert_eq!(stopped.code, 130, "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("go on with --resume"),
        "{}",
        stopped.stderr
    );
    assert!(out.path().join("checkpoint/state.json").is_file());
}

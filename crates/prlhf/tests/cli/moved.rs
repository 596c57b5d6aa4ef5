//! Runs with relative paths, used from another working folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixture::{Called, copy_dir, ended, fixture};

/// The program in a working folder.
fn prlhf_in(folder: &Path, args: &[&str]) -> Called {
    let child = Command::new(env!("CARGO_BIN_EXE_prlhf"))
        .args(args)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    ended(child.unwrap())
}

#[test]
fn a_run_with_relative_paths_is_used_from_anywhere_and_after_a_move() {
    let (here, elsewhere) = (fixture().fresh("project"), fixture().fresh("elsewhere"));
    fs::create_dir_all(here.path().join("models")).unwrap();
    fs::create_dir(elsewhere.path()).unwrap();
    copy_dir(&fixture().model, &here.path().join("models/m"));
    fs::copy(&fixture().data, here.path().join("data.jsonl")).unwrap();
    let text = fs::read_to_string(&fixture().config).unwrap();
    let text = text
        .replace(fixture().model.to_str().unwrap(), "models/m")
        .replace(fixture().data.to_str().unwrap(), "data.jsonl");
    fs::write(here.path().join("run.toml"), &text).unwrap();
    let train = ["train", "--config", "run.toml", "--out"];
    let sft = [&train[..], &["runs/sft", "--mode", "sft"]].concat();
    prlhf_in(here.path(), &sft).ok();
    let with = text.replace("[model]", "[model]\nadapters = \"runs/sft/adapters\"");
    fs::write(here.path().join("run.toml"), with).unwrap();
    prlhf_in(here.path(), &[&train[..], &["runs/a"]].concat()).ok();

    let generate = |folder: &Path, what: &str, run: &str| {
        let args = [
            "generate",
            what,
            run,
            "--user",
            "short",
            "--prompt",
            "Question 1: ",
            "--greedy",
        ];
        let limits = [
            "--set",
            "sampling.max_new_tokens=8",
            "--set",
            "prompt.max_response_length=32",
        ];
        prlhf_in(folder, &[&args[..], &limits].concat())
    };
    let expected = generate(here.path(), "--run", "runs/a").ok();
    let from_elsewhere = |project: &Path| {
        let (run, adapters) = (project.join("runs/a"), project.join("runs/a/adapters"));
        let (run, adapters) = (run.to_str().unwrap(), adapters.to_str().unwrap());
        assert_eq!(generate(elsewhere.path(), "--run", run).ok(), expected);
        assert_eq!(
            generate(elsewhere.path(), "--adapters", adapters).ok(),
            expected
        );
        let data = project.join("data.jsonl");
        let eval = [
            "eval",
            "--run",
            run,
            "--quality",
            "1",
            "--data",
            data.to_str().unwrap(),
        ];
        let shown = prlhf_in(elsewhere.path(), &eval).ok();
        assert!(!shown.contains("unknown"), "{shown}");
    };
    from_elsewhere(here.path());
    let moved = fixture().fresh("moved");
    fs::rename(here.path(), moved.path()).unwrap();
    from_elsewhere(moved.path());

    // What is nowhere is a missing folder, and no model of the hub.
    fs::rename(
        moved.path().join("models/m"),
        moved.path().join("models/gone"),
    )
    .unwrap();
    let run = moved.path().join("runs/a");
    let error = generate(elsewhere.path(), "--run", run.to_str().unwrap()).error();
    let model = moved.path().join("models/m");
    let missing = format!(
        "no model at `{}`: there is no such file or directory",
        model.display()
    );
    assert!(
        error.contains(&missing) && !error.contains("hub said"),
        "{error}"
    );
}

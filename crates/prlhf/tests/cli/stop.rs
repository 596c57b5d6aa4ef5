//! Ctrl-C, and what a system or a closed terminal sends.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::{comparisons, ended, fixture, started};

/// A configuration whose run ends when it is told to.
pub fn endless() -> PathBuf {
    fixture().config_with("[training]", "[training]\nepochs = 100000\nsave_every = 0")
}

/// Waits until a run has made steps.
pub fn wait_for_steps(out: &Path) {
    let metrics = out.join("metrics.jsonl");
    let has_begun = || fs::read_to_string(&metrics).is_ok_and(|text| text.contains("train"));
    let start = Instant::now();
    while !has_begun() && start.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal.
pub fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_run_that_is_asked_to_end_saves_and_says_how_to_go_on() {
    let config = endless();
    let config = config.to_str().unwrap();
    for signal in ["INT", "TERM", "HUP"] {
        let out = fixture().fresh(signal);
        let train = ["train", "--config", config, "--out", out.str()];
        let child = started(&train);
        wait_for_steps(out.path());
        send(&child, signal);
        let stopped = ended(child);
        assert_eq!(stopped.code, 130, "{signal}: {}", stopped.stderr);
        let way = format!("prlhf train --config {config} --out {} --resume", out.str());
        assert!(
            stopped.stderr.contains(&way),
            "{signal}: {}",
            stopped.stderr
        );
        assert!(
            out.path().join("checkpoint/state.json").is_file(),
            "{signal}"
        );
    }
}

#[test]
fn a_run_that_still_reads_its_data_ends_and_leaves_nothing() {
    let config = fixture().config.to_str().unwrap();
    for signal in ["INT", "TERM", "HUP"] {
        let out = fixture().fresh(&format!("reading-{signal}"));
        let set = ["--set", "data.train=[\"-\"]"];
        let train = ["train", "--config", config, "--out", out.str()];
        let child = started(&[&train[..], &set].concat());
        // Standard input stays open and says nothing.
        thread::sleep(Duration::from_millis(500));
        let start = Instant::now();
        send(&child, signal);
        let mut child = child;
        while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(20));
        }
        let stopped = ended(child);
        assert_eq!(stopped.code, 130, "{signal}: {}", stopped.stderr);
        assert!(
            stopped.stderr.contains("stopped"),
            "{signal}: {}",
            stopped.stderr
        );
        assert!(!out.path().exists(), "{signal}");
    }
}

/// The dashboard draws from a thread of its own, for which the command must leave standard output free.
#[test]
#[allow(clippy::print_stderr)]
fn a_run_on_a_terminal_shows_its_dashboard_and_ends() {
    let out = fixture().fresh("terminal");
    let config = fixture().config.to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_prlhf");
    let command = format!("{program} train --config {config} --out {}", out.str());
    let script = Command::new("script") // util-linux: a terminal of its own
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match script {
        Ok(child) => child,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: `script` cannot be started: {error}");
            return;
        }
        Err(error) => panic!("`script` cannot be started: {error}"),
    };
    let mut stdout = child.stdout.take().unwrap();
    let shown = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.read_to_end(&mut bytes); // A terminal that closes ends with an error.
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("the run does not end on a terminal");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let shown = shown.join().unwrap();
    assert!(shown.contains("Loss") || shown.contains("loss"), "{shown}");
    assert!(out.path().join("adapters").is_dir(), "{shown}");
}

#[test]
fn a_run_that_ignores_the_end_of_its_terminal_goes_on() {
    let out = fixture().fresh("nohup");
    let config = fixture().config.to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_prlhf");
    let command = format!(
        "trap '' HUP; {program} train --config {config} --out {} & kill -s HUP $!; wait $!",
        out.str()
    );
    let status = Command::new("sh").args(["-c", &command]).status();
    assert!(status.unwrap().success());
}

/// Starts the program with a folder of its own for temporary files.
fn started_with(temporary: &Path, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_prlhf"))
        .args(args)
        .env_remove("RUST_LOG")
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn an_evaluation_and_sampling_end_within_a_second_and_leave_nothing() {
    let users: Vec<String> = (0..3000).map(|number| format!("u{number}")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let data = fixture().file("many.jsonl", &comparisons(&users));
    let adapters = fixture().run.join("adapters");
    let on = [
        "--adapters",
        adapters.to_str().unwrap(),
        "--model",
        fixture().model.to_str().unwrap(),
        "--set",
        "prompt.max_response_length=32",
    ];
    let eval = ["eval", "--quality", "1", "--data", data.to_str().unwrap()];
    let prompts = "{\"prompt\": \"Question: is it so?\"}\n".repeat(20_000);
    let prompts = fixture().file("prompts.jsonl", &prompts);
    let generate = [
        "generate",
        "--prompts",
        prompts.to_str().unwrap(),
        "--max-new-tokens",
        "90",
    ];
    for (signal, call) in [
        ("INT", &eval[..]),
        ("TERM", &eval[..]),
        ("HUP", &generate[..]),
    ] {
        let temporary = fixture().fresh("tmp");
        fs::create_dir(temporary.path()).unwrap();
        let child = started_with(temporary.path(), &[call, &on].concat());
        let count = || fs::read_dir(temporary.path()).unwrap().count();
        let begun = Instant::now();
        while call[0] == "eval" && count() == 0 && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(300));
        let sent = Instant::now();
        send(&child, signal);
        let stopped = ended(child);
        assert!(
            sent.elapsed() < Duration::from_secs(3),
            "{signal}: {:?}",
            sent.elapsed()
        );
        assert_eq!(stopped.code, 130, "{signal}: {}", stopped.stderr);
        assert!(
            stopped.stderr.ends_with("stopped\n"),
            "{signal}: {}",
            stopped.stderr
        );
        assert_eq!(count(), 0, "{signal}");
    }
}

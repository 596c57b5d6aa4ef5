//! Ctrl-C, and what a system or a closed terminal sends.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::{ended, fixture, started};

#[test]
fn a_run_that_is_asked_to_end_saves_and_says_how_to_go_on() {
    let config = fixture().config_with("[training]", "[training]\nepochs = 100000\nsave_every = 0");
    let config = config.to_str().unwrap();
    for signal in ["INT", "TERM", "HUP"] {
        let out = fixture().fresh(signal);
        let train = ["train", "--config", config, "--out", out.str()];
        let child = started(&train);
        let metrics = out.path().join("metrics.jsonl");
        let has_begun = || fs::read_to_string(&metrics).is_ok_and(|text| text.contains("train"));
        let start = Instant::now();
        while !has_begun() && start.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(20));
        }
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
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

//! The folder of a run: `--force` replaces what runs wrote, once all is known to be good, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

fn bench(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(args)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), error)
}

/// A finished run, as far as names go, with a user's data in it.
fn run(dir: &Path) {
    for (name, text) in [
        (".prlhf-run", "{\"made\":[\"dpo\"]}"),
        ("config.toml", "seed = 1"),
        ("report.json", "{}"),
        ("dpo/result.json", "{}"),
        ("dpo/data.jsonl", "mine"),
    ] {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn force_removes_nothing_from_a_folder_that_is_no_run() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("photos")).unwrap();
    for name in ["config.toml", "photos/1.jpg"] {
        fs::write(home.path().join(name), "mine").unwrap();
    }
    let (code, error) = bench(&["tldr", "--out", home.path().to_str().unwrap(), "--force"]);
    assert_eq!(code, 1);
    assert!(error.contains("not of a run"), "{error}");
    for name in ["config.toml", "photos/1.jpg"] {
        assert_eq!(fs::read_to_string(home.path().join(name)).unwrap(), "mine");
    }
}

#[test]
fn force_removes_nothing_before_data_model_and_settings_are_known_to_be_good() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path());
    let out = ["tldr", "--force", "--out", dir.path().to_str().unwrap()];
    for (wrong, needle) in [
        (["--data", "/nonexistent"], "nonexistent"),
        (["--set", "lora.targets=[\"nope\"]"], "nope"),
        (["--set", "sampling.top_p=7.0"], "sampling.top_p"),
        (
            ["--set", "systems.pdpo-cluster.users.clusters=0"],
            "`systems.pdpo-cluster.users.clusters`",
        ),
        (["--set", "tiny.num_key_value_heads=3"], "tiny"),
        (["--config", "/nonexistent.toml"], "nonexistent"),
    ] {
        let (code, error) = bench(&[&out[..], &wrong].concat());
        assert_eq!(code, 1, "{wrong:?}");
        assert!(error.contains(needle), "{wrong:?}: {error}");
        for name in [
            "config.toml",
            "report.json",
            "dpo/result.json",
            "dpo/data.jsonl",
        ] {
            assert!(dir.path().join(name).exists(), "{wrong:?}: {name}");
        }
    }
}

#[test]
fn a_run_does_not_go_on_over_one_of_another_kind_and_leaves_it_whole() {
    for (name, text, needle) in [
        ("seed-0/clock", "5", "holds `seed-0`"),
        (
            "vanilla-dpo/made-with.json",
            "{\"seed\": 7}",
            "`seed` was 7 and is 0",
        ),
        ("model/made-with.json", "{\"data\": \"x\"}", "(`data`)"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path());
        let path = dir.path().join(name);
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let out = dir.path().to_str().unwrap();
        let (code, error) = bench(&["tldr", "--resume", "--out", out]);
        assert_eq!(code, 1, "{error}");
        assert!(error.contains(needle), "{needle}: {error}");
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(
            (read("report.json"), read("config.toml")),
            ("{}".into(), "seed = 1".into())
        );
    }
}

#[test]
fn files_that_the_run_reads_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path());
    let config = dir.path().join("config.toml");
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/tldr/tiny.toml"),
        &config,
    )
    .unwrap();
    let out = ["tldr", "--force", "--out", dir.path().to_str().unwrap()];
    let (code, error) = bench(&[&out[..], &["--config", config.to_str().unwrap()]].concat());
    assert_eq!(code, 1);
    assert!(error.contains("is read by this run"), "{error}");
    assert!(config.exists());
}

#[test]
fn a_key_in_the_address_of_a_judge_is_in_no_message() {
    for setting in [
        "judge.urll=https://a/v1?key=s3cr3t",
        "judge.url=https://me:s3cr3t@a/v1",
        "judge.url=ftp://a/v1?key=s3cr3t",
    ] {
        let (code, error) = bench(&["prism", "--set", "judge.model=m", "--set", setting]);
        assert_eq!(code, 1, "{setting}");
        assert!(
            error.contains("judge") && !error.contains("s3cr3t"),
            "{error}"
        );
    }
}

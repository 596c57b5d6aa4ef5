//! The TL;DR experiment on what the annotators of the files chose.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(out: &Path, more: &[&str]) -> Output {
    let settings = [
        "data.paths=[\"datasets/mini/tldr.jsonl\"]",
        "data.workers=4",
        "data.split_seeds=[0,1]",
        "data.train_limit=24",
        "data.test_limit=120",
        "tiny.sft.steps=2",
        "tiny.hidden_size=32",
        "training.epochs=1",
        "evaluation.prompts=1",
        "evaluation.quality_comparisons=4",
        "sampling.max_new_tokens=2",
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command
        .args(["tldr", "--annotators", "real", "--out"])
        .arg(out);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    command.args(more).current_dir(root).output().unwrap()
}

fn report(out: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(out.join("report.json")).unwrap()).unwrap()
}

#[test]
fn every_system_has_its_accuracy_with_intervals_and_nothing_is_claimed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let ended = bench(&out, &[]);
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let found = report(&out);
    assert_eq!(found["verdicts"], serde_json::json!({}));
    let systems = found["systems"].as_array().unwrap();
    let names: Vec<&str> = systems
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    let personal = ["pdpo-uniform", "pdpo-individual", "pdpo-cluster"];
    assert_eq!(
        names,
        [&["vanilla-dpo"][..], &personal, &["lora-per-worker"]].concat()
    );
    for system in systems {
        let accuracy = &system["accuracy"];
        assert!(accuracy["top"].is_f64(), "{system}");
        assert_eq!(accuracy["per_user"].as_object().unwrap().len(), 4);
        // A worker's own adapter knows nothing of the others.
        let knows_others = system["name"] != "lora-per-worker";
        assert_eq!(accuracy["generic"].is_f64(), knows_others, "{system}");
    }
    let [vanilla, each] =
        [&systems[0], &systems[4]].map(|s| s["trainable"]["llm"].as_u64().unwrap());
    assert_eq!(each, 4 * vanilla);
    let tables = found["tables"].as_array().unwrap();
    let titles: Vec<&str> = tables
        .iter()
        .map(|t| t["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        ["Accuracy on real annotators", "Difference from vanilla DPO"]
    );
    assert_eq!(tables[0]["rows"].as_array().unwrap().len(), 5);
    assert!(out.join("split-1/lora-per-worker/user-3/adapters").is_dir());

    // Nothing is left to do.
    let ended = bench(&out, &["--resume"]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    assert!(!told.contains("train "), "{told}");
    assert_eq!(report(&out)["systems"], found["systems"]);
}

#[test]
fn nobody_is_simulated() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    for (more, key) in [
        (["--population-seed", "1"], "`--population-seed`"),
        (
            ["--set", "data.minority_share=[0.2,0.3]"],
            "`data.minority_share`",
        ),
    ] {
        let ended = bench(&out, &more);
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && error.contains(key), "{error}");
        assert!(!out.exists());
    }
}

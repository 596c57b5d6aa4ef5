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
        [
            &["vanilla-dpo"][..],
            &personal,
            &["lora-per-worker", "vanilla-rm", "prm-individual"]
        ]
        .concat()
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
        [
            "Accuracy on real annotators",
            "Difference from vanilla DPO",
            "Reward models against P-DPO",
            "Responses by worker"
        ]
    );
    assert_eq!(tables[0]["rows"].as_array().unwrap().len(), 7);
    assert!(out.join("split-1/lora-per-worker/user-3/adapters").is_dir());

    // A run that was killed between two workers goes on with the next.
    let each = out.join("split-1/lora-per-worker");
    for file in ["made-with.json", "result.json", "metrics.jsonl"] {
        fs::remove_file(each.join(file)).unwrap();
    }
    for user in ["user-2", "user-3"] {
        fs::remove_dir_all(each.join(user)).unwrap();
    }
    let adapters = each.join("user-0/adapters/adapter_model.safetensors");
    let before = fs::metadata(&adapters).unwrap().modified().unwrap();
    let ended = bench(&out, &["--resume"]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    assert_eq!(accuracies(&report(&out)), accuracies(&found));
    assert_eq!(fs::metadata(&adapters).unwrap().modified().unwrap(), before);

    // Nothing is left to do.
    let ended = bench(&out, &["--resume"]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    assert!(!told.contains("validation "), "{told}");

    // Another way of training is another run.
    let other = [
        "--resume",
        "--set",
        "systems.lora-per-worker.adapter_per_user=false",
    ];
    let ended = bench(&out, &other);
    let error = String::from_utf8_lossy(&ended.stderr);
    assert!(
        !ended.status.success() && error.contains("`adapter_per_user` was true"),
        "{error}"
    );

    // All of it again, with nothing of the old run and all of a user's.
    fs::write(out.join("notes.txt"), "mine").unwrap();
    let ended = bench(&out, &["--force", "--systems", "vanilla-dpo"]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    assert!(out.join("notes.txt").exists() && !each.exists());
}

fn accuracies(report: &Value) -> Vec<Value> {
    let systems = report["systems"].as_array().unwrap().iter();
    systems.map(|system| system["accuracy"].clone()).collect()
}

#[test]
fn a_preset_without_real_annotators_is_named() {
    let ended = bench(Path::new("unused"), &["--preset", "paper"]);
    let error = String::from_utf8_lossy(&ended.stderr);
    assert!(
        error.contains("preset `paper` has no variant `real`"),
        "{error}"
    );
}

#[test]
fn nobody_is_simulated() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    for (more, key) in [
        (["--population-seed", "1"], "`data.population_seed`"),
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

//! The `paper` presets from data to report, with the paper's numbers; only data, model and texts are small.

mod models;
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A finished run of a `paper` preset.
struct Run {
    dir: tempfile::TempDir,
    output: String,
}

impl Run {
    fn new(experiment: &str, model: fn(&Path), data: &str, settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("model");
        fs::create_dir(&made).unwrap();
        model(&made);
        let short = [
            "sampling.max_new_tokens=8",
            "evaluation.prompts=2",
            "evaluation.quality_comparisons=4",
            "data.test_limit=12",
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
        command.args([experiment, "--preset", "paper", "--data", data]);
        command.arg("--model").arg(&made);
        command.arg("--out").arg(dir.path().join("run"));
        for setting in short.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let output = command.current_dir(root).output().unwrap();
        let [out, error] = [&output.stdout, &output.stderr].map(|s| String::from_utf8_lossy(s));
        assert!(output.status.success(), "{out}\n{error}");
        Self {
            output: out.into_owned(),
            dir,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("run").join(name)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.file(name)).unwrap()).unwrap()
    }

    /// What the run wrote down of its settings.
    fn config(&self) -> toml::Table {
        let text = fs::read_to_string(self.file("config.toml")).unwrap();
        toml::from_str(&text).unwrap()
    }

    /// That every system is in the report, that the trained ones made `steps` steps with so many weights of the LLM, and that
    /// vanilla DPO did so from a loss of log 2.
    fn assert_systems(&self, systems: &[&str], steps: u64, llm: u64) {
        let report = self.json("report.json");
        let found = report["systems"].as_array().unwrap();
        let names: Vec<&str> = found.iter().map(|s| s["name"].as_str().unwrap()).collect();
        assert_eq!(names, systems);
        for name in systems {
            let result = self.json(&format!("{name}/result.json"));
            let texts = result["texts"].as_array().unwrap();
            assert!(!texts.is_empty(), "{name}");
            let kl = &result["kl"];
            assert!(kl.as_f64().is_some_and(f64::is_finite), "{name}: {kl}");
            if ["sft", "oracle"].contains(name) {
                continue;
            }
            assert_eq!(result["steps"], steps, "{name}");
            assert_eq!(result["trainable"]["llm"], llm, "{name}");
            let rewards = result["rewards"].as_array().unwrap();
            assert!(rewards.len() >= 6, "{name}");
        }
        // Without soft tokens the policy begins as the reference, in 16 bits as well.
        let metrics = fs::read_to_string(self.file("vanilla-dpo/metrics.jsonl")).unwrap();
        let first: Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
        let loss = first["loss"].as_f64().unwrap();
        assert!((loss - std::f64::consts::LN_2).abs() < 0.02, "{loss}");
    }
}

/// 48 comparisons are two steps of 32 an epoch, and there are two epochs.
#[test]
fn tldr_on_a_tiny_gpt_j_with_the_whole_vocabulary() {
    let data = "datasets/mini/tldr.jsonl";
    let run = Run::new("tldr", models::gpt_j, data, &["data.train_limit=48"]);
    // Rank 8: in each of two blocks four layers of 16 + 16 and two of 16 + 64, and 50400 + 16 for the embedding.
    let llm = 8 * (2 * (4 * 32 + 2 * 80) + 50_416);
    let systems = ["sft", "vanilla-dpo", "pdpo-individual", "pdpo-cluster"];
    run.assert_systems(&systems, 4, llm);
    let config = run.config();
    assert_eq!(config["training"]["batch"].as_integer(), Some(32));
    assert_eq!(config["training"]["warmup_steps"].as_integer(), Some(150));
    assert_eq!(config["lora"]["dropout"].as_float(), Some(0.05));
    let users = |name: &str| run.json(&format!("{name}/result.json"))["trainable"]["users"].clone();
    // Ten soft tokens of 16 numbers: e_0 and ten users; five clusters and eleven rows of weights, the generic one with them.
    assert_eq!(users("pdpo-individual"), 160 * 11);
    assert_eq!(users("pdpo-cluster"), 160 * 5 + 11 * 5);
    assert!(run.output.contains("Expected: about"), "{}", run.output);
}

#[test]
fn psoups_on_a_tiny_llama_with_the_whole_vocabulary() {
    let run = Run::new(
        "psoups",
        models::llama,
        "datasets/mini/psoups",
        &["data.train_limit=48"],
    );
    // q, k and v in each of two blocks.
    let llm = 2 * 3 * 8 * 32;
    run.assert_systems(&["sft", "oracle", "vanilla-dpo", "pdpo-individual"], 4, llm);
    let config = run.config();
    let checkpointing = &config["training"]["gradient_checkpointing"];
    assert_eq!(checkpointing.as_str(), Some("blocks"));
}

#[test]
fn prism_on_a_tiny_llama_3_with_the_whole_vocabulary() {
    let run = Run::new(
        "prism",
        models::llama_3,
        "datasets/mini/prism",
        &["data.train_limit=34", "training.eval_limit=6"],
    );
    // q of 16 + 16, k and v of 16 + 8, as there is one head of keys, in each of two blocks; one epoch.
    let llm = 2 * 8 * (32 + 2 * 24);
    let systems = [
        "vanilla-dpo",
        "pdpo-individual",
        "pdpo-cluster",
        "pdpo-cluster-no-text",
    ];
    run.assert_systems(&systems, 2, llm);
}

/// The same on a CPU with less memory than a step takes.
#[test]
fn a_step_that_does_not_fit_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    fs::create_dir(&model).unwrap();
    models::long_llama(&model);
    let out = dir.path().join("run");
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args([
            "psoups",
            "--preset",
            "paper",
            "--data",
            "datasets/mini/psoups",
        ])
        .arg("--model")
        .arg(&model)
        .arg("--out")
        .arg(&out)
        .args(["--user-tokens", "300000"])
        .args(["--set", "prompt.max_prompt_length=310000"])
        .args(["--systems", "pdpo-individual"])
        .args(["--set", "systems.pdpo-individual.users.init=zeros"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("lower training.micro_rows"), "{error}");
    assert!(!out.exists());
}

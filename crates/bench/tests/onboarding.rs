//! Users who come once everybody else is trained, and all ways to serve them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const SMALL: [&str; 11] = [
    "tiny.sft.steps=2",
    "tiny.hidden_size=32",
    "training.epochs=1",
    "training.max_steps=2",
    "evaluation.prompts=1",
    "evaluation.quality_comparisons=4",
    "sampling.max_new_tokens=2",
    "data.newcomers.users=2",
    "data.newcomers.answers=[1,2]",
    "data.newcomers.tests=4",
    "data.newcomers.alternatives.adapters={answers=[2],epochs=1}",
];

fn report(out: &Path, more: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(["onboarding", "--out"]).arg(out);
    for setting in SMALL {
        command.args(["--set", setting]);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ended = command.args(more).current_dir(root).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    serde_json::from_str(&fs::read_to_string(out.join("report.json")).unwrap()).unwrap()
}

/// The ways in which a system served newcomers, with the number of answers.
fn ways<'a>(report: &'a Value, system: &str) -> Vec<(&'a str, u64, &'a Value)> {
    let served = report["new_users"].as_array().unwrap().iter();
    let of_system = served.filter(|served| served["system"] == system);
    of_system
        .map(|served| {
            let as_ = served["served_as"].as_str().unwrap();
            (as_, served["answers"].as_u64().unwrap(), served)
        })
        .collect()
}

fn names<'a>(ways: &[(&'a str, u64, &Value)]) -> Vec<(&'a str, u64)> {
    ways.iter()
        .map(|(name, answers, _)| (*name, *answers))
        .collect()
}

#[test]
fn every_way_says_what_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        "--set",
        "data.newcomers.alternatives.length_rule=true",
        "--set",
        "data.train_limit=24",
        "--set",
        "data.test_limit=24",
        "--systems",
        "sft,vanilla-dpo,dpo-profile,pdpo-individual,pdpo-individual-all",
    ];
    let found = report(&dir.path().join("run"), &settings);
    let vanilla = ways(&found, "vanilla-dpo");
    let in_words_and_as_they_are = [
        ("profile in words", 1),
        ("profile in words", 2),
        ("answers in the prompt", 1),
        ("answers in the prompt", 2),
        ("nearest answers in the prompt", 1),
        ("nearest answers in the prompt", 2),
    ];
    let expected = [
        &[
            ("generic user", 0),
            ("rule of length", 1),
            ("rule of length", 2),
        ][..],
        &in_words_and_as_they_are,
        &[("adapters of their own", 2)],
    ];
    assert_eq!(names(&vanilla), expected.concat());
    for (name, answers, served) in vanilla {
        let (tokens, shown) = (&served["tokens"], &served["shown"]);
        match name {
            // Both groups want what the rule says, from the first answer on.
            "rule of length" => assert_eq!(served["accuracy"]["value"], 1.0),
            "profile in words" => assert!(tokens.as_f64() > Some(0.0), "{served}"),
            "generic user" | "adapters of their own" => assert_eq!(*tokens, 0.0),
            _ => {
                assert_eq!(shown.as_f64(), Some(answers as f64), "all fit");
                assert!(tokens.as_f64() > Some(10.0), "{served}");
            }
        }
        assert_eq!(
            served["seconds"].is_null(),
            name == "generic user",
            "{served}"
        );
    }
    let profiled = names(&ways(&found, "dpo-profile"));
    let expected = [
        ("generic user", 0),
        ("rule of length", 1),
        ("rule of length", 2),
        ("profile in words", 1),
        ("profile in words", 2),
    ];
    assert_eq!(profiled, expected);
    // The reference prefers nothing by itself.
    let reference = names(&ways(&found, "sft"));
    assert_eq!(reference[0], ("rule of length", 1));
    for (name, _, served) in ways(&found, "pdpo-individual") {
        assert_eq!(served["tokens"], 10.0, "{name}: ten soft tokens");
    }
    let all = ways(&found, "pdpo-individual-all");
    assert_eq!(names(&all), [("trained from the start", 2)]);
    assert!(found["verdicts"]["n10"].is_object());
}

#[test]
fn of_real_annotators_nothing_is_claimed() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        "--annotators",
        "real",
        "--data",
        "datasets/mini/tldr.jsonl",
        "--set",
        "data.workers=4",
        "--set",
        "data.split_seeds=[0,1]",
        "--set",
        "data.train_limit=24",
        "--systems",
        "vanilla-dpo,pdpo-individual",
    ];
    let found = report(&dir.path().join("run"), &settings);
    assert_eq!(found["verdicts"], json!({}));
    let fitted = ways(&found, "pdpo-individual");
    let fitted = fitted.iter().find(|(name, ..)| *name == "fitted").unwrap();
    // Two newcomers, four tests, two splits.
    assert_eq!(fitted.2["accuracy"]["n"], 16);
}

#[test]
fn unseen_users_of_prism_answer_turns_of_their_dialogues() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        "--of",
        "prism",
        "--set",
        "data.train_limit=24",
        "--set",
        "data.test_limit=24",
        "--systems",
        "vanilla-dpo,pdpo-individual",
    ];
    let found = report(&dir.path().join("run"), &settings);
    assert_eq!(found["verdicts"], json!({}));
    let fitted = names(&ways(&found, "pdpo-individual"));
    for way in [("generic user", 0), ("fitted", 1), ("fitted", 2)] {
        assert!(fitted.contains(&way), "{fitted:?}");
    }
}

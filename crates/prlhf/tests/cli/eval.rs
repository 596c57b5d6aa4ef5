//! `prlhf eval` and `prlhf eval --compare`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixture::{self, Place, fixture, prlhf};

/// 24 comparisons of two users that were trained on and one stranger.
fn data() -> PathBuf {
    let text = fixture::comparisons(&["short", "long", "stranger"]);
    fixture().file("test.jsonl", &text)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Evaluates a run on `data`: what was printed, the JSON file, what it holds.
fn eval(run: &str, data: &Path, more: &[&str]) -> (String, Place, Value) {
    let json = fixture().fresh("eval.json");
    let data = data.to_str().unwrap();
    let args = ["eval", "--run", run, "--data", data, "--json", json.str()];
    let text = prlhf(&[&args[..], more].concat()).ok();
    let value = read(json.path());
    (text, json, value)
}

fn run() -> &'static str {
    fixture().run.to_str().unwrap()
}

#[test]
fn users_and_prompts_are_told_apart() {
    let (text, _, report) = eval(run(), &data(), &[]);
    assert!(text.contains("unseen users (1, as generic)"), "{text}");
    assert!(
        text.contains("seen prompts") && text.contains("Brier score"),
        "{text}"
    );
    assert_eq!(report["all"]["comparisons"], 24);
    assert_eq!(report["seen"]["comparisons"], 16);
    assert_eq!(report["unseen"]["comparisons"], 8);
    assert_eq!(report["users"]["stranger"]["seen"], false);
    assert_eq!(report["users"]["long"]["seen"], true);
    assert_eq!(report["over_users"]["all"]["users"], 3);
    assert!(report["kl"].as_f64().unwrap() > -1e-4);

    // The validation share was held out: its prompts are unseen ones.
    let rows = report["rows"].as_array().unwrap();
    let cell = |user: bool, prompt: bool| {
        let inside = |r: &&Value| r["seen_user"] == user && r["seen_prompt"] == prompt;
        rows.iter().filter(inside).count()
    };
    for (user, users) in [(true, "seen_users"), (false, "unseen_users")] {
        for (prompt, prompts) in [(true, "seen_prompts"), (false, "unseen_prompts")] {
            assert!(cell(user, prompt) > 0);
            assert_eq!(
                report["grid"][users][prompts]["comparisons"],
                cell(user, prompt)
            );
        }
    }
    assert!(report["training_data"]["known"]["comparisons"].as_u64() < Some(16));
}

#[test]
fn every_comparison_has_a_row_from_which_the_figures_follow() {
    let (_, _, report) = eval(run(), &data(), &[]);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 24);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["index"], index);
        let reward = |side: &str| row[side].as_f64().unwrap();
        let right = reward("reward_chosen") > reward("reward_rejected");
        assert_eq!(row["correct"], right);
    }
    let right = rows.iter().filter(|row| row["correct"] == true).count();
    assert_eq!(report["all"]["correct"], right);
    let accuracy = report["all"]["accuracy"].as_f64().unwrap();
    let interval = &report["all"]["interval"];
    assert!(interval["low"].as_f64().unwrap() <= accuracy);
    assert!(interval["high"].as_f64().unwrap() >= accuracy);
    let bins = report["calibration"]["bins"].as_array().unwrap();
    let inside: u64 = bins
        .iter()
        .map(|bin| bin["comparisons"].as_u64().unwrap())
        .sum();
    assert_eq!((bins.len(), inside), (10, 24));
}

#[test]
fn training_data_that_is_named_tells_prompts_apart() {
    let named = ["--training-data", fixture().data.to_str().unwrap()];
    let (_, _, report) = eval(run(), &data(), &named);
    assert_eq!(report["training_data"]["known"]["comparisons"], 16);
    assert_eq!(
        report["grid"]["seen_users"]["seen_prompts"]["comparisons"],
        16
    );
    assert_eq!(
        report["grid"]["unseen_users"]["unseen_prompts"]["comparisons"],
        0
    );
}

#[test]
fn training_data_that_is_gone_is_told_and_leaves_users_only() {
    let copy = fixture().copy_of_run();
    let config = copy.path().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("data.jsonl", "gone.jsonl")).unwrap();
    let (text, _, report) = eval(copy.str(), &data(), &[]);
    assert!(
        text.contains("not told apart") && text.contains("gone.jsonl"),
        "{text}"
    );
    assert!(!text.contains("seen prompts  unseen"), "{text}");
    assert!(report["grid"].is_null());
    assert_eq!(report["seen"]["comparisons"], 16);
}

#[test]
fn two_runs_stand_side_by_side() {
    let (data, other, json) = (
        data(),
        fixture().fresh("seed-1"),
        fixture().fresh("versus.json"),
    );
    let data = data.to_str().unwrap();
    let config = fixture().config_with("[training]", "[training]\nmax_steps = 2");
    let config = config.to_str().unwrap();
    prlhf(&[
        "train",
        "--config",
        config,
        "--out",
        other.str(),
        "--seed",
        "1",
    ])
    .ok();
    let adapters = other.path().join("adapters");
    let adapters = adapters.to_str().unwrap();
    let args = [
        "eval",
        "--data",
        data,
        "--config",
        config,
        "--json",
        json.str(),
        "--compare",
        run(),
        adapters,
    ];
    let text = prlhf(&args).ok();
    for part in [
        "A            ",
        "B            ",
        "mean over users",
        "better with B",
        "2000 draws",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let versus = read(json.path());
    assert_eq!(versus["all"]["comparisons"], 24);
    assert_eq!(versus["users"].as_object().unwrap().len(), 3);
    assert_eq!(versus["rows"].as_array().unwrap().len(), 24);

    // The same from earlier files, in either order, without a model.
    let (_, a, _) = eval(run(), Path::new(data), &[]);
    let (_, b, _) = eval(other.str(), Path::new(data), &[]);
    let again = fixture().fresh("again.json");
    prlhf(&["eval", "--compare", a.str(), b.str(), "--json", again.str()]).ok();
    let again = read(again.path());
    for key in ["all", "seen", "unseen", "users", "comparisons_hash"] {
        assert_eq!(again[key], versus[key], "{key}");
    }
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let (_, json, _) = eval(run(), &data(), &[]);
    let text = prlhf(&["eval", "--compare", json.str(), json.str()]).ok();
    assert!(text.contains("+0.000  [+0.000, +0.000]"), "{text}");
    assert!(
        text.contains("0 better with A, 0 better with B, 3 the same"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (_, all, _) = eval(run(), &data(), &[]);
    let (_, some, _) = eval(
        run(),
        &fixture().file("some.jsonl", &fixture::comparisons(&["short"])),
        &[],
    );
    let compare = |a: &str, b: &str| prlhf(&["eval", "--compare", a, b]).error();
    let error = compare(all.str(), some.str());
    assert!(
        error.contains("16 only in the first, 0 only in the second, 8 in both"),
        "{error}"
    );
    let error = compare(all.str(), run());
    assert!(error.contains("with --data"), "{error}");
    let error = compare(all.str(), "nowhere");
    assert!(
        error.contains("nowhere is neither a file nor a folder"),
        "{error}"
    );
    let error = compare(all.str(), fixture().config.to_str().unwrap());
    assert!(
        error.contains("run.toml: expected a file that `prlhf eval --json` wrote"),
        "{error}"
    );
    let text = fs::read_to_string(all.path()).unwrap();
    let changed = text.replacen("\"id\": \"", "\"id\": \"f", 1);
    let changed = fixture().file("changed.json", &changed);
    let error = compare(all.str(), changed.to_str().unwrap());
    assert!(error.contains("the file was changed"), "{error}");
}

#[test]
fn eval_needs_something_to_evaluate_and_something_to_evaluate_it_on() {
    assert_eq!(prlhf(&["eval", "--data", "x.jsonl"]).code, 2);
    assert_eq!(prlhf(&["eval", "--run", run()]).code, 2);
    assert_eq!(prlhf(&["eval", "--compare", "a.json"]).code, 2);
    let both = ["eval", "--run", run(), "--compare", "a.json", "b.json"];
    assert_eq!(prlhf(&both).code, 2);
}

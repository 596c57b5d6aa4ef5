//! `prlhf train --mode reward`, and what uses what it leaves.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::fixture::{Called, comparisons, copy_dir, fixture, prlhf};

/// A finished reward run whose users' vectors are the heads.
pub fn run() -> &'static str {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    let run = RUN.get_or_init(|| {
        let place = fixture().fresh("reward");
        train(place.str(), &[]).ok();
        place.path().to_owned()
    });
    run.to_str().unwrap()
}

fn train(out: &str, more: &[&str]) -> Called {
    let args = [
        "train",
        "--config",
        fixture().config.to_str().unwrap(),
        "--mode",
        "reward",
        "--out",
        out,
    ];
    let set = [
        "--set",
        "reward.head=user",
        "--set",
        "users.user_tokens=1",
        "--set",
        "users.init=zeros",
        "--set",
        "training.epochs=6",
        "--set",
        "training.eval_every=0",
        "--set",
        "training.learning_rate=1e-2",
    ];
    prlhf(&[&args[..], &set, more].concat())
}

fn rows(text: &str) -> Vec<serde_json::Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_reward_run_is_evaluated_compared_and_described() {
    let data = fixture().file("test.jsonl", &comparisons(&["long", "short", "nobody"]));
    let (data, json) = (data.to_str().unwrap(), fixture().fresh("eval.json"));
    let done = prlhf(&["eval", "--run", run(), "--data", data, "--json", json.str()]).ok();
    assert!(done.contains("loss ") && !done.contains("kl "), "{done}");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(json.path()).unwrap()).unwrap();
    assert!(report["kl"].is_null() && report["nll"].is_null());
    // Two users who want the opposite of each other.
    for user in ["long", "short"] {
        assert_eq!(
            report["users"][user]["accuracy"], 1.0,
            "{}",
            report["users"]
        );
    }
    let writer = fixture().run.to_str().unwrap();
    let done = prlhf(&["eval", "--compare", writer, run(), "--data", data]).ok();
    assert!(done.contains(run()), "{done}");
    let done = prlhf(&["inspect", run()]).ok();
    assert!(
        done.contains("a reward model whose heads are the users' vectors"),
        "{done}"
    );
    assert!(done.contains("1 vector that is the head"), "{done}");
    let config = fixture().config.to_str().unwrap();
    prlhf(&["check", "--config", config, "--no-estimate"]).ok();
}

#[test]
fn texts_have_rewards_each_of_its_user() {
    let text = |user: &str, key: &str, response: &str| {
        format!(
            "{{\"prompt\": \"Question 1: is it so? Answer: \", \"{key}\": \"{response}\"{user}}}\n"
        )
    };
    let long = "yes, and there is a lot more to be said about it.";
    let [by_short, by_long, by_nobody] =
        ["short", "long", "nobody"].map(|user| format!(", \"user\": \"{user}\""));
    let texts = [
        text(&by_short, "response", "yes."),
        text(&by_short, "completion", long),
        text(&by_long, "response", "yes."),
        text(&by_long, "response", long),
        text(&by_nobody, "response", long),
        text("", "response", long),
    ];
    let file = fixture().file("texts.jsonl", &texts.concat());
    let called = prlhf(&["score", "--run", run(), "--data", file.to_str().unwrap()]);
    let rows = rows(&called.ok());
    let reward = |at: usize| rows[at]["reward"].as_f64().unwrap();
    assert!(reward(0) > reward(1) && reward(3) > reward(2), "{rows:?}");
    assert_eq!(reward(4), reward(5));
    assert_eq!(
        [4, 5].map(|at| rows[at]["known"].as_bool()),
        [Some(false); 2]
    );
    assert_eq!(
        (rows[0]["user"].as_str(), rows[0]["known"].as_bool()),
        (Some("short"), Some(true))
    );
    assert_eq!(rows[1]["response"], long);
    assert!(
        called.stderr.contains("1 of 6 texts are of users"),
        "{}",
        called.stderr
    );
    let writer = fixture().run.to_str().unwrap();
    let error = prlhf(&["score", "--run", writer, "--data", file.to_str().unwrap()]).error();
    assert!(error.contains("no reward model's"), "{error}");
    let pairs = fixture().data.to_str().unwrap();
    let error = prlhf(&["score", "--run", run(), "--data", pairs]).error();
    assert!(error.contains("`completion`"), "{error}");
}

#[test]
fn the_best_of_several_responses_is_kept() {
    let writer = fixture().run.to_str().unwrap();
    let args = [
        "generate",
        "--run",
        writer,
        "--user",
        "short",
        "--user",
        "long",
        "--prompt",
        "Question 1: is it so? Answer: ",
        "--json",
    ];
    let best = ["--best-of", "4", "--reward", run()];
    let called = prlhf(&[&args[..], &best].concat());
    let found = rows(&called.ok());
    for row in &found {
        let rewards: Vec<f64> = serde_json::from_value(row["rewards"].clone()).unwrap();
        let most = rewards.iter().copied().fold(f64::MIN, f64::max);
        assert_eq!((rewards.len(), row["reward"].as_f64()), (4, Some(most)));
    }
    assert!(
        called
            .stderr
            .contains("than the mean of what they were chosen from"),
        "{}",
        called.stderr
    );
    // A sample is what its seed alone gives.
    let seeds = ["0", "1", "2", "3"].map(|seed| {
        let alone = prlhf(&[&args[..], &["--seed", seed]].concat()).ok();
        rows(&alone)[0]["response"].clone()
    });
    let rewards = found[0]["rewards"].as_array().unwrap();
    let at = rewards
        .iter()
        .position(|reward| *reward == found[0]["reward"]);
    assert_eq!(seeds[at.unwrap()], found[0]["response"]);

    for (more, expected) in [
        (&["--best-of", "1", "--reward", run()][..], "--best-of is 1"),
        (
            &["--best-of", "2", "--reward", run(), "--greedy"],
            "greedy decoding",
        ),
        (&["--best-of", "2", "--reward", writer], "no reward model's"),
    ] {
        let error = prlhf(&[&args[..], more].concat()).error();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_reward_model_writes_nothing_and_is_not_merged() {
    let error = prlhf(&["generate", "--run", run(), "--prompt", "Hello"]).error();
    assert!(error.contains("ranks texts and writes none"), "{error}");
    let error = prlhf(&["chat", "--run", run()]).error();
    assert!(error.contains("ranks texts and writes none"), "{error}");
    let error = prlhf(&["merge", "--run", run()]).error();
    assert!(error.contains("without its head"), "{error}");
    let adapters = format!("model.adapters={:?}", run());
    let config = fixture().config.to_str().unwrap();
    let base = ["check", "--config", config, "--set", &adapters];
    let error = prlhf(&base).error();
    assert!(
        error.contains("adapters are a reward model's") && error.contains("without its head"),
        "{error}"
    );
    let copy = fixture().fresh("thumbs");
    let thumbs = fixture().file(
        "thumbs.jsonl",
        "{\"prompt\": \"a\", \"completion\": \"b\", \"label\": true, \"user\": \"short\"}\n",
    );
    let set = format!("data.train=[{thumbs:?}]");
    let error = train(
        copy.str(),
        &["--set", &set, "--set", "data.validation_share=0"],
    )
    .error();
    assert!(error.contains("1 of the data are thumbs"), "{error}");
}

#[test]
fn check_looks_at_what_the_mode_trains() {
    let config = fixture().config.to_str().unwrap();
    let check = |more: &[&str]| prlhf(&[&["check", "--config", config], more].concat());
    let memory = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("  memory "));
        line.unwrap().to_owned()
    };
    let plain = check(&["--no-estimate"]).ok();
    let reward = check(&["--mode", "reward", "--set", "objective.beta=0.3"]).ok();
    assert_ne!(memory(&reward), memory(&plain)); // No logits.
    for part in [
        "0 s for reference log-probs",
        "warning: `objective.beta` is set, which has no effect with --mode reward",
        "trainable: yes",
    ] {
        assert!(reward.contains(part), "{part}: {reward}");
    }
    let sft = check(&["--mode", "sft", "--set", "sft.steps=7"]).ok();
    assert!(sft.contains("for 7 steps"), "{sft}");
    let error = check(&["--mode", "reward", "--set", "reward.head=user"]).error();
    assert!(error.contains("`users.user_tokens`"), "{error}");
    let error = check(&["--mode", "reward", "--set", "lora.targets=[]"]).error();
    assert!(error.contains("lora.targets"), "{error}");
}

#[test]
fn a_head_that_does_not_go_with_the_users_is_refused_by_its_key() {
    let out = fixture().fresh("refused");
    for (set, expected) in [
        (
            "users.user_tokens=2",
            "`users.user_tokens` is 2, expected 1",
        ),
        ("users.init=vocabulary", "`users.init` is vocabulary"),
        ("users.kind=prefix", "`users.kind` is prefix"),
        (
            "reward.center_rewards_coefficient=-1",
            "`reward.center_rewards_coefficient` is -1",
        ),
        ("reward.hed=user", "unknown field `hed`"),
    ] {
        let error = train(out.str(), &["--set", set]).error();
        assert!(error.contains(expected), "{set}: {error}");
        assert!(!out.path().exists());
    }
    let idle = train(out.str(), &["--set", "objective.beta=0.2"]);
    idle.ok();
    assert!(
        idle.stderr
            .contains("`objective.beta` is set, which has no effect"),
        "{}",
        idle.stderr
    );
}

#[test]
fn a_new_user_of_a_reward_model_is_fitted_from_answers() {
    let copy = fixture().fresh("run");
    copy_dir(run().as_ref(), copy.path());
    let answers = comparisons(&["short"]).replace("\"short\"", "\"emma\"");
    let answers = fixture().file("answers.jsonl", &answers);
    let args = ["--user", "emma", "--data", answers.to_str().unwrap()];
    let done = prlhf(&[&["users", "fit", "--run", copy.str()][..], &args].concat()).ok();
    assert!(done.contains("8 of 8 answers as given"), "{done}");
    let json = fixture().fresh("eval.json");
    let data = answers.to_str().unwrap();
    prlhf(&[
        "eval",
        "--run",
        copy.str(),
        "--data",
        data,
        "--json",
        json.str(),
    ])
    .ok();
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(json.path()).unwrap()).unwrap();
    assert_eq!(report["users"]["emma"]["accuracy"], 1.0);
}

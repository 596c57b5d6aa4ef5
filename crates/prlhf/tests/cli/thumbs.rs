//! Thumbs from file to evaluation.

use std::fmt::Write as _;

use crate::fixture::{fixture, prlhf};

/// Eight thumbs of each user, half of them up; `short` likes short answers, everyone else long ones.
fn thumbs() -> String {
    let mut text = String::new();
    for (user, liked) in [("long", "yes, and more."), ("short", "yes.")] {
        for number in 0..8 {
            let label = number % 2 == 0;
            let other = if user == "long" {
                "yes."
            } else {
                "yes, and more."
            };
            let row = serde_json::json!({
                "prompt": format!("Question {number}: is it so? Answer: "),
                "completion": if label { liked } else { other },
                "label": label,
                "user": user,
            });
            writeln!(text, "{row}").unwrap();
        }
    }
    text
}

/// `--set` keys of a run on them with a loss.
fn settings(loss: &str) -> [String; 2] {
    let data = fixture().file("thumbs.jsonl", &thumbs());
    [
        format!("data.train=[{data:?}]"),
        format!("objective.loss={loss}"),
    ]
}

fn arguments<'a>(command: &'a str, [data, loss]: &'a [String; 2]) -> Vec<&'a str> {
    let config = fixture().config.to_str().unwrap();
    vec![command, "--config", config, "--set", data, "--set", loss]
}

#[test]
fn thumbs_are_checked_trained_and_evaluated() {
    let set = settings("kto");
    let checked = [arguments("check", &set), vec!["--show", "2"]].concat();
    let checked = prlhf(&checked).ok();
    for part in [
        "thumbs                     16  (8 up, 8 down)",
        "\n  thumb ",
        "trainable: yes",
    ] {
        assert!(checked.contains(part), "{part}: {checked}");
    }

    let run = fixture().fresh("run");
    let call = [arguments("train", &set), vec!["--out", run.str()]].concat();
    prlhf(&call).ok();
    let done = prlhf(&[call, vec!["--resume"]].concat()).ok();
    assert!(done.contains("3 done"), "{done}");

    let data = fixture().file("test.jsonl", &thumbs());
    let report = fixture().fresh("eval.json");
    let eval = ["eval", "--run", run.str(), "--json", report.str(), "--data"];
    let shown = prlhf(&[&eval[..], &[data.to_str().unwrap()]].concat()).ok();
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
    assert_eq!(report["all"]["comparisons"], 16, "{shown}");
    // A response that does not exist has no reward.
    for row in report["rows"].as_array().unwrap() {
        let rewards = ["reward_chosen", "reward_rejected"].map(|key| row[key].as_f64().unwrap());
        assert!(rewards.contains(&0.0) && rewards != [0.0, 0.0], "{row}");
    }
}

/// Operations that `check` counts of a run.
fn operations(loss: &str) -> f64 {
    let set = settings(loss);
    let call = [arguments("check", &set), vec!["--no-estimate"]].concat();
    let checked = prlhf(&call).ok();
    let before = checked.split(" operations").next().unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_passes_of_a_kl_term_are_counted() {
    let (with, without) = (operations("kto"), operations("apo_zero_unpaired"));
    assert!(
        with > 1.1 * without && with < 2.0 * without,
        "{with} and {without}"
    );
}

#[test]
fn a_loss_that_compares_refuses_thumbs() {
    let set = settings("dpo");
    let out = fixture().fresh("refused");
    for (command, more) in [("check", vec![]), ("train", vec!["--out", out.str()])] {
        let error = prlhf(&[arguments(command, &set), more].concat()).error();
        for part in [
            "`objective.loss` is dpo",
            "16 of the data",
            "kto, apo_zero_unpaired",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    assert!(!out.path().exists());
}

#[test]
fn fine_tuning_learns_the_liked_responses_alone() {
    let set = settings("kto");
    let out = fixture().fresh("sft");
    let call = [
        arguments("train", &set),
        vec!["--mode", "sft", "--out", out.str()],
    ]
    .concat();
    let done = prlhf(&call).ok();
    assert!(done.contains("adapters     "), "{done}");

    let down = thumbs()
        .lines()
        .filter(|line| line.contains("false"))
        .fold(String::new(), |text, line| text + line + "\n");
    let data = fixture().file("down.jsonl", &down);
    let set = [
        format!("data.train=[{data:?}]"),
        "objective.loss=kto".into(),
    ];
    let out = fixture().fresh("nothing");
    let call = [
        arguments("train", &set),
        vec!["--mode", "sft", "--out", out.str()],
    ]
    .concat();
    let error = prlhf(&call).error();
    assert!(error.contains("all are thumbs down"), "{error}");
}

//! `prlhf train --mode online`: a policy against a reward model.

use std::fs;

use super::fixture::{Called, fixture, prlhf};
use super::reward;

fn train(out: &str, more: &[&str]) -> Called {
    let config = fixture().config.to_str().unwrap();
    let args = [
        "train", "--config", config, "--mode", "online", "--out", out,
    ];
    let set = ["--set", "online.max_new_tokens=8"];
    prlhf(&[&args[..], &set, more].concat())
}

fn against(reward: &str, out: &str, more: &[&str]) -> Called {
    train(out, &[&["--reward", reward], more].concat())
}

fn lines(run: &std::path::Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_policy_learns_from_what_it_writes_and_writes_afterwards() {
    for method in ["rloo", "grpo", "dpo"] {
        let place = fixture().fresh(method);
        let method = format!("online.method={method}");
        let done = against(reward::run(), place.str(), &["--set", &method]).ok();
        assert!(done.contains("responses of up to 8 tokens"), "{done}");
        assert!(done.contains("of 4 prompts"), "{done}");
        let lines = lines(place.path());
        let steps = lines.iter().filter(|line| line["split"] == "train");
        for step in steps {
            for key in [
                "reward",
                "kl",
                "completions/mean_length",
                "completions/clipped_ratio",
                "completions/empty_ratio",
            ] {
                assert!(step[key].is_number(), "{key}: {step}");
            }
        }
        let last = lines.iter().rfind(|line| line["split"] == "validation");
        let by_user = last.unwrap()["reward_by_user"].as_object().unwrap();
        let users: Vec<&str> = by_user.keys().map(String::as_str).collect();
        assert_eq!(users, ["", "long", "short"]);
        let prompt = "Question 1: is it so? Answer: ";
        let args = [
            "generate",
            "--run",
            place.str(),
            "--user",
            "short",
            "--prompt",
            prompt,
        ];
        prlhf(&args).ok();
        // It goes on where it stopped, which is its end.
        let again = against(reward::run(), place.str(), &["--set", &method, "--resume"]);
        again.ok();
    }
}

#[test]
fn an_online_run_needs_a_reward_model_and_no_other_run_takes_one() {
    let out = fixture().fresh("refused");
    let error = train(out.str(), &[]).error();
    assert!(
        error.contains("--mode online needs --reward DIR"),
        "{error}"
    );
    let writer = fixture().run.to_str().unwrap();
    let error = against(writer, out.str(), &[]).error();
    assert!(error.contains("no reward model's"), "{error}");
    let error = against(reward::run(), reward::run(), &[]).error();
    assert!(error.contains("--reward and --out are both"), "{error}");
    let args = ["--mode", "reward", "--reward", reward::run()];
    let config = fixture().config.to_str().unwrap();
    let error = prlhf(
        &[
            &["train", "--config", config, "--out", out.str()][..],
            &args,
        ]
        .concat(),
    );
    let error = error.error();
    assert!(error.contains("is for --mode online"), "{error}");
    for (set, expected) in [
        ("online.num_generations=1", "`online.num_generations` is 1"),
        ("online.method=ppo", "unknown variant `ppo`"),
        (
            "online.max_new_tokens=500",
            "`online.max_new_tokens` is 500",
        ),
    ] {
        let error = against(reward::run(), out.str(), &["--set", set]).error();
        assert!(error.contains(expected), "{set}: {error}");
    }
    assert!(!out.path().join("metrics.jsonl").exists());
    let check = ["check", "--config", config, "--mode", "online"];
    // The default of 512 tokens leaves no room for a prompt.
    let error = prlhf(&check).error();
    assert!(error.contains("`online.max_new_tokens` is 512"), "{error}");
    let fits = ["--set", "online.max_new_tokens=8"];
    let checked = prlhf(&[&check[..], &fits].concat()).ok();
    assert!(checked.contains("as long as the responses"), "{checked}");
}

#[test]
fn keys_that_change_nothing_and_odd_limits_are_told() {
    let out = fixture().fresh("told");
    let set = [
        "--set",
        "objective.beta=0.3",
        "--set",
        "online.loss_type=grpo",
        "--set",
        "reward.head=user",
        "--set",
        "online.max_new_tokens=40",
        "--set",
        "prompt.max_prompt_length=60",
        "--set",
        "training.max_steps=1",
    ];
    let called = against(reward::run(), out.str(), &set);
    called.ok();
    for expected in [
        "`objective.beta` is set, which has no effect",
        "`online.loss_type` is \"grpo\", which has no effect",
        "`reward.head` is set, which has no effect without --mode reward",
        "`online.max_new_tokens` is 40, and the reward model reads up to 32 tokens",
    ] {
        assert!(
            called.stderr.contains(expected),
            "{expected}: {}",
            called.stderr
        );
    }
}

//! `prlhf users profile --paragraph`: profiles in words, and the files that commands of users write.

use std::fs;
use std::path::Path;

use super::fixture::{comparisons, fixture, make_model, prlhf};
use super::judged::all;
use super::stub::{Stub, says};

#[test]
fn a_profile_is_put_into_words_by_a_judge() {
    let stub = Stub::start(|request, _| {
        let question = all(request);
        let answers = question.matches("The answer for the reader:").count();
        says(&format!("\"I like what {answers} examples\nshow.\""))
    });
    let run = fixture().run.to_str().unwrap();
    let prompts = fixture().file(
        "prompts.jsonl",
        "{\"prompt\": \"Is it so?\"}\n{\"prompt\": [{\"role\": \"user\", \"content\": \"And so?\"}]}\n",
    );
    let raw = fixture().file(
        "raw.jsonl",
        "{\"prompt\": \"Is it so?\"}\n{\"prompt\": \"And so?\"}\n",
    );
    let profile = |prompts: &Path, more: &[&str]| {
        let args = [
            "users",
            "--run",
            run,
            "profile",
            "--user",
            "short",
            "--prompts",
            prompts.to_str().unwrap(),
        ];
        prlhf(&[&args[..], more].concat())
    };
    let url = stub.url();
    let judge = [
        "--paragraph",
        "judge",
        "--judge-url",
        &url,
        "--judge-model",
        "stub",
    ];
    let out = fixture().fresh("told.jsonl");
    let done = profile(&raw, &[&judge[..], &["--out", out.str()]].concat()).ok();
    assert!(done.ends_with("\nI like what 2 examples show.\n"), "{done}");
    let asked = all(&stub.requests()[0]);
    assert!(
        asked.contains("Prompt: And so?") && asked.contains("Prompt: Is it so?"),
        "{asked}"
    );
    // No id leaves the machine.
    assert!(!asked.contains("short"), "{asked}");
    let written = fs::read_to_string(out.path()).unwrap();
    assert_eq!(
        written.lines().next().unwrap(),
        r#"{"user":"short","user_text":"I like what 2 examples show.\n","prompt":"Is it so?"}"#
    );
    let answered = prlhf(&["generate", "--run", run, "--prompts", out.str(), "--json"]).ok();
    assert_eq!(answered.lines().count(), 2);
    let one = profile(&raw, &[&judge[..], &["--pairs", "1"]].concat()).ok();
    assert!(one.contains("what 1 examples"), "{one}");

    let error = profile(&raw, &["--paragraph", "own"]).error();
    assert!(error.contains("has no chat template"), "{error}");
    let error = profile(&raw, &["--paragraph", "judge"]).error();
    assert!(
        error.contains("--paragraph judge needs --judge-url"),
        "{error}"
    );
    let error = profile(&raw, &["--judge-url", &url]).error();
    assert!(
        error.contains("--judge-url is for --paragraph judge"),
        "{error}"
    );
    assert_eq!(profile(&raw, &["--out", out.str()]).code, 2);
    let own = [&judge[..], &["--out", raw.to_str().unwrap()]].concat();
    let error = profile(&raw, &own).error();
    assert!(error.contains("--out and --prompts are both"), "{error}");
    // What it wrote it may replace; other data only with --force, and nobody is asked before.
    profile(&raw, &[&judge[..], &["--out", out.str()]].concat()).ok();
    let asked = stub.count();
    let data = fixture().file("data.jsonl", &comparisons(&["short"]));
    let over = [&judge[..], &["--out", data.to_str().unwrap()]].concat();
    let error = profile(&raw, &over).error();
    assert!(error.contains("line 1: there is such a file"), "{error}");
    let nowhere = out.path().join("x.jsonl");
    let error = profile(
        &raw,
        &[&judge[..], &["--out", nowhere.to_str().unwrap()]].concat(),
    )
    .error();
    assert!(error.contains("there is no folder"), "{error}");
    let run_of = [
        "users",
        "--run",
        run,
        "ask",
        "--user",
        "short",
        "--candidates",
    ];
    let path = data.to_str().unwrap();
    let error = prlhf(&[&run_of[..], &[path, "--out", path]].concat()).error();
    assert!(error.contains("line 1: there is such a file"), "{error}");
    assert_eq!(stub.count(), asked);
    assert_eq!(fs::read_to_string(&data).unwrap(), comparisons(&["short"]));
    profile(&raw, &[&over[..], &["--force"]].concat()).ok();
    let error = profile(&prompts, &judge).error();
    assert!(error.contains("chat template"), "{error}");
}

#[test]
fn a_base_model_with_a_chat_template_writes_a_paragraph() {
    let model = fixture().fresh("chat-model");
    make_model(model.path(), 4096);
    let settings = model.path().join("tokenizer_config.json");
    let mut config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&settings).unwrap()).unwrap();
    config["chat_template"] = "{% for m in messages %}{{ m.content }}{% endfor %}".into();
    fs::write(&settings, config.to_string()).unwrap();
    let source = format!("source = {:?} # ", model.path());
    let config = fixture().config_with("source = ", &source);
    let run = fixture().fresh("chat-run");
    let (config, out) = (config.to_str().unwrap(), run.str());
    let one = ["--set", "training.max_steps=1"];
    prlhf(&[&["train", "--config", config, "--out", out][..], &one].concat()).ok();
    let prompts = fixture().file("prompts.txt", "Is it so?\nAnd so?\n");
    let profile = || {
        let prompts = prompts.to_str().unwrap();
        let user = [
            "--user",
            "short",
            "--prompts",
            prompts,
            "--paragraph",
            "own",
        ];
        prlhf(&[&["users", "--run", out, "profile"][..], &user].concat()).ok()
    };
    let first = profile();
    let (table, paragraph) = first.rsplit_once("\n\n").unwrap();
    assert!(table.contains("words per sentence"), "{first}");
    assert!(
        !paragraph.trim().is_empty() && paragraph.trim().lines().count() == 1,
        "{first}"
    );
    assert_eq!(first, profile());
}

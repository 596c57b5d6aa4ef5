//! `prlhf generate`.

use crate::fixture::{fixture, prlhf};

#[test]
fn generate_writes_for_known_users_and_names_near_matches_of_others() {
    let run = fixture().run.to_str().unwrap();
    let common = [
        "generate",
        "--run",
        run,
        "--prompt",
        "Say more: ",
        "--max-new-tokens",
        "5",
    ];
    let users = ["--user", "short", "--user", "long", "--generic", "--json"];
    let text = prlhf(&[&common[..], &users].concat()).ok();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let users: Vec<_> = lines.iter().map(|line| line["user"].as_str()).collect();
    assert_eq!(users, [Some("short"), Some("long"), None]);
    assert!(lines.iter().all(|line| line["response"].is_string()));

    let error = prlhf(&[&common[..], &["--user", "shirt"]].concat()).error();
    assert_eq!(
        error,
        "error: unknown user `shirt`; known and similar: `short`\n"
    );
}

#[test]
fn generate_reads_prompts_and_names_the_broken_line() {
    let run = fixture().run.to_str().unwrap();
    let long = "word ".repeat(300);
    let prompts = format!("{{\"prompt\": \"one\"}}\n\n{{\"prompt\": \"{long}\"}}\n");
    let prompts = fixture().file("prompts.jsonl", &prompts);
    let prompts = prompts.to_str().unwrap();
    let args = [
        "generate",
        "--run",
        run,
        "--prompts",
        prompts,
        "--max-new-tokens",
        "4",
    ];
    let done = prlhf(&[&args[..], &["--json"]].concat());
    assert_eq!(done.ok().lines().count(), 2);
    assert!(
        done.stderr.contains("1 of 2 prompts above"),
        "{}",
        done.stderr
    );

    let broken = fixture().file(
        "broken-prompts.jsonl",
        "{\"prompt\": \"one\"}\n{\"promt\": 1}\n",
    );
    let broken = broken.to_str().unwrap();
    let error = prlhf(&["generate", "--run", run, "--prompts", broken]).error();
    assert!(
        error.contains("broken-prompts.jsonl:2: field `prompt`"),
        "{error}"
    );
}

#[test]
fn prompts_of_a_file_are_answered_as_the_users_they_name() {
    let run = fixture().run.to_str().unwrap();
    let prompts = "\u{feff}{\"prompt\": \"one\", \"user\": \"long\"}\n{\"prompt\": \"two\"}\n";
    let prompts = fixture().file("prompts.jsonl", prompts);
    let args = ["generate", "--run", run, "--max-new-tokens", "2", "--json"];
    let file = ["--prompts", prompts.to_str().unwrap()];
    let users = |more: &[&str]| {
        let text = prlhf(&[&args[..], &file, more].concat()).ok();
        let user = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["user"].as_str().map(str::to_owned)
        };
        text.lines().map(user).collect::<Vec<_>>()
    };
    let [short, long] = ["short", "long"].map(|id| Some(id.to_owned()));
    assert_eq!(users(&[]), [long.clone(), None]);
    assert_eq!(users(&["--user", "short"]), [long, short]);
    let other = fixture().file("other.jsonl", "{\"prompt\": \"one\", \"user\": \"lang\"}\n");
    let error = prlhf(&[&args[..], &["--prompts", other.to_str().unwrap()]].concat()).error();
    assert!(
        error.contains("prompt 1: unknown user `lang`; known and similar: `long`"),
        "{error}"
    );
}

#[test]
fn prompts_of_a_file_have_the_columns_of_the_configuration() {
    let run = fixture().run.to_str().unwrap();
    let prompts = "{\"ask\": \"one\", \"who\": \"long\"}\n";
    let prompts = fixture().file("columns.jsonl", prompts);
    let prompts = ["--prompts", prompts.to_str().unwrap()];
    let args = ["generate", "--run", run, "--max-new-tokens", "2", "--json"];
    let columns = ["data.columns.prompt=ask", "data.columns.user=who"];
    let set = columns.map(|column| ["--set", column]).concat();
    let line = prlhf(&[&args[..], &prompts, &set].concat()).ok();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["user"], &line["prompt"]),
        (&"long".into(), &"one".into())
    );
}

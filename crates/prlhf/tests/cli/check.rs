//! `prlhf check`.

use std::fs;

use crate::fixture::{self, copy_dir, fixture, prlhf};

#[test]
fn check_reports_users_lengths_cuts_and_an_estimate() {
    let config = fixture().config.to_str().unwrap();
    let report = prlhf(&["check", "--config", config]).ok();
    for part in [
        "comparisons                  16",
        "users                         2  (8 to 8 comparisons each)",
        "  chosen ",
        "1 of 16 prompts above",
        "Estimate, counted from shapes",
        "frozen weights",
        "TFLOP/s (assumed: 68 GFLOP/s on each core)",
        "tokens per second",
        "trainable: yes",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[test]
fn check_refuses_a_step_that_does_not_fit() {
    let model = fixture().fresh("model");
    copy_dir(&fixture().model, model.path());
    let path = model.path().join("config.json");
    let sizes = fs::read_to_string(&path).unwrap();
    let longer = sizes.replace(
        "\"max_position_embeddings\":128",
        "\"max_position_embeddings\":1000000",
    );
    assert_ne!(longer, sizes);
    fs::write(&path, longer).unwrap();
    let source = format!("model.source={}", model.str());
    let config = fixture().config.to_str().unwrap();
    let called = prlhf(&[
        "check",
        "--config",
        config,
        "--set",
        &source,
        "--set",
        "users.user_tokens=300000",
        "--set",
        "users.init=zeros",
        "--set",
        "prompt.max_prompt_length=310000",
    ]);
    let error = called.error();
    assert!(error.contains("lower training.micro_rows"), "{error}");
    assert!(!called.stdout.contains("trainable: yes"));
}

#[test]
fn check_warns_of_a_single_user() {
    let data = fixture().file("one-user.jsonl", &fixture::comparisons(&["short"]));
    let config = fixture().config_with("train = ", &format!("train = [{data:?}] # "));
    let report = prlhf(&[
        "check",
        "--no-estimate",
        "--config",
        config.to_str().unwrap(),
    ])
    .ok();
    assert!(report.contains("warning: one user only"), "{report}");
}

#[test]
fn check_shows_comparisons_as_tokens_part_by_part() {
    let data = fixture().file("shown.jsonl", &fixture::comparisons(&["short", "long"]));
    let config = fixture().config_with("train = ", &format!("train = [{data:?}] # "));
    let config = config.to_str().unwrap();
    let check = ["check", "--no-estimate", "--config", config, "--show", "1"];
    let response = [
        "--set",
        "prompt.max_response_length=2",
        "--set",
        "data.validation_share=0.0",
    ];
    let report = prlhf(&[&check[..], &response].concat()).ok();
    let shown = report.split("comparison 1, user short\n").nth(1).unwrap();
    let parts: Vec<(&str, String)> = (shown.lines())
        .map_while(|line| line.strip_prefix("    ")?.split_once(' '))
        .map(|(part, text)| (part, text.trim_start().replace('\u{2502}', "")))
        .collect();
    let names: Vec<&str> = parts.iter().map(|(part, _)| *part).collect();
    let responses = ["chosen", "cut", "rejected", "cut"];
    assert_eq!(
        names,
        [&["prompt", "soft", "prompt"][..], &responses].concat()
    );
    let texts: Vec<&str> = parts.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(&texts[..2], ["<s>", "2 tokens"]);
    assert_eq!(texts[2], "Question 0: is it so? Answer:");
    assert_eq!(format!("{}{}", texts[3], texts[4]), "yes.</s>");
    assert!(texts[6].ends_with("to be said about it.</s>"), "{report}");
    assert!(!report.contains('\u{1b}') && !report.contains("comparison 2"));
}

#[test]
fn special_tokens_in_raw_data_are_told_when_checked_and_when_trained() {
    let rows = fixture::comparisons(&["short", "long"]).replace("yes.", "yes.</s>");
    let data = fixture().file("rendered.jsonl", &rows);
    let config = fixture().config_with("train = ", &format!("train = [{data:?}] # "));
    let (config, out) = (config.to_str().unwrap(), fixture().fresh("rendered"));
    let warning =
        "16 of 16 comparisons spell special tokens or marks of a turn, as in \"yes.</s>\"";
    let check = ["check", "--no-estimate", "--config", config];
    assert!(prlhf(&check).ok().contains(warning));
    let train = ["train", "--config", config, "--out", out.str()];
    let trained = prlhf(&train);
    trained.ok();
    assert!(trained.stderr.contains(warning), "{}", trained.stderr);
    let text = ["--set", "prompt.special_tokens=\"text\""];
    assert!(
        !prlhf(&[&check[..], &text].concat())
            .ok()
            .contains("special tokens")
    );
}

#[test]
fn check_says_how_data_was_read_and_what_teaches_nothing() {
    let row = |number: usize, end: &str| {
        let long = "yes, and there is a lot more to be said. ".repeat(20);
        serde_json::json!({"question": format!("Is it {number}?"), "response_j": format!("{long}{end}"),
            "response_k": format!("{long}not {end}"), "worker": "anna"})
        .to_string()
    };
    let rows: Vec<String> = (0..4).map(|number| row(number, "so")).collect();
    let config = fixture().config_with("train = ", "train = [\"-\"] # ");
    let args = [
        "check",
        "--no-estimate",
        "--config",
        config.to_str().unwrap(),
    ];
    let report = fixture::prlhf_with(&args, &rows.join("\n")).ok();
    for part in [
        "4 x column `worker` is taken for `user` (first: standard input:1)",
        "4 comparisons have equal responses as tokens and teach nothing",
        "anna",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[test]
fn columns_and_layout_are_keys_of_the_configuration() {
    let data = fixture::comparisons(&["short", "long"]);
    let data = data
        .replace("\"chosen\"", "\"win\"")
        .replace("\"rejected\"", "\"lose\"");
    let data = fixture().file("mapped.jsonl", &data);
    let config = fixture().config_with("train = ", &format!("train = [{data:?}] # "));
    let check = [
        "check",
        "--no-estimate",
        "--config",
        config.to_str().unwrap(),
    ];
    let error = prlhf(&check).error();
    assert!(
        error.contains("field `chosen`: expected text, found nothing"),
        "{error}"
    );
    assert!(error.contains("`prompt`, `win`, `lose`, `user`"), "{error}");
    let columns = [
        "--set",
        "data.columns.chosen=win",
        "--set",
        "data.columns.rejected=lose",
    ];
    let report = prlhf(&[&check[..], &columns].concat()).ok();
    assert!(
        report.contains("comparisons                  16"),
        "{report}"
    );
    let layout = ["--set", "data.layout=tldr"];
    let error = prlhf(&[&check[..], &layout].concat()).error();
    assert!(error.contains("field `info`"), "{error}");
}

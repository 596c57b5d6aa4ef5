//! The program `prlhf` as its users see it, on a tiny model made here.

#[path = "cli/eval.rs"]
mod eval;
#[path = "cli/fixture.rs"]
mod fixture;
#[cfg(unix)]
#[path = "cli/safe.rs"]
mod safe;
#[cfg(unix)]
#[path = "cli/stop.rs"]
mod stop;

use std::fs;

use fixture::{Fixture, fixture, prlhf};

#[test]
fn a_finished_run_says_what_it_did_and_is_resumed_without_a_step() {
    let run = fixture().copy_of_run();
    let config = fixture().config.to_str().unwrap();
    let done = prlhf(&["train", "--config", config, "--out", run.str(), "--resume"]).ok();
    assert!(
        done.contains("steps        4 of 4 comparisons, 4 done"),
        "{done}"
    );
    assert!(done.contains("best         step 4"), "{done}");
    let lines = fs::read_to_string(run.path().join("metrics.jsonl")).unwrap();
    assert_eq!(lines.matches(r#""split":"train""#).count(), 4);
    let used = fs::read_to_string(run.path().join("config.toml")).unwrap();
    assert!(used.contains("warmup_steps = 1") && used.contains("beta = 0.1"));
}

#[test]
fn an_occupied_folder_is_refused_and_left_as_it_was() {
    let run = fixture().copy_of_run();
    let config = fixture().config.to_str().unwrap();
    let error = prlhf(&["train", "--config", config, "--out", run.str()]).error();
    assert!(
        error.contains("already holds files") && error.contains("--resume"),
        "{error}"
    );

    // --force replaces a run, but not before model and data are known to be good.
    let broken = fixture().config_with("source = ", "source = \"nowhere.gguf\" # ");
    let broken = broken.to_str().unwrap();
    let error = prlhf(&["train", "--config", broken, "--out", run.str(), "--force"]).error();
    assert!(error.contains("nowhere.gguf"), "{error}");
    assert!(run.path().join("adapters/user_model.json").exists());

    fs::write(run.path().join("notes.txt"), "mine").unwrap();
    let sft = ["--force", "--mode", "sft"];
    let done = prlhf(&[&["train", "--config", config, "--out", run.str()][..], &sft].concat()).ok();
    assert!(done.contains("held out"), "{done}");
    assert!(!run.path().join("adapters/user_model.json").exists());
    assert!(run.path().join("notes.txt").exists());
}

#[test]
fn sft_adapters_are_merged_below_a_preference_run() {
    let (sft, out) = (fixture().fresh("sft"), fixture().fresh("on-sft"));
    let config = fixture().config.to_str().unwrap();
    prlhf(&[
        "train",
        "--config",
        config,
        "--out",
        sft.str(),
        "--mode",
        "sft",
    ])
    .ok();
    let adapters = sft.path().join("adapters");
    let line = format!("adapters = {:?}\nsource = ", adapters);
    let config = fixture().config_with("source = ", &line);
    let done = prlhf(&[
        "train",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.str(),
    ])
    .ok();
    assert!(done.contains("adapters merged"), "{done}");
    let merged = sft.path().join("merged");
    let missing = format!(
        "base         {}; for other programs, prlhf merge --adapters {}",
        merged.display(),
        adapters.display()
    );
    assert!(done.contains(&missing), "{done}");

    // Whatever the base is called, it is the model with the adapters merged.
    let trained = out.path().join("adapters");
    let text = |base: &[&str]| {
        let args = [
            "--user",
            "short",
            "--prompt",
            "Question 1: ",
            "--greedy",
            "--json",
        ];
        prlhf(&[&["generate"][..], base, &args].concat()).ok()
    };
    let (run, alone) = (
        ["--run", out.str()],
        ["--adapters", trained.to_str().unwrap()],
    );
    let model = ["--model", fixture().model.to_str().unwrap()];
    let limits = [
        "--set",
        "prompt.max_response_length=32",
        "--set",
        "sampling.max_new_tokens=8",
    ];
    let alone = [&alone[..], &limits].concat();
    let expected = text(&run);
    assert_eq!(text(&alone), expected);
    assert_eq!(text(&[&alone[..], &model].concat()), expected);

    let done = prlhf(&["merge", "--run", sft.str()]).ok();
    assert!(
        done.contains(&format!("merged       {}, F32, ", merged.display())),
        "{done}"
    );
    let named = fs::read_to_string(trained.join("adapter_config.json")).unwrap();
    let named: serde_json::Value = serde_json::from_str(&named).unwrap();
    assert_eq!(named["base_model_name_or_path"], merged.to_str().unwrap());
    let merged = ["--model", merged.to_str().unwrap()];
    assert_eq!(text(&alone), expected);
    assert_eq!(text(&[&alone[..], &merged].concat()), expected);
    assert_eq!(
        text(&[&run[..], &merged].concat()),
        expected,
        "merged once only"
    );
    let twice = [
        &["generate", "--generic", "--prompt", "a", "--run", sft.str()][..],
        &merged,
    ]
    .concat();
    let error = prlhf(&twice).error();
    assert!(
        error.contains("has these adapters in it already"),
        "{error}"
    );
    let again = prlhf(&["merge", "--run", sft.str()]).ok();
    assert!(again.contains("which is there already"), "{again}");

    // Another model is not taken for it, nor are other adapters.
    let other = fixture().fresh("other");
    fixture::copy_dir(&fixture().model, other.path());
    let weights = other.path().join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let call = [
        "generate",
        "--generic",
        "--prompt",
        "a",
        "--model",
        other.str(),
    ];
    let error = prlhf(&[&call[..], &alone].concat()).error();
    assert!(
        error.contains("were trained on") && error.contains("is not that"),
        "{error}"
    );
    fs::remove_dir_all(&adapters).unwrap();
    let call = [
        &["generate", "--generic", "--prompt", "a"][..],
        &model,
        &alone,
    ]
    .concat();
    let error = prlhf(&call).error();
    assert!(error.contains("are not there"), "{error}");
}

#[test]
fn adapters_are_merged_into_a_folder_for_any_program() {
    let (whole, half) = (fixture().fresh("whole"), fixture().fresh("half"));
    let run = fixture().run.to_str().unwrap();
    let done = prlhf(&["merge", "--run", run, "--out", whole.str()]).ok();
    assert!(done.contains("next         set model.source = "), "{done}");
    for name in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "lineage.json",
    ] {
        assert!(whole.path().join(name).is_file(), "{name}");
    }
    let args = [
        "merge",
        "--run",
        run,
        "--out",
        half.str(),
        "--dtype",
        "bf16",
    ];
    prlhf(&args).ok();
    let size = |place: &fixture::Place| {
        let weights = fs::metadata(place.path().join("model.safetensors"));
        weights.unwrap().len()
    };
    assert!(size(&half) < size(&whole) * 6 / 10);
    let config = fs::read_to_string(half.path().join("config.json")).unwrap();
    assert!(config.contains(r#""torch_dtype": "bfloat16""#), "{config}");

    let line = format!("source = {:?} # ", half.path());
    let config = fixture().config_with("source = ", &line);
    let report = prlhf(&[
        "check",
        "--no-estimate",
        "--config",
        config.to_str().unwrap(),
    ])
    .ok();
    assert!(report.contains("trainable: yes"), "{report}");

    let occupied = fixture().fresh("occupied");
    fs::create_dir(occupied.path()).unwrap();
    fs::write(occupied.path().join("mine"), "").unwrap();
    let error = prlhf(&["merge", "--run", run, "--out", occupied.str()]).error();
    assert!(error.contains("already holds files"), "{error}");
}

#[test]
fn what_is_no_model_is_said_to_be_what_it_is() {
    let run = &fixture().run;
    for (source, expected) in [
        (run.clone(), "the folder of a run, with adapters for"),
        (run.join("adapters"), "adapters for"),
    ] {
        let line = format!("source = {source:?} # ");
        let config = fixture().config_with("source = ", &line);
        let error = prlhf(&["check", "--config", config.to_str().unwrap()]).error();
        assert!(
            error.contains(expected) && error.contains("not a model"),
            "{error}"
        );
    }
}

#[test]
fn check_reports_users_lengths_cuts_and_an_estimate() {
    let config = fixture().config.to_str().unwrap();
    let report = prlhf(&["check", "--config", config]).ok();
    for part in [
        "comparisons                  16",
        "users                         2  (8 to 8 comparisons each)",
        "  chosen ",
        "1 of 16 prompts above",
        "tokens per second",
        "trainable: yes",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
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

#[test]
fn an_empty_id_is_refused_and_an_odd_one_escaped() {
    let run = fixture().copy_of_run();
    let users = |action: &[&str]| prlhf(&[&["users", "--run", run.str()][..], action].concat());
    for blank in ["", " "] {
        let error = users(&["add", blank]).error();
        assert!(error.contains("must not be empty or blank"), "{error}");
    }
    users(&["add", "x\ny"]).ok();
    assert!(users(&["list"]).ok().ends_with("x\\ny\tas it began\n"));
    users(&["add", "Zo\u{eb}"]).ok();
    let error = users(&["remove", "Zoe\u{308}"]).error();
    assert!(
        error.contains("U+00EB in place of U+0065 U+0308"),
        "{error}"
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

#[test]
fn chat_answers_lines_from_a_pipe() {
    let run = fixture().run.to_str().unwrap();
    let args = [
        "chat",
        "--run",
        run,
        "--user",
        "short",
        "--max-new-tokens",
        "4",
    ];
    let input = "hello\n/user lng\n/user long\nhello\n/reset\n/quit\nnever read\n";
    let done = fixture::prlhf_with(&args, input);
    assert_eq!(done.ok().lines().count(), 2, "{:?}", done.stdout);
    assert!(
        done.stderr
            .contains("error: unknown user `lng`; known and similar: `long`")
    );
}

#[test]
fn users_are_exported_removed_and_imported() {
    let run = fixture().copy_of_run();
    let file = fixture().fresh("short.json");
    let users = |action: &[&str]| prlhf(&[&["users", "--run", run.str()][..], action].concat());
    assert_eq!(users(&["list"]).ok(), "long\ttrained\nshort\ttrained\n");
    users(&["export", "short", file.str()]).ok();
    let removed = users(&["remove", "short"]);
    removed.ok();
    assert!(removed.stderr.contains("checkpoint"), "{}", removed.stderr);
    assert_eq!(users(&["list"]).ok(), "long\ttrained\n");
    assert!(
        users(&["export", "short", file.str()])
            .error()
            .contains("unknown user `short`")
    );
    users(&["import", file.str()]).ok();
    assert!(
        users(&["import", file.str()])
            .error()
            .contains("already in the table")
    );
    users(&["add", "new"]).ok();
    assert_eq!(
        users(&["list"]).ok(),
        "long\ttrained\nshort\ttrained\nnew\tas it began\n"
    );
    let args = [
        "generate",
        "--run",
        run.str(),
        "--user",
        "new",
        "--prompt",
        "a",
    ];
    prlhf(&args).ok();
}

#[test]
fn inspect_knows_what_a_path_holds() {
    let Fixture {
        model,
        run,
        data,
        config,
        ..
    } = fixture();
    let inspect = |path: &std::path::Path| prlhf(&["inspect", path.to_str().unwrap()]).ok();
    assert!(inspect(model).contains("F32 ("));
    assert!(inspect(&run.join("adapters")).contains("users        2 known, 2 rows trained"));
    assert!(inspect(&run.join("checkpoint")).contains("4, training has ended"));
    assert!(inspect(run).contains("rank 4"));
    assert!(inspect(data).contains("comparisons                  16"));
    assert!(inspect(config).contains("label_smoothing = 0.0"));
}

#[test]
fn bad_configurations_are_named_with_file_line_and_key() {
    let train = |config: &std::path::Path| {
        let out = fixture().fresh("never-made");
        let config = config.to_str().unwrap();
        let error = prlhf(&["train", "--config", config, "--out", out.str()]).error();
        assert!(!out.path().exists());
        error
    };
    let error = train(&fixture().config_with("batch = 4", "bach = 4"));
    assert!(
        error.contains("line 11 (`bach = 4`): unknown field `bach`"),
        "{error}"
    );
    let error = train(&fixture().config_with("batch = 4", "batch = 0"));
    assert!(
        error.contains("`training.batch` is 0, expected at least 1"),
        "{error}"
    );
    let error = train(&fixture().config_with("source = ", "source = \"no/such/model\" # "));
    assert!(error.contains("no model at `no/such/model`"), "{error}");
    let error = prlhf(&["check", "--config", "nothing.toml"]).error();
    assert!(error.starts_with("error: nothing.toml: "), "{error}");
}

#[test]
fn bad_data_is_named_with_file_and_line() {
    let check = |name: &str, text: &str| {
        let data = fixture().file(name, text);
        let config = fixture().config_with("train = ", &format!("train = [{data:?}] # "));
        prlhf(&[
            "check",
            "--no-estimate",
            "--config",
            config.to_str().unwrap(),
        ])
    };
    let good = fixture::comparisons(&["short", "long"]);
    let broken = format!("{good}{{\"prompt\": \"p\", \"chosen\": \"c\"}}\n");
    let error = check("broken.jsonl", &broken).error();
    assert!(
        error.contains("broken.jsonl:17: field `rejected`"),
        "{error}"
    );
    let error = check("empty.jsonl", "").error();
    assert!(error.contains("empty.jsonl"), "{error}");
}

#[test]
fn broken_models_and_devices_are_named() {
    let copy = fixture().fresh("truncated");
    fixture::copy_dir(&fixture().model, copy.path());
    let weights = copy.path().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let line = format!("source = {:?} # ", copy.path());
    let config = fixture().config_with("source = ", &line);
    let error = prlhf(&["check", "--config", config.to_str().unwrap()]).error();
    assert!(error.contains("model.safetensors"), "{error}");

    let config = fixture().config.to_str().unwrap();
    let error = prlhf(&["check", "--config", config, "--device", "gpu"]).error();
    let expected = "is gpu, expected flex, cuda:N, wgpu or wgpu:N";
    assert!(error.contains(expected), "{error}");

    let adapters = fixture().fresh("no-adapters");
    fs::create_dir(adapters.path()).unwrap();
    let args = ["generate", "--adapters", adapters.str(), "--prompt", "a"];
    let error = prlhf(&args).error();
    assert!(error.contains("expected adapter_config.json"), "{error}");
}

#[test]
fn wrong_arguments_are_a_matter_of_usage() {
    assert_eq!(prlhf(&["train"]).code, 2);
    assert_eq!(prlhf(&["generate", "--prompt", "a"]).code, 2);
    assert_eq!(prlhf(&["train", "--help"]).code, 0);
}

#[test]
fn single_keys_are_set_over_the_file_and_unknown_ones_refused() {
    let config = fixture().config.to_str().unwrap();
    let out = fixture().fresh("set");
    let train = ["train", "--config", config, "--out", out.str()];
    let set = [
        "--set",
        "training.max_steps=1",
        "--set",
        "objective.loss=ipo",
    ];
    let done = prlhf(&[&train[..], &set].concat()).ok();
    assert!(done.contains("steps        1 of 4 comparisons"), "{done}");
    let used = fs::read_to_string(out.path().join("config.toml")).unwrap();
    assert!(
        used.contains("loss = \"ipo\"") && used.contains("max_steps = 1"),
        "{used}"
    );
    let wrong = ["--set", "training.learnin_rate=1e-4"];
    let error = prlhf(&["check", "--config", config, wrong[0], wrong[1]]).error();
    assert!(
        error.contains("--set training.learnin_rate=0.0001: unknown field `learnin_rate`"),
        "{error}"
    );
    assert_eq!(
        prlhf(&["check", "--config", config, "--set", "seed"]).code,
        2
    );
}

#[test]
fn resuming_without_a_checkpoint_says_that_it_starts_at_0() {
    let config = fixture().config_with("[training]", "[training]\nmax_steps = 1");
    let out = fixture().fresh("nothing-yet");
    let config = config.to_str().unwrap();
    let train = ["train", "--config", config, "--out", out.str(), "--resume"];
    let first = prlhf(&train);
    assert!(
        first.ok().contains("1 of 4 comparisons, 0 done"),
        "{}",
        first.stdout
    );
    let note = "there is no checkpoint in";
    assert!(
        first.stderr.contains(note) && first.stderr.contains("step 0"),
        "{}",
        first.stderr
    );
    let second = prlhf(&train);
    assert!(
        second.ok().contains("1 done") && !second.stderr.contains(note),
        "{}",
        second.stderr
    );
}

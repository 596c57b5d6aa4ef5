//! The program `prlhf` as its users see it, on a tiny model made here.

#[path = "cli/check.rs"]
mod check;
#[path = "cli/eval.rs"]
mod eval;
#[path = "cli/families.rs"]
mod families;
#[path = "cli/fit.rs"]
mod fit;
#[path = "cli/fixture.rs"]
mod fixture;
#[path = "cli/generate.rs"]
mod generate;
#[path = "cli/judged.rs"]
mod judged;
#[path = "cli/models.rs"]
mod models;
#[path = "cli/moved.rs"]
mod moved;
#[path = "cli/online.rs"]
mod online;
#[path = "cli/paragraphs.rs"]
mod paragraphs;
#[path = "cli/reward.rs"]
mod reward;
#[cfg(unix)]
#[path = "cli/safe.rs"]
mod safe;
#[path = "cli/settings.rs"]
mod settings;
#[cfg(unix)]
#[path = "cli/stop.rs"]
mod stop;
#[allow(dead_code, reason = "of the judge's own tests, which use all of it")]
#[path = "../../judge/tests/it/stub.rs"]
mod stub;
#[path = "cli/thumbs.rs"]
mod thumbs;
#[path = "cli/users.rs"]
mod users;
#[path = "cli/ways.rs"]
mod ways;

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
fn an_empty_id_is_refused_and_an_odd_one_escaped() {
    let run = fixture().copy_of_run();
    let users = |action: &[&str]| prlhf(&[&["users", "--run", run.str()][..], action].concat());
    for blank in ["", " "] {
        let error = users(&["add", blank]).error();
        assert!(error.contains("must not be empty or blank"), "{error}");
    }
    let error = users(&["add", "x\ny"]).error();
    assert!(
        error.contains("`x\\ny`") && error.contains("U+000A"),
        "{error}"
    );
    users(&["add", "x\u{202e}y"]).ok();
    assert!(
        users(&["list"])
            .ok()
            .ends_with("x\\u{202e}y\tas it began\n")
    );
    users(&["add", "Zo\u{eb}"]).ok();
    let error = users(&["remove", "Zoe\u{308}"]).error();
    assert!(
        error.contains("U+00EB in place of U+0065 U+0308"),
        "{error}"
    );
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
    let said = "the training data, and what was exported or evaluated, may still hold `short`";
    assert!(removed.stderr.contains(said), "{}", removed.stderr);
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

//! Values and keys that make no sense are said at the start, by their whole names.

use std::fs;

use crate::fixture::{Called, fixture, prlhf};

/// `check` and `train` of the fixture's configuration with these keys set.
fn both(set: &[&str]) -> [Called; 2] {
    let config = fixture().config.to_str().unwrap();
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
    let out = fixture().fresh("settings");
    let check = ["check", "--config", config, "--no-estimate"];
    let train = ["train", "--config", config, "--out", out.str()];
    let called = [&check[..], &train].map(|args| prlhf(&[args, &set].concat()));
    assert_eq!(called[1].code == 0, out.path().join("config.toml").exists());
    called
}

#[test]
fn a_value_that_nothing_could_make_right_is_refused_by_its_whole_key() {
    for (set, expected) in [
        (
            "sampling.stop_ids=[1, 99999]",
            "`sampling.stop_ids` is [1, 99999], with 99999, expected ids below",
        ),
        (
            "sampling.max_new_tokens=0",
            "`sampling.max_new_tokens` is 0, expected at least 1",
        ),
        ("model.adapters=\"\"", "`model.adapters` is an empty path"),
        ("model.source=\" \"", "`model.source` is empty"),
        ("data.train=[\"\"]", "`data.train` is an empty path"),
        ("data.train=[]", "`data.train` is empty"),
        (
            "data.validation=[\"\"]",
            "`data.validation` is an empty path",
        ),
        ("data.columns.prompt=\"\"", "`data.columns.prompt` is empty"),
        (
            "data.validation_share=nan",
            "`data.validation_share` is NaN",
        ),
        ("prompt.template=\"\"", "prompt.template"),
        (
            "prompt.max_prompt_length=0",
            "`prompt.max_prompt_length` is 0",
        ),
        (
            "prompt.max_response_length=0",
            "`prompt.max_response_length` is 0",
        ),
        (
            "prompt.max_response_length=9223372036854775807",
            "`prompt.max_response_length` is 9223372036854775807",
        ),
        ("users.clusters=0", "`users.clusters` is 0"),
        (
            "users.user_tokens=9223372036854775807",
            "`users.user_tokens` is 9223372036854775807",
        ),
        (
            "users.init={ uniform = { range = nan } }",
            "`users.init` is NaN",
        ),
        (
            "lora.rank=9223372036854775807",
            "`lora.rank` is 9223372036854775807",
        ),
        (
            "objective.beta=0.0",
            "`objective.beta` is 0, expected a number from 1e-6 to 1e6",
        ),
        ("objective.nll_weight=inf", "`objective.nll_weight` is inf"),
        (
            "objective.label_smoothing=0.5",
            "`objective.label_smoothing` is 0.5",
        ),
        ("objective.alpha=1.5", "`objective.alpha` is 1.5"),
        ("training.batch=0", "`training.batch` is 0"),
        (
            "training.replicas=9223372036854775807",
            "`training.replicas` is 9223372036854775807",
        ),
        (
            "training.weight_decay=-0.5",
            "`training.weight_decay` is -0.5",
        ),
        ("sft.max_grad_norm=inf", "`sft.max_grad_norm` is inf"),
    ] {
        for called in both(&[set]) {
            let error = called.error();
            assert!(error.contains(expected), "{set}: {error}");
        }
    }
}

#[test]
fn a_key_that_changes_nothing_is_said_by_check_and_by_train() {
    for (set, key) in [
        (
            &["training.patience=2", "training.eval_every=0"][..],
            "training.patience",
        ),
        (
            &["training.patience=2", "data.validation_share=0.0"],
            "training.patience",
        ),
        (&["users.clusters=7"], "users.clusters"),
        (
            &["users.kind=uniform", "users.generic=false"],
            "users.generic",
        ),
        (&["prompt.system=Be kind."], "prompt.system"),
        (&["training.warmup_steps=1000"], "training.warmup_steps"),
    ] {
        let [checked, trained] = both(set);
        let expected = format!("`{key}` is ");
        checked.ok();
        trained.ok();
        assert!(
            checked.stdout.contains(&format!("warning: {expected}")),
            "{set:?}: {}",
            checked.stdout
        );
        assert!(
            trained.stderr.contains(&expected),
            "{set:?}: {}",
            trained.stderr
        );
    }
    let without = fixture().config_with("[users]\nuser_tokens = 2\n", "");
    let args = [
        "check",
        "--no-estimate",
        "--config",
        without.to_str().unwrap(),
    ];
    let report = prlhf(&args).ok();
    let expected =
        "warning: `training.users_learning_rate` is 0.01, which has no effect without [users]";
    assert!(report.contains(expected), "{report}");
}

#[test]
fn huge_lengths_that_mean_as_much_as_there_is_are_taken() {
    let set = [
        "training.epochs=9223372036854775807",
        "training.max_steps=1",
        "training.batch=9223372036854775807",
        "training.micro_rows=9223372036854775807",
        "training.save_every=9223372036854775807",
        "training.eval_limit=9223372036854775807",
    ];
    for called in both(&set) {
        called.ok();
    }
}

#[test]
fn a_resume_names_each_key_that_may_not_change_with_both_values() {
    let config = fixture().config.to_str().unwrap();
    let run = fixture().copy_of_run();
    let resume = |set: &[&str]| {
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        let args = ["train", "--config", config, "--out", run.str(), "--resume"];
        prlhf(&[&args[..], &set].concat())
    };
    for (set, expected) in [
        (
            &["training.eval_limit=1"][..],
            "`training.eval_limit` was 0 and is 1; go on",
        ),
        (
            &["prompt.max_response_length=4"],
            "`prompt.max_response_length` was 32 and is 4; go on",
        ),
        (
            &["data.validation_share=0.5"],
            "`data.validation_share` was 0.25 and is 0.5; go on",
        ),
        (
            &["users.user_tokens=3"],
            "`users.user_tokens` was 2 and is 3",
        ),
        (
            &["users.kind=cluster"],
            "`users.kind` was \"individual\" and is \"cluster\"",
        ),
        (
            &["seed=9", "training.batch=2", "objective.beta=0.5"],
            "`seed` was 0 and is 9, `training.batch` was 4 and is 2, `objective.beta` was 0.1 and is 0.5; go on",
        ),
    ] {
        let error = resume(set).error();
        assert!(error.contains(expected), "{set:?}: {error}");
    }
    let data = fixture().file(
        "others.jsonl",
        &fs::read_to_string(&fixture().data)
            .unwrap()
            .replace("yes.", "no."),
    );
    let error = resume(&[&format!("data.train=[{data:?}]")]).error();
    assert!(
        error.contains("`data.train` was [") && error.contains("others.jsonl"),
        "{error}"
    );
    resume(&[
        "training.save_every=1",
        "training.micro_rows=4",
        "prompt.max_prompt_length=500",
        "training.eval_every=7",
    ])
    .ok();
}

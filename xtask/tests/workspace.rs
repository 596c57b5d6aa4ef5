//! What must stay true of the workspace as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

fn cargo(args: &[&str]) -> String {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(args)
        .args(["--manifest-path", manifest])
        .args(["--color", "never"])
        .output()
        .expect("cargo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {args:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Crate to the crates of this workspace that it depends on, for tests too.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let text = cargo(&["metadata", "--no-deps", "--format-version=1", "--offline"]);
    let metadata: Value = serde_json::from_str(&text).expect("JSON");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let ours = dependencies.iter().filter(|dep| dep["path"].is_string());
            (name(package), ours.map(name).collect())
        })
        .collect()
}

#[test]
fn crates_know_each_other_as_the_architecture_says() {
    let allowed: [(&str, &[&str]); 21] = [
        ("statistics", &[]),
        ("caught", &[]),
        ("whole-file", &[]),
        ("printable", &[]),
        ("text-measures", &["statistics"]),
        ("pref-data", &["caught", "printable", "statistics"]),
        ("mini-data", &["pref-data"]),
        ("user-model", &["printable", "whole-file"]),
        ("pdpo-loss", &[]),
        ("chat-template", &[]),
        ("amx", &[]),
        ("cpu-kernels", &[]),
        (
            "llm-backbone",
            &[
                "amx",
                "caught",
                "chat-template",
                "cpu-kernels",
                "whole-file",
            ],
        ),
        ("judge", &["statistics", "whole-file"]),
        (
            "trainer",
            &[
                "pref-data",
                "user-model",
                "pdpo-loss",
                "llm-backbone",
                "text-measures",
                "whole-file",
            ],
        ),
        ("terminal", &["printable", "trainer", "whole-file"]),
        (
            "prlhf",
            &[
                "printable",
                "trainer",
                "terminal",
                "judge",
                "statistics",
                "text-measures",
                "whole-file",
            ],
        ),
        (
            "bench",
            &[
                "printable",
                "trainer",
                "terminal",
                "judge",
                "statistics",
                "text-measures",
                "whole-file",
            ],
        ),
        ("speed", &["trainer", "terminal", "statistics"]),
        ("fuzz", &["trainer"]),
        ("xtask", &[]),
    ];
    let allowed: BTreeMap<_, BTreeSet<_>> = allowed
        .into_iter()
        .map(|(name, known)| {
            (
                name.to_owned(),
                known.iter().map(|&known| known.to_owned()).collect(),
            )
        })
        .collect();
    assert_eq!(edges(), allowed, "left: manifests; right: architecture");
}

/// Package to its features, as cargo builds them for a selection of crates and kinds of dependencies.
fn features(selection: &[&str], kinds: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut args = vec!["tree", "--offline", "--prefix=none", "--format={p}|{f}"];
    args.extend(["--edges", kinds]);
    args.extend(selection);
    let mut packages = BTreeMap::<_, BTreeSet<_>>::new();
    for line in cargo(&args).lines() {
        let line = line.trim_end_matches("(*)").trim_end();
        if let Some((package, features)) = line.split_once('|') {
            packages
                .entry(package.to_owned())
                .or_default()
                .insert(features.trim().to_owned());
        }
    }
    packages
}

/// Programs, examples and tests share one build of burn only if none of them asks for other features below it. Where
/// this fails, name the feature in a normal dependency of `terminal`, as the root manifest does for ciborium.
#[test]
fn one_build_of_burn_serves_programs_and_tests() {
    let below = features(&["-p", "burn"], "normal,build");
    assert!(below.keys().any(|package| package.starts_with("burn-core")));
    let tests = features(&["--workspace"], "normal,build,dev,no-proc-macro");
    for selection in [
        &["--workspace"][..],
        &[],
        &["-p", "prlhf"],
        &["-p", "bench"],
        &["-p", "bench", "--features", "bench/online"],
    ] {
        let ours = features(selection, "normal,build,no-proc-macro");
        let differing: Vec<_> = ours
            .into_iter()
            .filter(|(package, _)| below.contains_key(package))
            .filter(|(package, features)| tests.get(package) != Some(features))
            .collect();
        assert_eq!(differing, [], "selection {selection:?}");
    }
}

/// What belongs to programs: command line, terminal, signals, log subscribers, clients of hubs.
const OF_PROGRAMS: [&str; 9] = [
    "clap",
    "console",
    "crossterm",
    "ctrlc",
    "hf-hub",
    "indicatif",
    "ratatui",
    "tracing-subscriber",
    "ureq",
];

#[test]
fn the_library_holds_no_command_line_terminal_or_hub() {
    let found = features(&["-p", "trainer"], "normal");
    let names = found.keys().filter_map(|package| package.split(' ').next());
    let found: Vec<_> = names.filter(|name| OF_PROGRAMS.contains(name)).collect();
    assert_eq!(found, <[&str; 0]>::default());
}

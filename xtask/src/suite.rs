//! `cargo xtask test`: every test of the workspace, then every example.

use std::error::Error;
use std::process::ExitCode;

use crate::assets::SMALL_MODEL;
use crate::cargo::Cargo;
use crate::fetch;

/// An example of a library crate, with arguments that keep it short. Paths are relative to the workspace's root.
struct Example {
    name: &'static str,
    args: &'static [&'static str],
}

const fn example(name: &'static str, args: &'static [&'static str]) -> Example {
    Example { name, args }
}

/// Every file in `crates/*/examples`.
const EXAMPLES: &[Example] = &[
    // pref-data
    example("load", &["datasets/mini/tldr.jsonl"]),
    example("stream", &["4"]),
    example("simulate_tldr", &["target/examples-out/tldr"]),
    // mini-data
    example("make_mini_data", &["target/examples-out/mini"]),
    // pdpo-loss
    example("dpo_on_numbers", &[]),
    // user-model
    example("two_users", &[]),
    // llm-backbone
    example("generate", &[]),
    example("inspect_model", &[]),
    // trainer
    example("own_loss", &[]),
    example("train_two_users", &[]),
    // judge
    example("judge_two_texts", &[]),
    // bench
    example("report_demo", &["target/examples-out/report"]),
    example(
        "report_again",
        &[
            "target/examples-out/report",
            "target/examples-out/report-again",
        ],
    ),
];

/// Runs the tests and the examples; fails if any of them does, and where `CI` is set, without the small real model.
pub fn run() -> Result<ExitCode, Box<dyn Error>> {
    if let Err(error) = fetch::by_name(SMALL_MODEL) {
        if std::env::var_os("CI").is_some() {
            return Err(error.into());
        }
        eprintln!(
            "{error}\nGoing on without it: the tests that need the real model will say that they are skipped.\n"
        );
    }
    if !Cargo::release("test")
        .args(["--workspace", "--no-fail-fast"])
        .succeeds()?
    {
        return Err("tests failed, see above".into());
    }
    for Example { name, args } in EXAMPLES {
        if !Cargo::release("run")
            .args(["--quiet", "--example", name, "--"])
            .args(*args)
            .succeeds()?
        {
            return Err(format!("the example `{name}` failed, see above").into());
        }
    }
    eprintln!("All tests passed, and all {} examples ran.", EXAMPLES.len());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::cargo::root;

    /// Names of the examples in a folder; none if there is no such folder.
    fn in_folder(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let files = entries.map(|entry| entry.expect("a readable folder").path());
        files
            .filter(|path| path.extension().is_some_and(|end| end == "rs"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect()
    }

    #[test]
    fn the_table_names_every_example_once() {
        let crates = fs::read_dir(root().join("crates")).expect("the crates");
        let mut found: Vec<String> = crates
            .flat_map(|entry| in_folder(&entry.expect("a readable folder").path().join("examples")))
            .collect();
        found.sort();
        let mut listed: Vec<_> = EXAMPLES.iter().map(|example| example.name).collect();
        listed.sort_unstable();
        assert_eq!(listed, found, "left: the table in suite.rs; right: files");
    }
}

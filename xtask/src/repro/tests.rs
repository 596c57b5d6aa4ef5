use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    experiment: Experiment,
}

fn try_parse(line: &str) -> Result<Experiment, clap::Error> {
    let words = std::iter::once("repro").chain(line.split_whitespace());
    Ok(Line::try_parse_from(words)?.experiment)
}

fn parse(line: &str) -> Experiment {
    try_parse(line).unwrap()
}

fn refused(line: &str) -> String {
    try_parse(line).err().expect("a refusal").to_string()
}

/// The command line, with the part that every command has cut off.
fn command(line: &str, fetched: Option<&str>) -> String {
    let command = parse(line).command(fetched.map(PathBuf::from)).to_string();
    let common = format!("{} -p bench --bin bench ", Cargo::release("run"));
    let rest = command.strip_prefix(&common).map(str::to_owned);
    rest.unwrap_or_else(|| panic!("{command} does not start with {common}"))
}

#[test]
fn without_flags_bench_decides() {
    for experiment in ["tldr", "psoups", "prism", "onboarding"] {
        assert_eq!(command(experiment, None), format!("-- {experiment}"));
    }
}

#[test]
fn every_flag_reaches_bench_unchanged() {
    let common = "--data Cargo.toml --data src --preset small --model m --device flex --seed 7 --out o --user-tokens 1 \
                  --alpha 0.5 --loss ipo --clusters 2 --systems vanilla-dpo,pdpo-cluster --config Cargo.toml --set training.batch=2 \
                  --set objective.loss=ipo --resume --no-generic";
    let judge = "--judge-url http://localhost:1/v1 --judge-model m --judge-calls 9";
    for (experiment, own) in [
        (
            "tldr",
            "--annotators simulated --policies all --workers 40 --population-seed 3456".to_string(),
        ),
        ("psoups", format!("--prompts Cargo.toml {judge}")),
        ("prism", judge.to_string()),
        ("onboarding", "--of tldr --annotators real".to_string()),
    ] {
        let line = format!("{experiment} {common} {own}");
        let expected = format!("--features bench/online -- {line}");
        assert_eq!(command(&line, None), expected);
    }
    assert_eq!(command("tldr --force", None), "-- tldr --force");
    assert_eq!(command("tldr --stats", None), "-- tldr --stats");
}

#[test]
fn several_paths_may_follow_one_data_flag() {
    assert_eq!(
        command("tldr --data Cargo.toml src --seed 1", None),
        "-- tldr --data Cargo.toml --data src --seed 1"
    );
}

#[test]
fn a_gpu_turns_the_feature_on() {
    assert_eq!(
        command("prism --device cuda:1", None),
        "--features bench/cuda -- prism --device cuda:1"
    );
    assert_eq!(
        command("prism --device wgpu", None),
        "--features bench/wgpu -- prism --device wgpu"
    );
}

#[test]
fn a_hub_or_https_turns_the_feature_on() {
    for line in [
        "tldr --model owner/name",
        "tldr --preset paper",
        "tldr --set model.source=owner/name",
        "tldr --config Cargo.toml",
        "psoups --judge-url https://a/v1 --judge-model m",
    ] {
        let expected = format!("--features bench/online -- {line}");
        assert_eq!(command(line, None), expected);
    }
    for line in [
        "tldr --model src",
        "tldr --preset paper --model src",
        "tldr --preset tiny",
        "psoups --judge-url http://localhost:1/v1 --judge-model m",
        "tldr --set training.batch=2",
    ] {
        assert_eq!(command(line, None), format!("-- {line}"));
    }
}

#[test]
fn only_small_without_a_model_needs_the_download() {
    assert!(parse("tldr --preset small").parts().1.needs_small_model());
    for line in [
        "tldr",
        "psoups --preset tiny",
        "tldr --preset small --stats",
        "tldr --preset small --model x",
    ] {
        assert!(!parse(line).parts().1.needs_small_model(), "{line}");
    }
    assert_eq!(
        command("tldr --preset small", Some("cache/m.gguf")),
        "-- tldr --preset small --model cache/m.gguf"
    );
}

#[test]
fn what_cannot_work_is_refused_before_the_build() {
    assert!(refused("tldr --data nowhere.json").contains("no such file or folder"));
    assert!(refused("psoups --prompts nowhere.json").contains("no such file or folder"));
    for device in ["gpu", "flex:0", "cuda", "wgpu:x", "flex,"] {
        let refusal = refused(&format!("tldr --device {device}"));
        assert!(refusal.contains("expected `flex`, `cuda:N`"), "{refusal}");
    }
    assert!(refused("tldr --preset large").contains("tiny, small, paper"));
    for assignment in ["training.batch", "=2"] {
        let refusal = refused(&format!("tldr --set {assignment}"));
        assert!(refusal.contains("expected KEY=VALUE"), "{refusal}");
    }
    assert!(refused("tldr --resume --force").contains("cannot be used with"));
    assert!(refused("prism --judge-url http://localhost").contains("--judge-model"));
}

#[test]
fn the_readme_says_how_long_a_first_build_takes() {
    let readme = std::fs::read_to_string(cargo::root().join("README.md")).unwrap();
    let words: Vec<&str> = readme.split_whitespace().collect();
    let expected = format!("The first build takes {FIRST_BUILD}.");
    assert!(
        words.join(" ").contains(&expected),
        "README.md lacks: {expected}"
    );
}

#[test]
fn paths_mean_the_same_from_another_folder() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let line = "psoups --data Cargo.toml --out runs/a --model src --prompts Cargo.toml";
    let moved = parse(line).seen_from_root(here).command(None).to_string();
    let there = here.display();
    for expected in [
        format!("--data {there}/Cargo.toml"),
        format!("--out {there}/runs/a"),
        format!("--model {there}/src"),
        format!("--prompts {there}/Cargo.toml"),
    ] {
        assert!(moved.contains(&expected), "{moved} lacks {expected}");
    }
    let hub = parse("tldr --model owner/name")
        .seen_from_root(here)
        .command(None)
        .to_string();
    assert!(hub.ends_with("--model owner/name"), "{hub}");
    let root = parse(line)
        .seen_from_root(&cargo::root())
        .command(None)
        .to_string();
    assert!(root.contains("--data Cargo.toml"), "{root}");
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn huge_pages_are_asked_for_in_the_printed_command_unless_the_user_chose() {
    let shown = Cargo::release("run").with_huge_pages().to_string();
    let chosen = std::env::var_os("GLIBC_TUNABLES").is_some();
    let expected = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1 cargo run";
    assert_eq!(shown.starts_with(expected), !chosen, "{shown}");
}

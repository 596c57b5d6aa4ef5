use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: TldrArgs,
}

fn parse(line: &str) -> TldrArgs {
    let words = std::iter::once("tldr").chain(line.split_whitespace());
    Line::try_parse_from(words).unwrap().args
}

fn refused(line: &str) -> String {
    let words = std::iter::once("tldr").chain(line.split_whitespace());
    Line::try_parse_from(words)
        .err()
        .expect("a refusal")
        .to_string()
}

/// The command line, with the part that every command has cut off.
fn command(line: &str, fetched: Option<&str>) -> String {
    let command = parse(line).command(fetched.map(PathBuf::from)).to_string();
    let common = format!("{} --bin bench ", Cargo::release("run"));
    let rest = command.strip_prefix(&common).map(str::to_owned);
    rest.unwrap_or_else(|| panic!("{command} does not start with {common}"))
}

#[test]
fn without_flags_bench_decides() {
    assert_eq!(command("", None), "-- tldr");
}

#[test]
fn every_flag_reaches_bench_unchanged() {
    let all = "--data Cargo.toml --data src --preset small --model m --device flex --seed 7 --out o --policies all \
               --workers 40 --user-tokens 1 --alpha 0.5 --clusters 2 --population-seed 3456 \
               --systems vanilla-dpo,pdpo-cluster --config Cargo.toml --resume --stats --no-generic";
    assert_eq!(command(all, None), format!("-- tldr {all}"));
    assert_eq!(command("--force", None), "-- tldr --force");
}

#[test]
fn several_paths_may_follow_one_data_flag() {
    assert_eq!(
        command("--data Cargo.toml src --seed 1", None),
        "-- tldr --data Cargo.toml --data src --seed 1"
    );
}

#[test]
fn a_gpu_turns_the_feature_on() {
    assert_eq!(
        command("--device cuda:1", None),
        "--features bench/cuda -- tldr --device cuda:1"
    );
}

#[test]
fn only_small_without_a_model_needs_the_download() {
    assert!(parse("--preset small").needs_small_model());
    for line in [
        "",
        "--preset tiny",
        "--preset small --stats",
        "--preset small --model x",
    ] {
        assert!(!parse(line).needs_small_model(), "{line}");
    }
    assert_eq!(
        command("--preset small", Some("cache/m.gguf")),
        "-- tldr --preset small --model cache/m.gguf"
    );
}

#[test]
fn what_cannot_work_is_refused_before_the_build() {
    assert!(refused("--data nowhere.json").contains("no such file or folder"));
    assert!(refused("--device gpu").contains("expected `flex` or `cuda:N`"));
    assert!(refused("--preset large").contains("tiny, small, paper"));
    assert!(refused("--resume --force").contains("cannot be used with"));
}

#[test]
fn paths_mean_the_same_from_another_folder() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let line = "--data Cargo.toml --out runs/a --model src";
    let moved = parse(line).seen_from_root(here);
    assert_eq!(moved.data, [here.join("Cargo.toml")]);
    assert_eq!(moved.out, Some(here.join("runs/a")));
    assert_eq!(moved.model, Some(here.join("src").into()));
    let hub = parse("--model owner/name").seen_from_root(here);
    assert_eq!(hub.model, Some("owner/name".into()));
    let root = parse(line).seen_from_root(&cargo::root());
    assert_eq!(root.data, [Path::new("Cargo.toml")]);
}

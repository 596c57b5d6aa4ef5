//! `docs/paper.md` says of our settings what the presets have.

use std::path::{Path, PathBuf};

use bench::config::{ExperimentConfig, Preset};
use bench::experiment::Experiment;
use bench::{PrismConfig, PsoupsConfig, TldrConfig};
use toml::{Table, Value};

/// Sections whose keys the page must all name.
const SECTIONS: [&str; 6] = [
    "model",
    "prompt",
    "lora",
    "objective",
    "training",
    "sampling",
];

/// Keys of these sections that no preset of the paper has.
const ABSENT: [&str; 1] = ["model.adapters"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The effective settings of a preset, defaults and all.
fn effective<E: Experiment>() -> Table {
    let path = root().join(format!("configs/{}/paper.toml", E::NAME));
    let config: ExperimentConfig<E> = Preset::read(&path).unwrap().config().unwrap();
    Table::try_from(&config).unwrap()
}

/// The value of a key; a system is found by its name, and has its users' settings with their defaults.
fn value(config: &Table, key: &str) -> Option<Value> {
    let mut parts = key.split('.');
    let mut at = config.get(parts.next()?)?.clone();
    for part in parts {
        at = match &at {
            Value::Array(systems) => {
                let named = |system: &&Value| system.get("name") == Some(&Value::from(part));
                systems.iter().find(named)?.clone()
            }
            at => at.get(part)?.clone(),
        };
    }
    Some(at)
}

/// Numbers that went through 32 bits have lost some of theirs.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => (a - b).abs() <= 1e-6 * a.abs(),
        (a, b) => a == b,
    }
}

/// The cells of a line of a table; `\|` is no border.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_matches('|').replace(r"\|", "\u{1}");
    let cells = line
        .split('|')
        .map(|cell| cell.trim().replace('\u{1}', "|"));
    cells.collect()
}

/// What stands in the first pair of backticks.
fn quoted(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

/// The keys of a section of the page, with what it says of each.
fn stated(page: &str, title: &str) -> Vec<(String, Value)> {
    let after = page.split(&format!("\n## {title}\n")).nth(1).unwrap();
    let section = after.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.filter_map(|line| {
        let cells = cells(line);
        assert_eq!(cells.len(), 5, "{line}");
        let key = quoted(&cells[4])?;
        let text = quoted(&cells[3]).unwrap_or_else(|| panic!("no value: {line}"));
        let read: Table = toml::from_str(&format!("x = {text}")).unwrap();
        Some((key.to_owned(), read["x"].clone()))
    })
    .collect()
}

fn assert_page<E: Experiment>(title: &str) {
    let page = std::fs::read_to_string(root().join("docs/paper.md")).unwrap();
    let (config, stated) = (effective::<E>(), stated(&page, title));
    for (key, value_on_page) in &stated {
        let found = value(&config, key).unwrap_or_else(|| panic!("{title}: no key `{key}`"));
        assert!(
            same(&found, value_on_page),
            "{title}: `{key}` is {found}, and docs/paper.md says {value_on_page}"
        );
    }
    let all = SECTIONS.iter().flat_map(|section| {
        let keys = config[*section].as_table().unwrap().keys();
        keys.map(move |key| format!("{section}.{key}"))
    });
    for key in all.filter(|key| !ABSENT.contains(&key.as_str())) {
        let named = stated.iter().any(|(named, _)| *named == key);
        assert!(named, "{title}: docs/paper.md does not say what `{key}` is");
    }
    let data = config["data"].as_table().unwrap().keys();
    for key in data.filter(|key| *key != "paths") {
        let named = stated
            .iter()
            .any(|(named, _)| *named == format!("data.{key}"));
        assert!(
            named,
            "{title}: docs/paper.md does not say what `data.{key}` is"
        );
    }
}

#[test]
fn the_page_about_the_paper_says_what_the_presets_have() {
    assert_page::<TldrConfig>("TL;DR");
    assert_page::<PsoupsConfig>("P-SOUPS");
    assert_page::<PrismConfig>("PRISM");
}

#[test]
fn a_cell_may_hold_a_bar() {
    assert_eq!(cells(r"| a | `<\|user\|>` | |"), ["a", "`<|user|>`", ""]);
    assert_eq!(quoted("`0.5`, on"), Some("0.5"));
    assert!(same(&Value::Float(1.15), &Value::Float(f64::from(1.15f32))));
    assert!(!same(&Value::Float(1.15), &Value::Float(1.1)));
    assert!(!same(&Value::Integer(1), &Value::Float(1.0)));
}

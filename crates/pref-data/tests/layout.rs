//! Which layout a path has, and comparisons of the official ones without a split.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pref_data::prism::{PrismData, PrismOptions};
use pref_data::psoups::{PsoupsData, PsoupsOptions};
use pref_data::{Comparison, DataError, Layout, ReadOptions, Skipped, Split, general};
use tempfile::TempDir;

fn mini(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../datasets/mini")
        .join(name)
}

#[test]
fn mini_data_is_told_apart() {
    for (name, layout) in [
        ("example.jsonl", Layout::General),
        ("tldr.jsonl", Layout::Tldr),
        ("psoups", Layout::Psoups),
        ("psoups/rm_training", Layout::Psoups),
        ("psoups/rm_training/P2B.json", Layout::Psoups),
        ("prism", Layout::Prism),
        ("prism/survey.jsonl", Layout::Prism),
        ("prism/conversations.jsonl", Layout::Prism),
    ] {
        assert_eq!(Layout::detect(&[mini(name)]).unwrap(), layout, "{name}");
    }
}

/// The fields of an official record.
const TLDR: &str = r#"{"info": {}, "summaries": [], "choice": 0, "worker": "w", "split": "train"}"#;

#[test]
fn contents_tell_and_not_the_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("P1A.json");
    let general = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;
    for (text, layout) in [
        (general, Layout::General),
        (&format!("broken\n{TLDR}"), Layout::Tldr),
        (
            "[{\"user_input\": \"i\", \"completion_a\": \"a\", \"completion_b\": \"b\"}]",
            Layout::Psoups,
        ),
        (
            "{\"conversation_id\": \"c\", \"user_id\": \"u\", \"conversation_history\": []}",
            Layout::Prism,
        ),
        ("", Layout::General),
        // One field of an official layout is not that layout.
        ("{\"summaries\": []}", Layout::General),
        (
            "{\"prompt\": \"p\", \"completion_a\": \"a\"}",
            Layout::General,
        ),
        (
            "{\"user_id\": \"u\", \"stated_prefs\": \"s\"}",
            Layout::General,
        ),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(Layout::detect(&[&path]).unwrap(), layout, "{text}");
    }
    // A file that says nothing, metadata for example, leaves it to the next one.
    fs::write(folder.path().join("a.json"), "{\"models\": 21}").unwrap();
    fs::write(folder.path().join("b.json"), TLDR).unwrap();
    let paths = ["a.json", "b.json"].map(|name| folder.path().join(name));
    assert_eq!(Layout::detect(&paths).unwrap(), Layout::Tldr);
}

#[test]
fn an_archive_is_to_be_unpacked_and_a_folder_without_data_is_an_error() {
    let folder = TempDir::new().unwrap();
    let error = Layout::detect(&[folder.path()]).unwrap_err();
    assert!(matches!(error, DataError::NoFiles { .. }), "{error}");
    let archive = folder.path().join("data.zip");
    fs::write(&archive, "PK").unwrap();
    let error = Layout::detect(&[&archive]).unwrap_err();
    assert!(matches!(error, DataError::Packed { .. }), "{error}");
}

/// Comparisons by what is in them, the group aside.
fn set<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>) -> BTreeSet<String> {
    let line = |one: &Comparison| serde_json::to_string(one).unwrap();
    comparisons.into_iter().map(line).collect()
}

fn sides(split: &Split) -> impl Iterator<Item = &Comparison> {
    split
        .train
        .iter()
        .chain(&split.validation)
        .chain(&split.test)
}

fn read(name: &str) -> (Vec<Comparison>, Skipped) {
    pref_data::read_comparisons(&[mini(name)], ReadOptions::default()).unwrap()
}

#[test]
fn comparisons_of_any_layout_are_read_without_a_split() {
    let (found, skipped) = read("psoups");
    let data = PsoupsData::load(&[mini("psoups")], &PsoupsOptions::default()).unwrap();
    assert_eq!(set(&found), set(sides(&data.split)));
    assert_eq!(skipped, data.skipped);

    let (found, skipped) = read("prism");
    let data = PrismData::load(&[mini("prism")], &PrismOptions::default()).unwrap();
    let reason = "comparison whose pair is in training, or in test";
    let on_two_sides = data.skipped.count(reason) as usize;
    assert!(set(&found).is_superset(&set(sides(&data.split))));
    assert_eq!(found.len(), sides(&data.split).count() + on_two_sides);
    assert_eq!(
        skipped.total() as usize + on_two_sides,
        data.skipped.total() as usize
    );
    assert!(found.iter().any(|one| one.user_text.is_some()));

    let reader = general::read(&[mini("example.jsonl")], ReadOptions::default()).unwrap();
    assert_eq!(read("example.jsonl"), reader.read_all().unwrap());
}

#[test]
fn official_records_are_read_as_the_annotators_decided() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("batch.json");
    let record = |choice: u8, second: &str| {
        format!(
            r#"{{"info":{{"id":"p","post":"Post."}},"split":"train","summaries":[{{"text":" a","policy":"x"}},{{"text":"{second}","policy":"y"}}],"choice":{choice},"worker":"w"}}"#
        )
    };
    let same = record(1, " a");
    fs::write(
        &path,
        [record(0, " b"), record(1, " b"), same.clone()].join("\n"),
    )
    .unwrap();
    let (found, skipped) = pref_data::read_comparisons(&[&path], ReadOptions::default()).unwrap();
    let chosen: Vec<&str> = found.iter().map(|one| one.chosen.as_str()).collect();
    assert_eq!(chosen, [" a", " b"]);
    assert_eq!(skipped.count("chosen and rejected are equal"), 1);
    fs::write(&path, same).unwrap();
    let error = pref_data::read_comparisons(&[&path], ReadOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

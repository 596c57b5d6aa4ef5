//! Which layout a path has, and comparisons of the official ones without a split.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pref_data::{
    Comparison, DataError, Layout, PrismData, PrismOptions, PsoupsData, PsoupsOptions, Split,
    prism, psoups,
};
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

#[test]
fn contents_tell_and_not_the_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("P1A.json");
    let general = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;
    for (text, layout) in [
        (general, Layout::General),
        ("broken\n{\"summaries\": []}", Layout::Tldr),
        ("[{\"completion_a\": \"a\"}]", Layout::Psoups),
        (
            "{\"utterance_id\": \"u\", \"model_response\": \"r\"}",
            Layout::Prism,
        ),
        ("", Layout::General),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(Layout::detect(&[&path]).unwrap(), layout, "{text}");
    }
    // A file that says nothing, metadata for example, leaves it to the next one.
    fs::write(folder.path().join("a.json"), "{\"models\": 21}").unwrap();
    fs::write(folder.path().join("b.json"), "{\"summaries\": []}").unwrap();
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

#[test]
fn without_a_split_the_comparisons_are_those_of_all_sides() {
    let options = PsoupsOptions::default();
    let (found, skipped) = psoups::read_comparisons(&[mini("psoups")], &options).unwrap();
    let data = PsoupsData::load(&[mini("psoups")], &options).unwrap();
    assert_eq!(set(&found), set(sides(&data.split)));
    assert_eq!(skipped, data.skipped);

    let options = PrismOptions::default();
    let (found, skipped) = prism::read_comparisons(&[mini("prism")], &options).unwrap();
    let data = PrismData::load(&[mini("prism")], &options).unwrap();
    let on_two_sides = data.skipped.count(prism::prepare::ON_TWO_SIDES) as usize;
    assert!(set(&found).is_superset(&set(sides(&data.split))));
    assert_eq!(found.len(), sides(&data.split).count() + on_two_sides);
    assert_eq!(
        skipped.total() as usize + on_two_sides,
        data.skipped.total() as usize
    );
    assert!(found.iter().any(|one| one.user_text.is_some()));
}

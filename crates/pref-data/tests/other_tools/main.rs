//! Records and files as other tools write them, and what is said of them.

mod choices;
mod columns;
mod dialogues;
mod folders;
mod packed;
mod shapes;
mod thumbs;
mod unsaid;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pref_data::{
    Columns, Comparison, DataOptions, Layout, Message, Prompt, ReadOptions, Skipped, Thumb,
    read_comparisons,
};
use tempfile::TempDir;

/// What a file of this name and these contents gives.
fn read_as(
    name: &str,
    text: impl AsRef<[u8]>,
    options: impl Into<DataOptions>,
) -> Result<(Vec<Comparison>, Skipped), String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read_comparisons(&[&path], options).map_err(|error| error.to_string())
}

fn read(name: &str, text: impl AsRef<[u8]>) -> (Vec<Comparison>, Skipped) {
    read_as(name, text, ReadOptions::default()).unwrap()
}

/// The only comparison of a line of JSON, and the notes.
fn one(line: &str) -> (Comparison, Vec<String>) {
    let (mut all, skipped) = read("a.jsonl", line);
    assert_eq!(all.len(), 1);
    (all.remove(0), skipped.notes())
}

#[track_caller]
fn error(name: &str, text: impl AsRef<[u8]>) -> String {
    let message = read_as(name, text, ReadOptions::default()).unwrap_err();
    assert!(message.contains(name), "{message}");
    message
}

fn texts(comparison: &Comparison) -> [&str; 3] {
    let Prompt::Text(prompt) = &comparison.prompt else {
        panic!("{:?}", comparison.prompt);
    };
    [prompt, &comparison.chosen, &comparison.rejected]
}

fn chat(turns: &[(&str, &str)]) -> Prompt {
    Prompt::Chat(
        turns
            .iter()
            .map(|(role, text)| Message::new(*role, *text))
            .collect(),
    )
}

fn noted(notes: &[String], what: &str) {
    assert!(
        notes.iter().any(|note| note.contains(what)),
        "{what}: {notes:?}"
    );
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

//! Reading does not fill the memory. Alone in its program, because the peak that is measured is the program's.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use pref_data::{DataError, ReadOptions, prism, psoups};
use tempfile::TempDir;

const BYTES: usize = 60_000_000;
const ALLOWED_MEGABYTES: u64 = 16;

/// The records of a file of the mini data, which has one on a line.
fn records(name: &str) -> Vec<String> {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let text = fs::read_to_string(mini.join(name)).unwrap();
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

/// Repeats records until there are [`BYTES`]; returns how many there are.
fn write(path: &Path, records: &[String], [open, between, close]: [&str; 3]) -> usize {
    let mut output = BufWriter::new(File::create(path).unwrap());
    output.write_all(open.as_bytes()).unwrap();
    let (mut bytes, mut count) = (0, 0);
    for record in records.iter().cycle() {
        if count > 0 {
            output.write_all(between.as_bytes()).unwrap();
        }
        output.write_all(record.as_bytes()).unwrap();
        bytes += record.len();
        count += 1;
        if bytes >= BYTES {
            break;
        }
    }
    output.write_all(close.as_bytes()).unwrap();
    output.flush().unwrap();
    count
}

/// The most memory that this program has held; nothing where the system does not say.
fn peak_megabytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1000)
}

fn count<T>(records: impl Iterator<Item = Result<T, DataError>>) -> usize {
    records.map(Result::unwrap).count()
}

#[test]
fn a_large_file_is_read_in_little_memory() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("P1A.json");
    let options = ReadOptions::default();
    let rows = records("psoups/rm_training/P1A.json");
    let talks = records("prism/conversations.jsonl");
    let before = peak_megabytes();
    let (lines, array) = (["", "\n", "\n"], ["[", ",", "]"]);
    for marks in [lines, array] {
        let written = write(&path, &rows, marks);
        assert_eq!(count(psoups::read(&[&path], options).unwrap()), written);
        let written = write(&path, &talks, marks);
        assert_eq!(
            count(prism::read_dialogues(&[&path], options).unwrap()),
            written
        );
    }
    if let (Some(before), Some(after)) = (before, peak_megabytes()) {
        assert!(
            after - before <= ALLOWED_MEGABYTES,
            "{before} to {after} MB"
        );
    }
}

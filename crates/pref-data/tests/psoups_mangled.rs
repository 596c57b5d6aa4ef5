//! Mangled profile files and prompt files: never a crash; every error names the file and a place in it.

mod mangling;

use std::fs;
use std::path::Path;

use pref_data::psoups::{self, PsoupsData, PsoupsOptions};
use pref_data::{DataError, ReadOptions, read_prompts};
use proptest::prelude::*;
use tempfile::TempDir;

use mangling::{edits, mangle};

const ROWS: &str = r#"{"user_input":"Name \"a\" fruit. Be kind to me.","completion_a":"Apple\n.","completion_b":"Stone"}
{"user_input":"Sing. Be kind to me.","completion_a":"La","completion_b":"No [1]","more":[1,{"x":2}]}
{"user_input":"Where? Be kind to me.","completion_a":"Hére","completion_b":"There"}
"#;
const FIELDS: [&str; 3] = ["user_input", "completion_a", "completion_b"];

fn array(lines: &str) -> String {
    format!("[{}]", lines.trim_end().replace('\n', ",\n"))
}

/// The message begins with file and line.
fn names_a_place(path: &Path, error: &DataError) -> bool {
    let message = error.to_string();
    let name = format!("{}:", path.display());
    let rest = message.strip_prefix(&name).unwrap_or("");
    let line: String = rest.chars().take_while(char::is_ascii_digit).collect();
    line.parse::<u64>().is_ok_and(|line| line > 0)
}

/// Rows read and records skipped.
fn streamed(path: &Path, lenient: bool) -> Result<(usize, u64), TestCaseError> {
    let mut reader = psoups::read(&[path], ReadOptions { lenient }).unwrap();
    let mut rows = 0;
    for row in reader.by_ref() {
        match row {
            Ok(_) => rows += 1,
            Err(error) => prop_assert!(names_a_place(path, &error), "{error}"),
        }
    }
    Ok((rows, reader.skipped().total()))
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("P1A.json");
    fs::write(&path, bytes).unwrap();
    for lenient in [false, true] {
        streamed(&path, lenient)?;
        let options = PsoupsOptions {
            read: ReadOptions { lenient },
            ..PsoupsOptions::default()
        };
        match PsoupsData::load(&[&path], &options) {
            Err(error @ DataError::Record(_)) => prop_assert!(names_a_place(&path, &error)),
            Ok(_) | Err(DataError::Empty { .. } | DataError::Split(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
    for name in ["p.json", "p.txt"] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        match read_prompts(&path) {
            Err(error @ DataError::Record(_)) => prop_assert!(names_a_place(&path, &error)),
            Ok(prompts) => prop_assert!(prompts.iter().all(|prompt| !prompt.trim().is_empty())),
            Err(error) => prop_assert!(matches!(error, DataError::Empty { .. }), "{error}"),
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn edited_bytes(edits in edits()) {
        check(&mangle(ROWS, &edits))?;
        check(&mangle(&array(ROWS), &edits))?;
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    /// One field of one row holds another type or is missing: one row is skipped, the others are read.
    #[test]
    fn a_field_of_another_type(
        place in 0usize..3,
        field in prop::sample::select(FIELDS.to_vec()),
        value in prop::sample::select(vec!["null", "1", "true", "[\"x\"]", "{\"x\":\"y\"}", "absent"]),
        in_array in any::<bool>(),
    ) {
        let lines: Vec<String> = ROWS.lines().enumerate().map(|(n, line)| {
            let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
            let map = row.as_object_mut().unwrap();
            if n == place {
                map.remove(field);
                if value != "absent" {
                    map.insert(field.into(), serde_json::from_str(value).unwrap());
                }
            }
            row.to_string()
        }).collect();
        let text = if in_array { array(&lines.join("\n")) } else { lines.join("\n") };
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("P1A.json");
        fs::write(&path, text).unwrap();
        prop_assert_eq!(streamed(&path, true)?, (2, 1));
        prop_assert_eq!(streamed(&path, false)?, (2, 0));
        let error = psoups::read(&[&path], ReadOptions::default()).unwrap().find_map(Result::err).unwrap();
        let item = if in_array { format!("item {}, ", place + 1) } else { String::new() };
        let start = format!("{}:{}: {item}field `{field}`", path.display(), place + 1);
        prop_assert!(error.to_string().starts_with(&start), "{error}");
    }

    /// A line that is not UTF-8 costs that line only.
    #[test]
    fn invalid_utf8(place in 0usize..3, byte in 0x80u8..=0xff) {
        let mut bytes = Vec::new();
        for (n, line) in ROWS.lines().enumerate() {
            let mut line = line.as_bytes().to_vec();
            if n == place {
                line.insert(15, byte);
            }
            bytes.extend(line);
            bytes.push(b'\n');
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("P1A.json");
        fs::write(&path, bytes).unwrap();
        prop_assert_eq!(streamed(&path, true)?, (2, 1));
    }
}

#[test]
fn an_array_that_is_cut_off_is_an_error_strict_or_lenient() {
    let whole = array(ROWS);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("P1A.json");
    let lengths = (1..whole.len()).filter(|&length| whole.is_char_boundary(length));
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        for lenient in [false, true] {
            let reader = psoups::read(&[&path], ReadOptions { lenient }).unwrap();
            let error = reader.last().unwrap().unwrap_err();
            assert!(names_a_place(&path, &error), "{error}");
        }
    }
}

//! The project's own small data sets, in the layouts of the official ones and in the general one: written by hand and by seeded templates, free
//! of real people and real texts. A test holds the files in `datasets/mini` to what this crate writes.
//!
//! It knows the layouts, but no reader of them: `pref-data`, which reads the files, is checked by what is written here, and
//! the other way round.

mod example;
mod prism;
mod psoups;
mod random;
mod tldr;

use serde_json::Value;

/// Every file with its text, by its path below `datasets/mini`; the same on every call.
pub fn files() -> Vec<(String, String)> {
    let (survey, conversations) = prism::records(prism::SEED);
    let [train, test] = example::records(example::SEED);
    let mut files = vec![
        ("example.jsonl".into(), json_lines(&train)),
        ("example-test.jsonl".into(), json_lines(&test)),
        (
            "thumbs.jsonl".into(),
            json_lines(&example::thumbs(example::SEED)),
        ),
        (
            "tldr.jsonl".into(),
            json_lines(&tldr::records(tldr::SEED, tldr::POSTS)),
        ),
        ("prism/survey.jsonl".into(), json_lines(&survey)),
        (
            "prism/conversations.jsonl".into(),
            json_lines(&conversations),
        ),
    ];
    for (profile, rows) in psoups::rows(psoups::SEED) {
        let path = format!("psoups/rm_training/{profile}.json");
        files.push((path, json_array(&rows)));
    }
    files
}

/// One record a line, with a line end after the last.
fn json_lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// One array, one record a line.
fn json_array(records: &[Value]) -> String {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_shipped_files_are_what_the_generator_writes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
        let files = super::files();
        assert_eq!(files.len(), 12);
        for (path, text) in files {
            let shipped = fs::read_to_string(folder.join(&path)).unwrap();
            assert!(
                shipped == text,
                "write {path} anew with the example make_mini_data"
            );
        }
    }
}

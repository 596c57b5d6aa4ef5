//! Evaluation prompts: the Koala files as they are, JSON Lines, plain lines.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};

use pref_data::{Columns, DataError, Prompt, general, read_prompts};
use tempfile::TempDir;

fn koala() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/koala_eval");
    if !path.exists() {
        println!("skipped: the Koala prompts are not here");
        return None;
    }
    Some(path)
}

fn read(name: &str, text: impl AsRef<[u8]>) -> Result<Vec<String>, DataError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read_prompts(&path)
}

fn problem(name: &str, text: impl AsRef<[u8]>) -> String {
    let message = read(name, text).unwrap_err().to_string();
    message.rsplit_once(name).unwrap().1.to_owned()
}

#[test]
fn koala_files_hold_50_and_180_prompts() {
    let Some(folder) = koala() else { return };
    let prompts = read_prompts(&folder.join("koala_eval_50.json")).unwrap();
    assert_eq!(prompts.len(), 50);
    assert_eq!(
        prompts[0],
        "List the layers of the TCP/IP model and for each layer identify one protocol."
    );
    let other = read_prompts(&folder.join("koala_eval_50_pad.json")).unwrap();
    let differing: Vec<usize> = (0..50).filter(|&n| prompts[n] != other[n]).collect();
    assert_eq!(differing, [9, 17, 32, 41]);
    let all = read_prompts(&folder.join("koala_test_set.jsonl")).unwrap();
    assert_eq!(all.len(), 180);
    assert_eq!(all[2], prompts[0]);
}

#[test]
fn arrays_lines_of_json_and_plain_lines_are_read() {
    let wanted = ["one", "two\nlines"];
    let array = r#"[{"id":"0","prompt":"one"},{"prompt":"two\nlines"}]"#;
    assert_eq!(read("p.json", array).unwrap(), wanted);
    let lines = "{\"prompt\":\"one\"}\n\n{\"prompt\":\"two\\nlines\"}\n";
    assert_eq!(read("p.jsonl", lines).unwrap(), wanted);
    let plain = "\u{feff}one\r\n\n  \n two \nthrée";
    for name in ["p.txt", "p", "p.md"] {
        assert_eq!(read(name, plain).unwrap(), ["one", "two", "thrée"]);
    }
}

#[test]
fn every_line_of_plain_text_is_a_prompt_of_the_general_layout() {
    let read = |name: &str, text: &str| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let columns = Columns {
            prompt: Some("question".into()),
            ..Columns::default()
        };
        let read = general::read_prompts(&path, columns).read_all();
        let prompts = read.map(|(records, _)| records.into_iter().map(|r| r.prompt).collect());
        prompts.map_err(|error| error.to_string())
    };
    let texts =
        |texts: &[&str]| -> Vec<Prompt> { texts.iter().map(|t| Prompt::from(*t)).collect() };
    let plain = "One, two\r\n\n\"Three\" \u{e9}\nQ: \n[x] four";
    let expected = texts(&["One, two", "\"Three\" \u{e9}", "Q: ", "[x] four"]);
    assert_eq!(read("p.txt", plain), Ok(expected));
    assert_eq!(read("P.TXT", "one line"), Ok(texts(&["one line"])));
    // What is JSON by its first line is read as that.
    assert_eq!(read("p.txt", "{\"prompt\": \"x\"}\n"), Ok(texts(&["x"])));
    let words = "prompt, please tell me";
    assert_eq!(read("p.txt", words), Ok(texts(&[words])));
    for table in [
        "prompt\nx\n",
        "user,prompt\na,x\n",
        "\u{feff}prompt\tuser\nx\ta\n",
    ] {
        let error = read("p.txt", table).unwrap_err();
        assert!(
            error.contains(":1: ") && error.contains(".csv or .tsv"),
            "{error}"
        );
    }
}

#[test]
fn errors_name_the_place() {
    assert_eq!(
        problem("p.json", r#"[{"prompt":"x"},{"prompt":7}]"#),
        ":1: item 2, field `prompt`: expected text, found the number 7"
    );
    assert_eq!(
        problem("p.jsonl", "{\"prompt\":\"x\"}\n{\"prompt\":\" \"}"),
        ":2: field `prompt`: expected text that is not blank, found the text \" \""
    );
    assert!(problem("p.txt", b"one\ntwo \xff\n").starts_with(":2: field `(whole record)`"));
    assert!(problem("p.txt", vec![b'x'; (1 << 20) + 1]).contains("a longer line"));
    assert_eq!(problem("p.txt", "\n \n"), ": no prompt");
    assert_eq!(problem("p.json", "[]"), ": no prompt");
    assert!(problem("p.csv", "prompt\nx").contains("plain text"));
    assert!(matches!(
        read_prompts(Path::new("absent.txt")),
        Err(DataError::Io { .. })
    ));
    let folder = read_prompts(Path::new("tests")).unwrap_err().to_string();
    assert!(
        folder.contains("found a folder, expected a file"),
        "{folder}"
    );
}

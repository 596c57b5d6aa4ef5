//! Mangled input: never a crash; every error names the file and a line.

use std::fs;
use std::path::Path;

use pref_data::{DataError, ReadOptions, general, tldr};
use proptest::prelude::*;
use tempfile::TempDir;

const GENERAL: &str = r#"{"prompt":[{"role":"user","content":"hi"}],"chosen":"a","rejected":"b","user":3}
{"prompt":"p","chosen":"c","rejected":"d","user":"u","user_text":"t","source":"s"}
{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"y"}],"rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"z"}]}
"#;

const TLDR: &str = r#"{"info":{"id":"t3_a","post":"Post.","title":"T","subreddit":"x"},"split":"train","summaries":[{"text":" a","policy":"sup1","note":null},{"text":" bb","policy":"sup2","note":"ok"}],"choice":0,"worker":"w","batch":"b","extra":{"confidence":2}}
{"info":{"site":"cnn","article":"News.","title":"T"},"split":"valid1","summaries":[{"text":" a","policy":"sup1"},{"text":" bb","policy":"sup2"}],"choice":1,"worker":"v"}
"#;

const CSV: &str = "prompt,chosen,rejected,user\n\"a \"\"b\"\"\nc\",d,e,1\nf,g,h,\n";

/// Replaces, removes or repeats some bytes.
fn mangle(text: &str, edits: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for &(place, kind, byte) in edits {
        if bytes.is_empty() {
            break;
        }
        let place = place % bytes.len();
        match kind % 4 {
            0 => bytes[place] = byte,
            1 => drop(bytes.remove(place)),
            2 => bytes.insert(place, byte),
            _ => bytes.truncate(place),
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"\"{}[],:\\\n\r 0n".to_vec())
    ];
    prop::collection::vec((any::<usize>(), any::<u8>(), byte), 1..6)
}

fn check<T>(
    path: &Path,
    items: impl Iterator<Item = Result<T, DataError>>,
) -> Result<(), TestCaseError> {
    let name = format!("{}:", path.display());
    for item in items {
        if let Err(error) = item {
            let message = error.to_string();
            let line: String = message
                .strip_prefix(&name)
                .unwrap_or("")
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            prop_assert!(line.parse::<u64>().is_ok_and(|line| line > 0), "{message}");
        }
    }
    Ok(())
}

fn mangled(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    for lenient in [false, true] {
        let options = ReadOptions { lenient };
        check(&path, general::read(&[&path], options).unwrap())?;
        if name.ends_with("json") {
            check(&path, tldr::read(&[&path], options).unwrap())?;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn json_lines(edits in edits()) {
        mangled("a.json", &mangle(GENERAL, &edits))?;
        mangled("a.json", &mangle(TLDR, &edits))?;
    }

    #[test]
    fn json_arrays(edits in edits()) {
        let array = |text: &str| format!("[{}]", text.trim_end().replace('\n', ",\n"));
        mangled("a.json", &mangle(&array(GENERAL), &edits))?;
        mangled("a.json", &mangle(&array(TLDR), &edits))?;
    }

    #[test]
    fn csv(edits in edits()) {
        mangled("a.csv", &mangle(CSV, &edits))?;
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        mangled("a.json", &bytes)?;
        mangled("a.csv", &bytes)?;
        mangled("a.parquet", &bytes)?;
    }
}

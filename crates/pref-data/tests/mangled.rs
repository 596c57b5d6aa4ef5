//! Mangled input: never a crash; every error names the file and a line.

mod mangling;

use std::fs;
use std::path::Path;

use pref_data::{DataError, ReadOptions, general, tldr};
use proptest::prelude::*;
use tempfile::TempDir;

use mangling::{edits, mangle};

const GENERAL: &str = r#"{"prompt":[{"role":"user","content":"hi"}],"chosen":"a","rejected":"b","user":3}
{"prompt":"p","chosen":"c","rejected":"d","user":"u","user_text":"t","source":"s"}
{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"y"}],"rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"z"}]}
"#;

const TLDR: &str = r#"{"info":{"id":"t3_a","post":"Post.","title":"T","subreddit":"x"},"split":"train","summaries":[{"text":" a","policy":"sup1","note":null},{"text":" bb","policy":"sup2","note":"ok"}],"choice":0,"worker":"w","batch":"b","extra":{"confidence":2}}
{"info":{"site":"cnn","article":"News.","title":"T"},"split":"valid1","summaries":[{"text":" a","policy":"sup1"},{"text":" bb","policy":"sup2"}],"choice":1,"worker":"v"}
"#;

const CSV: &str = "prompt,chosen,rejected,user\n\"a \"\"b\"\"\nc\",d,e,1\nf,g,h,\n";

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

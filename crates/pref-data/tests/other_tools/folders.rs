//! Folders: which of their files are read.

use super::*;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

#[test]
fn all_of_a_folder_is_read_or_named() {
    let line =
        |name: &str| format!("{{\"prompt\":\"{name}\",\"chosen\":\"a\",\"rejected\":\"b\"}}\n");
    let folder = folder(&[
        ("part-0.jsonl", line("0").as_bytes()),
        ("part-1.jsonl.gz", &gzip(&line("1"))),
        ("more/part-2.jsonl", line("2").as_bytes()),
        ("README.md", b"words"),
        ("part-3.txt", b"words"),
        (".hidden.jsonl", b"words"),
    ]);
    let (found, skipped) = read_comparisons(&[folder.path()], ReadOptions::default()).unwrap();
    let mut prompts: Vec<&str> = found.iter().map(|one| texts(one)[0]).collect();
    prompts.sort_unstable();
    assert_eq!(prompts, ["0", "1", "2"]);
    noted(
        &skipped.notes(),
        "2 x file passed over: no data file by its ending",
    );
}

#[test]
fn of_folders_named_after_splits_training_is_read_and_the_others_are_named() {
    let line =
        |name: &str| format!("{{\"prompt\":\"{name}\",\"chosen\":\"a\",\"rejected\":\"b\"}}\n");
    let folder = folder(&[
        ("train/a.jsonl", line("0").as_bytes()),
        ("test/a.jsonl", line("1").as_bytes()),
    ]);
    let (found, skipped) = read_comparisons(&[folder.path()], ReadOptions::default()).unwrap();
    assert_eq!(found.len(), 1);
    noted(
        &skipped.notes(),
        "1 x file passed over: of another split than train",
    );
    let test = folder.path().join("test");
    assert_eq!(
        read_comparisons(&[test], ReadOptions::default())
            .unwrap()
            .0
            .len(),
        1
    );
}

#[test]
fn of_files_named_after_splits_training_is_read_and_the_others_are_named() {
    let line =
        |name: &str| format!("{{\"prompt\":\"{name}\",\"chosen\":\"a\",\"rejected\":\"b\"}}\n");
    let (train, other) = (line("0"), line("1"));
    let of = |names: [&str; 3]| {
        let [first, others @ ..] = names;
        let mut files = vec![(first, train.as_bytes())];
        files.extend(others.map(|name| (name, other.as_bytes())));
        let folder = folder(&files);
        let (found, skipped) = read_comparisons(&[folder.path()], ReadOptions::default()).unwrap();
        let prompts: Vec<_> = found.iter().map(|one| texts(one)[0].to_owned()).collect();
        (prompts.concat(), skipped.notes())
    };
    for names in [
        ["train.jsonl", "test.jsonl", "validation.jsonl"],
        [
            "data/train-00000-of-00001.jsonl",
            "data/test-00000-of-00001.jsonl",
            "data/Eval_1.jsonl",
        ],
    ] {
        let (prompts, notes) = of(names);
        assert_eq!(prompts, "0");
        noted(&notes, "2 x file passed over: of another split than train");
    }
    assert_eq!(of(["a.jsonl", "test.jsonl", "val.jsonl"]).0, "011");
    assert_eq!(of(["train.jsonl", "tests.jsonl", "devil.jsonl"]).0.len(), 3);
}

#[test]
fn a_missing_shard_of_a_saved_data_set_is_an_error() {
    let line = br#"{"prompt":"Q","chosen":"a","rejected":"b"}"#;
    let state = br#"{"_data_files": [{"filename": "data-0.jsonl"}, {"filename": "data-1.jsonl"}]}"#;
    let mut files: Vec<(&str, &[u8])> = vec![("data-0.jsonl", line), ("state.json", state)];
    let missing = folder(&files);
    let message = read_comparisons(&[missing.path()], ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("data-1.jsonl"), "{message}");
    files.push(("data-1.jsonl", line));
    let whole = folder(&files);
    let (found, _) = read_comparisons(&[whole.path()], ReadOptions::default()).unwrap();
    assert_eq!(found.len(), 2);
}

#[cfg(unix)]
#[test]
fn folders_that_hold_themselves_are_read_once_and_pipes_are_refused() {
    let folder = folder(&[("a.jsonl", br#"{"prompt":"Q","chosen":"a","rejected":"b"}"#)]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
    let (found, skipped) = read_comparisons(&[folder.path()], ReadOptions::default()).unwrap();
    assert_eq!(found.len(), 1);
    noted(&skipped.notes(), "1 x folder passed over: a link");
    let pipe = folder.path().join("p.jsonl");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let message = read_comparisons(&[&pipe], ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("p.jsonl") && message.contains("a pipe"),
        "{message}"
    );
}

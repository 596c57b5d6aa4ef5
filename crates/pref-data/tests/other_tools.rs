//! Records and files as other tools write them, and what is said of them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pref_data::{
    Columns, Comparison, DataOptions, Layout, Message, Prompt, ReadOptions, Skipped,
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

#[test]
fn hh_dialogues_are_split_before_the_last_answer() {
    let (found, notes) = one(
        r#"{"chosen": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant: So.", "rejected": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant: No."}"#,
    );
    let prompt = "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant:";
    assert_eq!(texts(&found), [prompt, " So.", " No."]);
    noted(&notes, "1 x a dialogue in one text");
    let messages = found.with_messages().unwrap();
    let expected = [("user", "Hi"), ("assistant", "Yes?"), ("user", "Why?")];
    assert_eq!(messages.prompt, chat(&expected));
    assert_eq!(
        (messages.chosen.as_str(), messages.rejected.as_str()),
        ("So.", "No.")
    );
    let other = r#"{"chosen": "\n\nHuman: Hi\n\nAssistant: A", "rejected": "\n\nHuman: Ho\n\nAssistant: B"}"#;
    assert!(error("a.jsonl", other).contains("the same dialogue"));
}

#[test]
fn what_the_human_says_behind_the_last_answer_is_no_response() {
    let (found, notes) = one(
        r#"{"chosen": "\n\nHuman: Q\n\nAssistant: Green.\n\nHuman: thanks", "rejected": "\n\nHuman: Q\n\nAssistant: No."}"#,
    );
    assert_eq!(texts(&found)[1..], [" Green.", " No."]);
    noted(&notes, "1 x what the human says behind the last answer");
}

#[test]
fn responses_that_repeat_the_prompt_are_cut_and_counted() {
    let (found, notes) = one(
        r#"{"prompt": "\n\nHuman: Hi\n\nAssistant:", "chosen": "\n\nHuman: Hi\n\nAssistant: A.", "rejected": "\n\nHuman: Hi\n\nAssistant: B."}"#,
    );
    assert_eq!(texts(&found), ["\n\nHuman: Hi\n\nAssistant:", " A.", " B."]);
    noted(&notes, "1 x both responses repeat the prompt");
    let (found, _) = one(r#"{"prompt": "Hi", "chosen": "Hi there", "rejected": "Hi you"}"#);
    assert_eq!(texts(&found), ["Hi", "Hi there", "Hi you"]);
}

#[test]
fn alpaca_question_and_orca_columns_are_read() {
    let (found, notes) = one(
        r#"{"instruction": "Translate.", "input": "Hund", "chosen": "dog", "rejected": "cat", "user": "u"}"#,
    );
    assert_eq!(texts(&found), ["Translate.\nHund", "dog", "cat"]);
    noted(&notes, "column `instruction` is taken for `prompt`");
    let (found, _) = one(r#"{"instruction": "Say.", "input": "", "chosen": "a", "rejected": "b"}"#);
    assert_eq!(texts(&found)[0], "Say.");
    let (found, notes) =
        one(r#"{"question": "Q", "response_j": "a", "response_k": "b", "worker": 7}"#);
    assert_eq!(texts(&found), ["Q", "a", "b"]);
    assert_eq!(found.user, Some("7".into()));
    noted(&notes, "column `response_j` is taken for `chosen`");
    let (found, _) =
        one(r#"{"system": "Be kind.", "question": "Q", "chosen": "a", "rejected": "b"}"#);
    assert_eq!(found.prompt, chat(&[("system", "Be kind."), ("user", "Q")]));
}

#[test]
fn system_history_and_input_are_used_beside_every_prompt() {
    let prompt = |line: &str| one(line).0.prompt;
    let asked = [("system", "S"), ("user", "Q")];
    let line = r#"{"system": "S", "conversations": [{"from": "human", "value": "Q"}], "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}"#;
    assert_eq!(prompt(line), chat(&asked));
    let line = r#"{"system": "S", "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "b"}]}"#;
    assert_eq!(prompt(line), chat(&asked));
    let line = r#"{"prompt": "Q", "system": "S", "chosen": "a", "rejected": "b"}"#;
    assert_eq!(prompt(line), chat(&asked));
    let told = [("user", "a"), ("assistant", "b"), ("user", "I")];
    for history in [
        r#"[["a", "b"]]"#,
        r#""[['a','b']]""#,
        r#"[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]"#,
    ] {
        for name in ["prompt", "instruction"] {
            let line = format!(
                r#"{{"{name}": "I", "history": {history}, "chosen": "x", "rejected": "y"}}"#
            );
            let (found, notes) = one(&line);
            assert_eq!(found.prompt, chat(&told), "{line}");
            noted(&notes, "column `history`");
        }
    }
    let line = r#"{"question": "Say", "input": "dog", "chosen": "a", "rejected": "b"}"#;
    assert_eq!(texts(&one(line).0)[0], "Say\ndog");
    let line = r#"{"prompt": "Say", "input": "dog", "chosen": "a", "rejected": "b"}"#;
    noted(&one(line).1, "column `input` beside `prompt` is not used");
    let line = r#"{"prompt": "Q", "history": "before", "chosen": "a", "rejected": "b"}"#;
    assert!(error("a.jsonl", line).contains("field `history`"));
}

#[test]
fn a_conversation_that_holds_the_answer_is_not_answered_again() {
    let line = |answer: &str| {
        format!(
            r#"{{"conversations": [{{"from": "human", "value": "Q"}}, {{"from": "gpt", "value": "{answer}"}}], "chosen": {{"from": "gpt", "value": "Green."}}, "rejected": {{"from": "gpt", "value": "No."}}}}"#
        )
    };
    for answer in ["Green.", "No."] {
        let (found, notes) = one(&line(answer));
        assert_eq!(found.prompt, chat(&[("user", "Q")]));
        noted(&notes, "the prompt ends in one of the responses");
    }
    let (found, notes) = one(&line("Well"));
    assert_eq!(found.prompt, chat(&[("user", "Q"), ("assistant", "Well")]));
    noted(&notes, "the prompt ends in what the assistant says");
}

#[test]
fn the_user_is_found_in_other_spellings_and_behind_a_column_without_a_value() {
    for (columns, name) in [
        (r#""User": "u""#, "User"),
        (r#""userId": "u""#, "userId"),
        (r#""User_ID": "u""#, "User_ID"),
        (r#""user": null, "user_id": "u""#, "user_id"),
        (r#""user": null, "User_Id": "u""#, "User_Id"),
        (r#""Annotator-ID": "u""#, "Annotator-ID"),
    ] {
        let line = format!(r#"{{"prompt": "Q", "chosen": "a", "rejected": "b", {columns}}}"#);
        let (found, notes) = one(&line);
        assert_eq!(found.user, Some("u".into()), "{line}");
        noted(&notes, &format!("column `{name}` is taken for `user`"));
    }
    let line = r#"{"prompt": "Q", "chosen": "a", "rejected": "b", "user": "u", "User": "v"}"#;
    assert_eq!(one(line).0.user, Some("u".into()));
}

#[test]
fn sharegpt_single_messages_and_other_roles_are_read() {
    let (found, _) = one(
        r#"{"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}"#,
    );
    assert_eq!(found.prompt, chat(&[("user", "Hi")]));
    assert_eq!((found.chosen.as_str(), found.rejected.as_str()), ("a", "b"));
    let (found, _) = one(
        r#"{"prompt": {"role": "Human", "content": "Hi"}, "chosen": [{"role": "Assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "rejected": {"role": "assistant", "content": "c"}}"#,
    );
    assert_eq!(found.prompt, chat(&[("user", "Hi")]));
    assert_eq!(
        (found.chosen.as_str(), found.rejected.as_str()),
        ("ab", "c")
    );
    let (found, _) = one(
        r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "a"}], "rejected_response": "b"}"#,
    );
    assert_eq!(found.prompt, chat(&[("user", "Hi")]));
    assert_eq!((found.chosen.as_str(), found.rejected.as_str()), ("a", "b"));
    let (found, _) = one(r#"{"query": "Hi", "response": "a", "rejected_response": "b"}"#);
    assert_eq!((found.chosen.as_str(), found.rejected.as_str()), ("a", "b"));
}

#[test]
fn fields_without_a_value_tell_no_messages_apart() {
    let (found, _) = one(
        r#"{"chosen": [{"role": "user", "content": "Hi", "tool_calls": []}, {"role": "assistant", "content": "a"}], "rejected": [{"content": "Hi", "role": "user", "name": null}, {"role": "assistant", "content": "b"}]}"#,
    );
    let Prompt::Chat(messages) = found.prompt else {
        panic!()
    };
    assert_eq!((messages.len(), &*messages[0].content()), (1, "Hi"));
}

#[test]
fn a_call_of_a_tool_may_have_no_content() {
    let (found, _) = one(
        r#"{"prompt": [{"role": "user", "content": "W?"}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "w"}}]}, {"role": "tool", "content": "rain"}], "chosen": "Rain.", "rejected": "Sun."}"#,
    );
    let Prompt::Chat(messages) = found.prompt else {
        panic!()
    };
    assert_eq!(messages.len(), 3);
    assert!(messages[1].fields()["tool_calls"].is_array());
}

#[test]
fn the_user_is_found_under_the_names_of_other_tools() {
    for name in ["user", "user_id", "annotator", "worker", "labeler"] {
        let line = format!(r#"{{"prompt": "p", "chosen": "a", "rejected": "b", "{name}": "u"}}"#);
        assert_eq!(one(&line).0.user, Some("u".into()), "{name}");
    }
    // Our own name goes before that of somebody else, null or not.
    let line = r#"{"prompt": "p", "chosen": "a", "rejected": "b", "user": null, "worker": "w"}"#;
    assert_eq!(one(line).0.user, None);
    for blank in ["\"\"", "\" \""] {
        let line =
            format!(r#"{{"prompt": "p", "chosen": "a", "rejected": "b", "user_id": {blank}}}"#);
        assert!(
            error("a.jsonl", &line).contains("field `user_id`: expected text that is not empty")
        );
    }
}

#[test]
fn columns_are_mapped_and_missing_ones_named_with_the_nearest() {
    let columns = Columns {
        prompt: Some("q".into()),
        chosen: Some("win".into()),
        rejected: Some("lose".into()),
        user: Some("who".into()),
        ..Columns::default()
    };
    let options = || DataOptions {
        columns: columns.clone(),
        ..DataOptions::default()
    };
    let row = r#"{"q": "p", "win": "a", "lose": "b", "who": 3, "prompt": "x"}"#;
    let (found, _) = read_as("a.jsonl", row, options()).unwrap();
    assert_eq!(texts(&found[0]), ["p", "a", "b"]);
    assert_eq!(found[0].user, Some("3".into()));
    let csv = "q,win,lose,who\np,a,b,3\n";
    assert_eq!(read_as("a.csv", csv, options()).unwrap().0, found);
    let message = read_as("a.csv", "q,win,lost,who\np,a,b,3\n", options()).unwrap_err();
    assert!(
        message.ends_with(
            "a.csv:2: field `lose`: expected the column for `rejected`, found nothing: the columns are `q`, `win`, `lost`, \
             `who`, the nearest is `lost`; `[data.columns]` may name another"
        ),
        "{message}"
    );
    let message = error("a.csv", "Prompt,Chosen,Rejected\np,a,b\n");
    assert!(message.contains("the nearest is `Chosen`"), "{message}");
}

#[test]
fn cells_that_other_marks_part_are_told() {
    let message = error("a.csv", "prompt;chosen;rejected\np;a;b\n");
    assert!(
        message.contains("(cells are parted by commas)"),
        "{message}"
    );
}

#[test]
fn one_foreign_column_makes_no_official_layout_and_a_key_says_it_outright() {
    for extra in [
        "completion_a",
        "stated_prefs",
        "summaries",
        "conversation_history",
        "worker",
    ] {
        let line = format!(
            r#"{{"prompt": "p", "chosen": "a", "rejected": "b", "user": "u", "{extra}": "x"}}"#
        );
        assert_eq!(texts(&one(&line).0), ["p", "a", "b"], "{extra}");
    }
    let official = r#"{"info":{"id":"p","post":"Post."},"split":"train","summaries":[{"text":" a","policy":"x"},{"text":" b","policy":"y"}],"choice":0,"worker":"w"}"#;
    assert_eq!(one(official).0.user, Some("w".into()));
    let general = DataOptions {
        layout: Some(Layout::General),
        ..DataOptions::default()
    };
    let message = read_as("a.jsonl", official, general).unwrap_err();
    assert!(
        message.contains("field `chosen`: expected text, found nothing"),
        "{message}"
    );
}

#[test]
fn csv_and_jsonl_agree_on_numbers_and_empty_cells() {
    let csv = "prompt,chosen,rejected,user\np,a,b,12.0\nq,a,b,12\nr,a,b,\n";
    let json = "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"user\":12.0}\n\
                {\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\",\"user\":12}\n\
                {\"prompt\":\"r\",\"chosen\":\"a\",\"rejected\":\"b\",\"user\":null}\n";
    let (from_csv, notes) = read("a.csv", csv);
    let (from_json, other_notes) = read("a.jsonl", json);
    assert_eq!(from_csv, from_json);
    let users: Vec<_> = from_csv.iter().map(|one| one.user.clone()).collect();
    assert_eq!(users, [Some("12".into()), Some("12".into()), None]);
    noted(
        &notes.notes(),
        "1 x `user` written as in 12.0 is taken for 12",
    );
    noted(
        &other_notes.notes(),
        "1 x `user` written as in 12.0 is taken for 12",
    );
    let message = error("a.csv", "prompt,chosen,rejected\np,,b\n");
    assert!(
        message.contains("a.csv:2: field `chosen`: expected text, found an empty cell"),
        "{message}"
    );
}

#[test]
fn lists_in_the_notation_of_pandas_are_read_or_refused() {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let row = |prompt: &str| format!("prompt,chosen,rejected\n{},a,b\n", cell(prompt));
    for prompt in [
        "[{'role': 'user', 'content': 'It\\'s \"so\"'}]",
        "[{'content': 'It\\'s \"so\"', 'role': 'user'}]",
        r#"[{"role": "user", "content": "It's \"so\""}]"#,
        "{'role': 'user', 'content': 'It\\'s \"so\"'}",
        "array([{'role': 'user', 'content': 'It\\'s \"so\"'}], dtype=object)",
        "[{'tool_calls': None, 'role': 'user', 'content': 'It\\'s \"so\"'}]",
        "[{'name': None, 'from': 'human', 'value': 'It\\'s \"so\"'}]",
        "[[{'role': 'user', 'content': 'It\\'s \"so\"'}]]",
    ] {
        let (found, _) = read("a.csv", row(prompt));
        let Prompt::Chat(messages) = &found[0].prompt else {
            panic!("{prompt}");
        };
        assert_eq!(messages[0].content(), "It's \"so\"", "{prompt}");
    }
    for broken in [
        "[{'role': 'user', 'content': 'a'} ...]",
        "[{'role': 'user', 'con",
        "[OrderedDict([('role', 'user'), ('content', 'a')])]",
        "[{'name': x, 'role': 'user', 'content': 'a'}]",
    ] {
        let message = error("a.csv", row(broken));
        assert!(message.contains("a.csv:2: field `prompt`"), "{message}");
        assert!(message.contains("json.dumps"), "{message}");
    }
    for text in ["[1, 2]", "[serious] why", "[1] see [2]", "{'a': 1}", "[]"] {
        assert_eq!(texts(&read("a.csv", row(text)).0[0])[0], text);
    }
    for single in ["['Green']", "[\"Green\"]"] {
        let (found, notes) = read("a.csv", row(single));
        assert_eq!(texts(&found[0])[0], "Green");
        noted(&notes.notes(), "`prompt` holds a list of one text");
    }
    let message = error("a.csv", row("['a', 'b']"));
    assert!(message.contains("a.csv:2: field `prompt`"), "{message}");
    assert!(message.contains("a list of 2 texts"), "{message}");
    let (found, _) = one(r#"{"prompt": "['a', 'b']", "chosen": "a", "rejected": "b"}"#);
    assert_eq!(texts(&found)[0], "['a', 'b']");
}

#[test]
fn pairs_without_a_signal_are_counted_and_named() {
    let row = |chosen: &str, rejected: &str| {
        serde_json::json!({"prompt": "p", "chosen": chosen, "rejected": rejected}).to_string()
    };
    let lines = [
        row("a", "a"),
        row("a", " a\n"),
        row("a b", "a  b"),
        row("a", "b"),
    ];
    let (found, skipped) = read("a.jsonl", lines.join("\n"));
    assert_eq!(found.len(), 2);
    assert_eq!(skipped.count("chosen and rejected are equal"), 1);
    let ends = "chosen and rejected are equal but for white space at their ends";
    assert_eq!(skipped.count(ends), 1);
    noted(
        &skipped.notes(),
        "1 x chosen and rejected differ in white space only",
    );
}

const ROWS: &str = "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"user\":\"u\"}\n{\"prompt\":\"q\",\"chosen\":\"c\",\"rejected\":\"d\",\"user\":\"v\"}\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn packed_files_are_read_whatever_they_are_called() {
    let plain = read("a.jsonl", ROWS).0;
    let zstd = zstd::encode_all(ROWS.as_bytes(), 1).unwrap();
    for (name, bytes) in [
        ("a.jsonl.gz", gzip(ROWS)),
        ("a.jsonl", gzip(ROWS)),
        ("a.jsonl.zst", zstd),
        (
            "a.json.gz",
            gzip(&format!("[{}]", ROWS.trim().replace('\n', ","))),
        ),
        (
            "a.csv.gz",
            gzip("prompt,chosen,rejected,user\np,a,b,u\nq,c,d,v\n"),
        ),
        // Called packed, and plain.
        ("b.jsonl.gz", ROWS.as_bytes().to_vec()),
    ] {
        assert_eq!(read(name, bytes).0, plain, "{name}");
    }
    let cut = gzip(ROWS);
    let message = error("a.jsonl.gz", &cut[..cut.len() - 9]);
    assert!(
        message.contains("the gzip data is damaged or ends early"),
        "{message}"
    );
}

#[test]
fn what_is_no_data_is_called_by_its_name() {
    for (bytes, expected) in [
        (&b"PK\x03\x04rest"[..], "a zip archive"),
        (b"BZh91AY", "a bzip2 file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "git lfs pull",
        ),
        (b"\xFF\xFE{\0", "UTF-16"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"{\n  \"prompt\": \"p\"\n}\n", "one object a line"),
        (b"{\"prompt\": \"p\", \"score\": NaN}", "no NaN"),
        (b"{\"prompt\": \"p\", \"chos", "is the file complete?"),
    ] {
        let message = error("a.jsonl", bytes);
        assert!(message.contains(expected), "{message}");
    }
}

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

#[test]
fn a_table_of_pandas_in_one_object_is_told() {
    for table in [
        r#"{"prompt": {"0": "Q"}, "chosen": {"0": "a"}, "rejected": {"0": "b"}}"#,
        r#"{"columns": ["prompt", "chosen", "rejected"], "index": [0], "data": [["Q", "a", "b"]]}"#,
    ] {
        let message = error("a.json", table);
        assert!(
            message.contains("orient=\"records\", lines=True"),
            "{message}"
        );
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Written by pyarrow: see `xtask/fixtures/data_files.py`.
#[test]
fn arrow_folders_and_parquet_of_every_compression_are_read() {
    let expected = ["Green.", "Elbe."];
    for name in [
        "on_disk",
        "text.arrow",
        "kinds.arrow",
        "brotli.parquet",
        "lz4.parquet",
        "gzip.parquet",
        "zstd.parquet",
    ] {
        let found = read_comparisons(&[fixture(name)], ReadOptions::default());
        let (found, _) = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        let chosen: Vec<&str> = found.iter().map(|one| one.chosen.as_str()).collect();
        assert_eq!(chosen, expected, "{name}");
        let users: Vec<_> = found.iter().map(|one| one.user.clone()).collect();
        assert_eq!(users, [Some("12".into()), None], "{name}");
    }
    let (found, _) = read_comparisons(&[fixture("kinds.arrow")], ReadOptions::default()).unwrap();
    assert_eq!(found[0].prompt, chat(&[("user", "Name a colour.")]));
}

#[test]
fn a_damaged_arrow_file_is_an_error_with_its_name() {
    let whole = fs::read(fixture("kinds.arrow")).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.arrow");
    for place in (0..whole.len()).step_by(5) {
        for change in [0x55, 0xFF] {
            let mut bytes = whole.clone();
            bytes[place] ^= change;
            fs::write(&path, bytes).unwrap();
            if let Err(error) = read_comparisons(&[&path], ReadOptions::default()) {
                assert!(error.to_string().contains("a.arrow"), "{error}");
            }
        }
        fs::write(&path, &whole[..place]).unwrap();
        assert!(
            read_comparisons(&[&path], ReadOptions::default()).is_err() || place > whole.len() / 2
        );
    }
}

#[test]
fn small_files_do_not_become_large() {
    // A list of two million empty objects, and a gzip file that unpacks to a gigabyte.
    let list = format!("{{\"x\":[{}{{}}]}}", "{},".repeat(2_000_000));
    assert!(error("a.jsonl", list).contains("more than a million values"));
    let message = error(
        "a.csv",
        format!("prompt,chosen,rejected\n\"{}", "x".repeat(65 << 20)),
    );
    assert!(message.contains("more than 64 MiB"), "{message}");
    // 32 KB that say that they hold a page of 2 GB; see `xtask/fixtures/data_files.py`.
    let message = read_comparisons(&[fixture("large.parquet")], ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("honestly hold"), "{message}");
}

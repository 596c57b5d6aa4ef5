//! The general layout from all three formats.

mod parquet_files;

use std::fs;
use std::path::PathBuf;

use pref_data::{Comparison, DataError, Message, Prompt, ReadOptions, general};
use tempfile::TempDir;

const STRICT: ReadOptions = ReadOptions { lenient: false };
const LENIENT: ReadOptions = ReadOptions { lenient: true };

fn file(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn load(name: &str, text: impl AsRef<[u8]>) -> Result<Vec<Comparison>, DataError> {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, name, text);
    general::read(&[path], STRICT)?.collect()
}

fn one(text: &str) -> Comparison {
    load("a.jsonl", text).unwrap().remove(0)
}

fn problem(name: &str, text: &str) -> String {
    let message = load(name, text).unwrap_err().to_string();
    message
        .split_once(&format!("{name}:"))
        .unwrap()
        .1
        .to_owned()
}

fn chat(turns: &[(&str, &str)]) -> Prompt {
    let message = |&(role, content): &(&str, &str)| Message::new(role, content);
    Prompt::Chat(turns.iter().map(message).collect())
}

#[test]
fn a_full_record_keeps_every_field() {
    let comparison = one(
        r#"{"prompt":"p","chosen":" c","rejected":"r","user":"ada","user_text":"t","source":"s","group":"g","x":1}"#,
    );
    assert_eq!(comparison.user, Some("ada".into()));
    assert_eq!(comparison.user_text.as_deref(), Some("t"));
    assert_eq!(comparison.prompt, Prompt::Text("p".into()));
    assert_eq!(
        (comparison.chosen.as_str(), comparison.rejected.as_str()),
        (" c", "r")
    );
    assert_eq!(
        (comparison.source.as_str(), comparison.group.as_deref()),
        ("s", Some("g"))
    );
}

#[test]
fn user_may_be_text_integer_null_or_absent() {
    let user = |user: &str| {
        one(&format!(
            r#"{{"prompt":"p","chosen":"c","rejected":"r"{user}}}"#
        ))
        .user
    };
    assert_eq!(user(r#","user":"0""#), Some("0".into()));
    assert_eq!(user(r#","user":0"#), Some("0".into()));
    assert_eq!(user(r#","user":-17"#), Some("-17".into()));
    assert_eq!(user(r#","user":null"#), None);
    assert_eq!(user(""), None);
}

#[test]
fn source_defaults_to_a_hash_of_the_prompt() {
    let source = |prompt: &str| {
        one(&format!(
            r#"{{"prompt":{prompt},"chosen":"c","rejected":"r"}}"#
        ))
        .source
    };
    assert_eq!(source(r#""p""#), source(r#""p""#));
    assert_ne!(source(r#""p""#), source(r#""q""#));
    assert!(source(r#""p""#).starts_with("prompt-"));
    assert_ne!(
        source(r#"[{"role":"user","content":"p"}]"#),
        source(r#""p""#)
    );
}

#[test]
fn errors_name_line_field_found_and_expected() {
    let good = r#"{"prompt":"p","chosen":"c","rejected":"r"}"#;
    let problem = |line: &str| problem("a.jsonl", &format!("{good}\n\n{line}\n"));
    assert_eq!(
        problem(r#"{"prompt":"p","rejected":"r"}"#),
        "3: field `chosen`: expected text, found nothing: the columns are `prompt`, `rejected`; `[data.columns]` may name \
         another"
    );
    assert_eq!(
        problem(r#"{"prompt":7,"chosen":"c","rejected":"r"}"#),
        "3: field `prompt`: expected text or a list of messages, found the number 7"
    );
    assert_eq!(
        problem(r#"{"prompt":"p","chosen":"c","rejected":"r","user":1.5}"#),
        "3: field `user`: expected text that is not empty, an integer, or null, found the number 1.5"
    );
    assert_eq!(
        problem(r#"{"prompt":[{"role":"user"}],"chosen":"c","rejected":"r"}"#),
        "3: field `prompt[0].content`: expected text, found nothing"
    );
    assert_eq!(
        problem("[1]"),
        "3: field `(whole record)`: expected one JSON object, found a list of 1"
    );
    assert!(
        problem("{\"prompt\":")
            .starts_with("3: field `(whole record)`: expected one JSON object, found invalid")
    );
}

#[test]
fn a_text_response_beside_a_list_is_an_error() {
    let text = r#"{"prompt":"p","chosen":[{"role":"assistant","content":"c"}],"rejected":"r"}"#;
    assert!(problem("a.jsonl", text).contains("`rejected`: expected a list of messages"));
}

#[test]
fn chat_prompt_beside_text_responses() {
    let comparison =
        one(r#"{"prompt":[{"role":"user","content":"hi"}],"chosen":"c","rejected":"r"}"#);
    assert_eq!(comparison.prompt, chat(&[("user", "hi")]));
}

#[test]
fn implicit_prompt_is_what_both_responses_begin_with() {
    let comparison = one(
        r#"{"chosen":[{"role":"user","content":"hi"},{"role":"assistant","content":"c"}],
            "rejected":[{"role":"user","content":"hi"},{"role":"assistant","content":"r"}]}"#
            .replace('\n', " ")
            .as_str(),
    );
    assert_eq!(comparison.prompt, chat(&[("user", "hi")]));
    assert_eq!(
        (comparison.chosen.as_str(), comparison.rejected.as_str()),
        ("c", "r")
    );
}

#[test]
fn explicit_prompt_beside_lists_is_not_said_twice() {
    let answer = |content: &str| format!(r#"[{{"role":"assistant","content":"{content}"}}]"#);
    let whole = |content: &str| {
        format!(
            r#"[{{"role":"user","content":"hi"}},{{"role":"assistant","content":"{content}"}}]"#
        )
    };
    let chat_prompt = r#"[{"role":"user","content":"hi"}]"#;
    for prompt in [r#""hi""#, r#""hi ""#, chat_prompt] {
        for list in [&answer as &dyn Fn(&str) -> String, &whole] {
            let text = format!(
                r#"{{"prompt":{prompt},"chosen":{},"rejected":{}}}"#,
                list("c"),
                list("r")
            );
            let expected = match prompt {
                r#""hi ""# if list("").starts_with(r#"[{"role":"assistant"#) => "hi ",
                _ => "hi",
            };
            assert_eq!(one(&text).prompt, chat(&[("user", expected)]), "{text}");
        }
    }
    let with_system = r#"[{"role":"system","content":"S"},{"role":"user","content":"hi"}]"#;
    let text = format!(
        r#"{{"prompt":{with_system},"chosen":{},"rejected":{}}}"#,
        whole("c"),
        whole("r")
    );
    let expected = chat(&[("system", "S"), ("user", "hi")]);
    assert_eq!(one(&text).prompt, expected);
}

#[test]
fn dialogues_that_part_before_the_last_message_are_errors() {
    let text = r#"{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}],"rejected":[{"role":"user","content":"b"},{"role":"assistant","content":"r"}]}"#;
    assert!(problem("a.jsonl", text).contains("the same messages before the last"));
    let text =
        r#"{"chosen":[{"role":"user","content":"a"}],"rejected":[{"role":"user","content":"b"}]}"#;
    assert!(problem("a.jsonl", text).contains("a last message with the role \"assistant\""));
    let text = r#"{"chosen":[{"role":"assistant","content":"a"}],"rejected":[{"role":"assistant","content":"b"}]}"#;
    assert!(problem("a.jsonl", text).contains("`prompt`: expected a prompt"));
}

#[test]
fn json_arrays_stream_with_line_numbers() {
    let text = "\u{feff}[\n {\"prompt\":\"a, ] \\\" }\",\"chosen\":\"c\",\"rejected\":\"r\"} ,\n\n {\"prompt\":\"q\",\n\
                \"chosen\":\"c\",\"rejected\":null}]\n";
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "a.json", text);
    let mut reader = general::read(&[path], STRICT).unwrap();
    assert_eq!(
        reader.next().unwrap().unwrap().prompt,
        Prompt::Text("a, ] \" }".into())
    );
    let error = reader.next().unwrap().unwrap_err().to_string();
    assert!(
        error.ends_with("a.json:4: item 2, field `rejected`: expected text, found null"),
        "{error}"
    );
    assert!(reader.next().is_none());
    assert!(load("b.json", "[]").unwrap().is_empty());
    assert!(
        load("b.json", "[{\"prompt\":")
            .unwrap_err()
            .to_string()
            .contains("found the end of the file")
    );
    assert!(
        load("b.json", "[] x")
            .unwrap_err()
            .to_string()
            .contains("after `]`")
    );
}

#[test]
fn csv_reads_quotes_line_breaks_and_empty_cells() {
    let text = "user,prompt,chosen,rejected,source\n\
                7,\"two\nlines, and \"\"quotes\"\"\",c,r,\n\
                ,\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"hi\"\"}]\",c,r,s\n\
                x,[serious] why,c,r,s\n";
    let all = load("a.csv", text).unwrap();
    assert_eq!(all[0].user, Some("7".into()));
    assert_eq!(
        all[0].prompt,
        Prompt::Text("two\nlines, and \"quotes\"".into())
    );
    assert!(all[0].source.starts_with("prompt-"));
    assert_eq!(all[1].user, None);
    assert_eq!(all[1].prompt, chat(&[("user", "hi")]));
    assert_eq!(all[2].prompt, Prompt::Text("[serious] why".into()));
}

#[test]
fn csv_errors_name_the_line() {
    assert!(problem("a.csv", "prompt,chosen\np,c\n").starts_with("2: field `rejected`"));
    assert!(problem("a.csv", "prompt,chosen,rejected,chosen\n").starts_with("1: field `chosen`"));
    let text = "prompt,chosen,rejected\n\"a\nb\",c,r\np,c\n";
    assert!(problem("a.csv", text).starts_with("4: field `(whole record)`"));
    assert!(problem("a.csv", "chosen,rejected\nc,r\n").starts_with("2: field `prompt`"));
}

#[test]
fn lenient_reading_counts_what_it_leaves_out() {
    let folder = TempDir::new().unwrap();
    let good = r#"{"prompt":"p","chosen":"c","rejected":"r"}"#;
    let text =
        format!("{good}\nnot json\n{{\"prompt\":\"p\"}}\n{{\"prompt\":\"p\"}}\n{good}\n\u{0}\n");
    let json = file(&folder, "a.jsonl", text);
    let csv = file(
        &folder,
        "b.csv",
        b"prompt,chosen,rejected\np,\xff,r\np,c\np,c,r\np,c,c\n",
    );
    let mut reader = general::read(&[json, csv], LENIENT).unwrap();
    assert_eq!(reader.by_ref().map(Result::unwrap).count(), 3);
    let skipped = reader.skipped();
    assert_eq!(skipped.total(), 7);
    assert_eq!(skipped.count("chosen and rejected are equal"), 1);
    assert_eq!(
        skipped.count("broken record, field `chosen`: expected text"),
        2
    );
    assert_eq!(
        skipped.count("broken record, field `(whole record)`: expected one JSON object"),
        2
    );
}

#[test]
fn equal_responses_are_counted_when_strict_too() {
    let folder = TempDir::new().unwrap();
    let path = file(
        &folder,
        "a.jsonl",
        r#"{"prompt":"p","chosen":"c","rejected":"c"}"#,
    );
    let mut reader = general::read(&[&path], STRICT).unwrap();
    assert!(reader.next().is_none());
    assert_eq!(reader.skipped().count("chosen and rejected are equal"), 1);
    let error = general::read(&[&path], STRICT)
        .unwrap()
        .read_all()
        .unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn folders_and_several_paths_follow_each_other() {
    let folder = TempDir::new().unwrap();
    let record = |name: &str| format!(r#"{{"prompt":"{name}","chosen":"c","rejected":"r"}}"#);
    file(&folder, "b.jsonl", record("b"));
    file(&folder, "a.json", record("a"));
    file(&folder, "c.csv", "prompt,chosen,rejected\nc,c,r\n");
    file(&folder, "LICENSE.txt", "no data");
    let more = TempDir::new().unwrap();
    let last = file(&more, "last.NDJSON", record("d"));
    let all = general::read(&[folder.path(), last.as_path()], STRICT).unwrap();
    let prompts: Vec<Prompt> = all.map(|comparison| comparison.unwrap().prompt).collect();
    assert_eq!(
        prompts,
        ["a", "b", "c", "d"].map(|name| Prompt::Text(name.into()))
    );
}

#[test]
fn wrong_paths_are_clear_errors() {
    let folder = TempDir::new().unwrap();
    let error = |path: PathBuf| {
        general::read(&[path], STRICT)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(error(folder.path().into()).contains("no data file"));
    assert!(error(folder.path().join("missing.jsonl")).contains("missing.jsonl"));
    assert!(error(file(&folder, "a.txt", "x")).contains("found the ending `txt`, expected .jsonl"));
    assert!(general::read::<PathBuf>(&[], STRICT).is_err());
}

#[test]
fn parquet_reads_text_integers_nulls_and_nested_messages() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.parquet");
    parquet_files::write_plain(&path);
    let all: Vec<Comparison> = general::read(&[&path], STRICT)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].user, Some("12".into()));
    assert_eq!(all[1].user, None);
    assert_eq!(all[0].prompt, Prompt::Text("p0".into()));
    assert_eq!(all[2].prompt, chat(&[("user", "hi")]));
    assert_eq!(all[2].chosen, "c2");

    parquet_files::write_nested(&path);
    let all: Vec<Comparison> = general::read(&[&path], STRICT)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        all[0].prompt,
        chat(&[("system", "be kind"), ("user", "hi")])
    );
    assert_eq!(all[1].prompt, chat(&[("user", "you")]));
}

#[test]
fn a_parquet_date_is_an_error_with_its_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.parquet");
    parquet_files::write_date(&path);
    let first = general::read(&[path], STRICT).unwrap().next().unwrap();
    let error = first.unwrap_err().to_string();
    assert!(error.contains("a.parquet:1: "), "{error}");
    assert!(error.contains("a date or a time"), "{error}");
}

#[test]
fn damaged_parquet_is_an_error_with_its_path() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.parquet");
    parquet_files::write_plain(&path);
    let whole = fs::read(&path).unwrap();
    let broken = file(&folder, "b.parquet", &whole[..whole.len() - 9]);
    let error = general::read(&[broken], STRICT)
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("b.parquet:1: field `(whole record)`"),
        "{error}"
    );
    for place in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        let path = file(&folder, "c.parquet", bytes);
        for item in general::read(&[path], STRICT).unwrap() {
            if let Err(error) = item {
                assert!(error.to_string().contains("c.parquet:"), "{error}");
            }
        }
    }
}

#[test]
fn texts_to_judge_need_no_label_and_no_second_response() {
    let folder = TempDir::new().unwrap();
    let texts = |text: &str| {
        let path = file(&folder, "texts.jsonl", text);
        let read = general::read_texts(&path, general::Columns::default()).read_all();
        read.map(|(texts, _)| texts)
    };
    let found = texts(
        "{\"prompt\":\"p\",\"response\":\"a\",\"user\":\"ada\"}\n{\"prompt\":\"p\",\"completion\":\"b\",\"label\":false}\n",
    );
    let found = found.unwrap();
    let responses: Vec<_> = found.iter().map(Comparison::responses).collect();
    assert_eq!(responses, [[Some("a"), None], [Some("b"), None]]);
    assert_eq!(found[0].user, Some("ada".into()));
    assert_eq!(found[0].prompt, Prompt::Text("p".into()));
    let error = texts("{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}").unwrap_err();
    assert!(error.to_string().contains("`completion`"), "{error}");
}

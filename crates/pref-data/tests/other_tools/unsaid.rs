//! What would be lost or altered in silence: columns that nobody reads, roles that nobody knows, fields that stand twice, quotes.

use super::*;

#[test]
fn columns_that_are_not_read_are_named() {
    let line = r#"{"prompt": "Q", "chosen": "a", "rejected": "b", "user": "u", "system_prompt": "S", "margin": 2}"#;
    let expected = "1 x columns that are not read: `margin`, `system_prompt` (first: ";
    noted(&one(line).1, expected);
    let csv = ",prompt,chosen,rejected,usertext,score\n0,Q,a,b,t,1\n1,R,a,b,t,2\n";
    let notes = read("a.csv", csv).1.notes();
    noted(&notes, "2 x columns that are not read: `score` (first: ");
    // All that is known is read, and pandas' index is no column.
    let line = r#"{"prompt": "Q", "chosen": "a", "rejected": "b", "user": "u", "index": 3}"#;
    assert_eq!(one(line).1, Vec::<String>::new());
}

#[test]
fn a_file_with_other_columns_in_every_record_is_told_in_a_few_lines() {
    let lines: String = (0..50)
        .map(|n| {
            format!(
                "{{\"prompt\": \"Q{n}\", \"chosen\": \"a\", \"rejected\": \"b\", \"c{n}\": 1}}\n"
            )
        })
        .collect();
    let notes = read("a.jsonl", lines).1.notes();
    assert_eq!(notes.len(), 9, "{notes:?}");
    noted(&notes, "42 x further columns are not read");
    let many: String = (0..20).map(|n| format!(", \"c{n:02}\": 1")).collect();
    let line = format!(r#"{{"prompt": "Q", "chosen": "a", "rejected": "b"{many}}}"#);
    noted(&one(&line).1, "`c06`, `c07` and 12 more");
}

#[test]
fn openai_s_files_of_preferences_are_read() {
    let line = r#"{"input": {"messages": [{"role": "user", "content": "Weather?"}], "tools": [{"type": "function"}], "parallel_tool_calls": true},
        "preferred_output": [{"role": "assistant", "content": "Rain."}], "non_preferred_output": [{"role": "assistant", "content": "Sun."}]}"#;
    let (found, notes) = one(&line.replace('\n', ""));
    assert_eq!(found.prompt, chat(&[("user", "Weather?")]));
    assert_eq!((&*found.chosen, &*found.rejected), ("Rain.", "Sun."));
    assert_eq!(
        found.template.tools,
        Some(serde_json::json!([{"type": "function"}]))
    );
    noted(&notes, "column `input` is taken for `prompt`");
}

#[test]
fn a_role_that_no_template_knows_is_noted() {
    let line = |role: &str| {
        format!(
            r#"{{"prompt": [{{"role": "{role}", "content": "Q"}}], "chosen": "a", "rejected": "b"}}"#
        )
    };
    let what = "a role other than system, developer, user, assistant, tool";
    for role in ["wizard", "observation"] {
        let (found, notes) = one(&line(role));
        assert_eq!(found.prompt, chat(&[(role, "Q")]));
        noted(&notes, what);
    }
    for role in ["System", "developer", "human", "tool"] {
        assert_eq!(one(&line(role)).1, Vec::<String>::new(), "{role}");
    }
}

#[test]
fn a_field_that_stands_twice_is_an_error() {
    let line = r#"{"prompt": "Q", "chosen": "a", "rejected": "b", "chosen": "c"}"#;
    let message = error("a.jsonl", line);
    assert!(message.contains("field `chosen` stands twice"), "{message}");
    for chosen in [
        r#"[{'role': 'assistant', 'content': 'a', 'content': 'c'}]"#,
        r#"[{\"role\": \"assistant\", \"content\": \"a\", \"content\": \"c\"}]"#,
    ] {
        let line = format!(r#"{{"prompt": "Q", "chosen": "{chosen}", "rejected": "b"}}"#);
        let message = error("a.jsonl", line);
        assert!(message.contains("or has a field twice"), "{message}");
    }
}

#[test]
fn a_cell_that_goes_on_behind_its_quotes_is_refused_and_not_altered() {
    for (name, row) in [
        ("a.csv", r#""Say \"hi\"",a,b,u"#.to_owned()),
        ("a.csv", r#""Hi" she said,a,b,u"#.to_owned()),
        ("a.tsv", "\"Hi\" she said\ta\tb\tu".to_owned()),
    ] {
        let head = "prompt,chosen,rejected,user\nQ,a,\"b, \"\"c\"\"\",u\n";
        let head = match name {
            "a.csv" => head.to_owned(),
            _ => "prompt\tchosen\trejected\tuser\nQ\ta 5\" b\t\"b\tc\"\tu\n".to_owned(),
        };
        let message = error(name, format!("{head}{row}\n"));
        let expected = format!("{name}:3: field `(whole record)`");
        assert!(
            message.contains(&expected) && message.contains("doubled"),
            "{message}"
        );
        let lenient = ReadOptions { lenient: true };
        let text = format!("{head}{row}\nR,a,b,u\n");
        let text = if name == "a.csv" {
            text
        } else {
            text.replace("R,a,b,u", "R\ta\tb\tu")
        };
        let (found, skipped) = read_as(name, text, lenient).unwrap();
        assert_eq!((found.len(), skipped.total()), (2, 1), "{name}");
    }
    // In the line of names as well, and behind a mark of UTF-8 quotes are quotes.
    let message = error("a.csv", "\"pro\"mpt,chosen,rejected\nQ,a,b\n");
    assert!(message.contains("a.csv:1: "), "{message}");
    let (found, _) = read(
        "a.csv",
        "\u{feff}\"prompt\",\"chosen\",rejected\n\"Q\"\r\n,a,b\n".replace("\r\n", ""),
    );
    assert_eq!(texts(&found[0]), ["Q", "a", "b"]);
}

#[test]
fn what_a_file_is_instead_is_said() {
    let object = r#"{"prompt": "Q", "chosen": "a", "rejected": "b"}"#;
    for (name, text, expected) in [
        ("a.csv", format!("{object}\n{object}\n"), "ends in .jsonl"),
        (
            "a.jsonl",
            "prompt,chosen,rejected\nQ,a,b\n".to_owned(),
            "ends in .csv",
        ),
        (
            "a.jsonl",
            format!("{object}{object}\n"),
            "two objects on one line",
        ),
        (
            "a.json",
            format!("{{\"data\": [{object}]}}"),
            "jq -c '.[\"data\"][]'",
        ),
        (
            "a.json",
            format!("{{\"train\": [{object}], \"test\": [{object}]}}"),
            "jq -c '.[\"train\"][]'",
        ),
    ] {
        let message = error(name, &text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

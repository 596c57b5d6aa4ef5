//! Columns by other names, who judged, and pairs without a signal.

use super::*;

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
fn the_user_is_found_under_the_names_of_other_tools() {
    for name in ["user", "user_id", "uid", "annotator", "worker", "labeler"] {
        let line = format!(r#"{{"prompt": "p", "chosen": "a", "rejected": "b", "{name}": "u"}}"#);
        assert_eq!(one(&line).0.user, Some("u".into()), "{name}");
    }
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
    let message = error("a.csv", "prompt\tchosen\trejected\np\ta\tb\n");
    assert!(message.contains("parted by tabs ends in .tsv"), "{message}");
    let message = error("a.tsv", "prompt,chosen,rejected\np,a,b\n");
    assert!(message.contains("are parted by tabs"), "{message}");
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

#[test]
fn of_several_columns_that_name_a_user_one_with_a_value_counts() {
    let line =
        |users: &str| format!(r#"{{"prompt": "p", "chosen": "a", "rejected": "b", {users}}}"#);
    for (users, expected, said) in [
        (
            r#""user": null, "worker": "w""#,
            Some("w"),
            "column `worker` is taken for `user`",
        ),
        (
            r#""user": null, "user_id": null, "rater": 7"#,
            Some("7"),
            "column `rater` is taken",
        ),
        (
            r#""user_id": "w", "worker": "w""#,
            Some("w"),
            "column `user_id` is taken for `user`",
        ),
        // Our own name goes before that of another tool.
        (
            r#""user": "u", "worker": "w""#,
            Some("u"),
            "column `worker` beside `user` names another",
        ),
        (r#""user": null, "worker": null"#, None, ""),
        // A `uid` may be the record's.
        (
            r#""uid": 3, "worker": "w""#,
            Some("w"),
            "column `worker` is taken",
        ),
        (r#""uid": 3, "user": "u""#, Some("u"), ""),
    ] {
        let (found, notes) = one(&line(users));
        assert_eq!(found.user, expected.map(Into::into), "{users}");
        match said {
            "" => assert_eq!(notes, <[&str; 0]>::default()),
            said => noted(&notes, said),
        }
    }
    for users in [
        r#""user_id": 5, "annotator": "x""#,
        r#""user": null, "user_id": 5, "annotator": "x""#,
        r#""user_id": 5, "userId": "x""#,
    ] {
        let message = error("a.jsonl", line(users));
        assert!(message.contains("the same as in `user_id`"), "{message}");
        assert!(message.contains("`[data.columns]`"), "{message}");
    }
    let columns = Columns {
        user: Some("user".into()),
        ..Columns::default()
    };
    let options = DataOptions {
        columns,
        ..DataOptions::default()
    };
    let nobody = line(r#""user": null, "worker": "w""#);
    assert_eq!(read_as("a.jsonl", nobody, options).unwrap().0[0].user, None);
}

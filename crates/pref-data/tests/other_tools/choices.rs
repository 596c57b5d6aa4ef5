//! Two responses and a column that says which one is preferred.

use super::*;

#[test]
fn a_column_says_which_of_two_responses_is_preferred() {
    for (column, first, second) in [
        ("winner", r#""a""#, r#""b""#),
        ("winner", r#""model_a""#, r#""model_b""#),
        ("winner", r#""Model_A""#, r#""Model_B""#),
        ("choice", r#""response_a""#, r#""response_b""#),
        ("label", "0", "1"),
        ("label", "0.0", "1.0"),
        ("preference", r#""A""#, r#""B""#),
        ("chosen", r#""a""#, r#""b""#),
        ("preferred", r#""a""#, r#""b""#),
        ("chosen_response", r#""a""#, r#""b""#),
    ] {
        for (value, expected) in [(first, ["x", "y"]), (second, ["y", "x"])] {
            let line = format!(
                r#"{{"prompt": "Q", "response_a": "x", "response_b": "y", "{column}": {value}, "user": "u"}}"#
            );
            let (found, notes) = one(&line);
            assert_eq!(texts(&found), ["Q", expected[0], expected[1]], "{line}");
            assert_eq!(found.user, Some("u".into()));
            noted(&notes, "of `response_a` and `response_b`, column");
            assert!(!notes.iter().any(|note| note.contains("is taken for")));
        }
    }
    let line = |names: [&str; 2], choice: &str| {
        let [a, b] = names;
        format!(r#"{{"prompt": "Q", "{a}": "x", "{b}": "y", {choice}}}"#)
    };
    for (names, choice, expected) in [
        (
            ["response_0", "response_1"],
            r#""better_response_id": 1"#,
            "y",
        ),
        (["output_1", "output_2"], r#""preference": 2"#, "y"),
        (["output_1", "output_2"], r#""preference": "1""#, "x"),
        (
            ["answer_a", "answer_b"],
            r#""winner": "second", "model_a": "first", "model_b": "second""#,
            "y",
        ),
    ] {
        assert_eq!(one(&line(names, choice)).0.chosen, expected, "{choice}");
    }
}

#[test]
fn ties_are_counted_and_other_choices_refused() {
    let line = |choice: &str| {
        format!(r#"{{"prompt": "Q", "response_a": "x", "response_b": "y", "winner": {choice}}}"#)
    };
    let ties = [
        "\"tie\"",
        "\"tie (bothbad)\"",
        "\"Tie\"",
        "\"both\"",
        "\"neither\"",
    ];
    let mut lines: Vec<String> = ties.iter().map(|tie| line(tie)).collect();
    lines.push(line("\"a\""));
    let (found, skipped) = read("a.jsonl", lines.join("\n"));
    assert_eq!(found.len(), 1);
    assert_eq!(skipped.count("a tie: neither response is preferred"), 5);
    for choice in ["null", "2", "\"c\"", "\"\"", "true", "-1", "\"gpt-4\""] {
        let message = error("a.jsonl", line(choice));
        assert!(message.contains("a.jsonl:1: field `winner`"), "{message}");
        assert!(message.contains("a, b, 0, 1"), "{message}");
    }
    let message = error(
        "a.jsonl",
        r#"{"prompt": "Q", "response_a": "x", "response_b": "y"}"#,
    );
    assert!(
        message.contains("which of `response_a` and `response_b`"),
        "{message}"
    );
    // Names of columns where the responses are expected.
    let (found, _) = one(
        r#"{"prompt": "Q", "chosen": "response_b", "rejected": "response_a", "response_a": "x", "response_b": "y"}"#,
    );
    assert_eq!(texts(&found), ["Q", "y", "x"]);
    // Beside columns that say it themselves, it is another column.
    let (found, _) = one(
        r#"{"prompt": "Q", "chosen": "c", "rejected": "d", "response_a": "x", "response_b": "y", "winner": 7}"#,
    );
    assert_eq!(texts(&found), ["Q", "c", "d"]);
}

#[test]
fn choices_stand_in_tables_too() {
    let csv = "prompt,response_a,response_b,label,worker\nQ,x,y,1.0,w\nR,x,y,0,w\nS,x,y,tie,w\n";
    for (name, text) in [("a.csv", csv.to_owned()), ("a.tsv", csv.replace(',', "\t"))] {
        let (found, skipped) = read(name, text);
        let chosen: Vec<&str> = found.iter().map(|one| one.chosen.as_str()).collect();
        assert_eq!(chosen, ["y", "x"]);
        assert_eq!(skipped.total(), 1);
    }
}

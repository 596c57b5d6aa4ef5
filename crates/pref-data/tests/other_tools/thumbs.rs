//! One response and whether its user liked it.

use super::*;

/// Prompt, response and thumb of a line.
fn thumb(line: &str) -> (Prompt, String, Thumb) {
    let (found, _) = one(line);
    let thumb = found.thumb.unwrap();
    let [response, other] = match thumb {
        Thumb::Up => [&found.chosen, &found.rejected],
        Thumb::Down => [&found.rejected, &found.chosen],
    };
    assert_eq!(other, "", "{line}");
    (found.prompt.clone(), response.clone(), thumb)
}

#[test]
fn a_label_says_whether_the_user_liked_a_completion() {
    for (label, expected) in [
        ("true", Thumb::Up),
        ("false", Thumb::Down),
        ("1", Thumb::Up),
        ("0", Thumb::Down),
        ("1.0", Thumb::Up),
        ("\"True\"", Thumb::Up),
        ("\"thumbs up\"", Thumb::Up),
        ("\"Thumbs-Down\"", Thumb::Down),
        ("\"👎\"", Thumb::Down),
        ("\"bad\"", Thumb::Down),
    ] {
        let line = format!(r#"{{"prompt": "Q", "completion": "A", "label": {label}, "user": 7}}"#);
        assert_eq!(thumb(&line), ("Q".into(), "A".into(), expected), "{line}");
        assert_eq!(one(&line).0.user, Some("7".into()));
    }
}

#[test]
fn thumbs_have_the_shapes_of_pairs() {
    let question = chat(&[("user", "Q")]);
    for (line, prompt) in [
        (
            r#"{"prompt": "Q", "completion": {"role": "assistant", "content": "A"}, "label": true}"#,
            &question,
        ),
        (
            r#"{"prompt": [{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}], "label": true}"#,
            &question,
        ),
        (
            r#"{"completion": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "label": true}"#,
            &question,
        ),
        (
            r#"{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "label": true}"#,
            &question,
        ),
        (
            r#"{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "kto_tag": true}"#,
            &question,
        ),
        (
            r#"{"instruction": "Q", "output": "A", "kto_tag": true}"#,
            &"Q".into(),
        ),
        (
            r#"{"prompt": "Q", "response": "A", "liked": 1}"#,
            &"Q".into(),
        ),
    ] {
        assert_eq!(
            thumb(line),
            (prompt.clone(), "A".into(), Thumb::Up),
            "{line}"
        );
    }
}

#[test]
fn thumbs_stand_in_tables() {
    let (found, skipped) = read(
        "a.csv",
        "prompt,completion,label,user\nQ,A,True,ann\nQ,B,False,ben\nQ,C,,ben\n",
    );
    let thumbs: Vec<_> = found.iter().map(|one| one.thumb.unwrap()).collect();
    assert_eq!(thumbs, [Thumb::Up, Thumb::Down]);
    assert_eq!(texts(&found[1]), ["Q", "", "B"]);
    assert_eq!(skipped.count("neither a thumb up nor down"), 1);
}

#[test]
fn a_response_that_begins_with_the_words_of_its_prompt_keeps_them() {
    let line = r#"{"prompt": "Once upon a time", "completion": "Once upon a time, a fox lived.", "label": true}"#;
    assert_eq!(thumb(line).1, "Once upon a time, a fox lived.");
}

#[test]
fn pairs_and_thumbs_stand_in_one_table() {
    let (found, skipped) = read(
        "a.csv",
        "prompt,chosen,rejected,completion,label,user\nQ,x,y,,,ann\nQ,,,A,up,ben\nQ,,,B,nan,ben\nQ,,,,,cy\n",
    );
    let thumbs: Vec<_> = found.iter().map(|one| one.thumb).collect();
    assert_eq!(thumbs, [None, Some(Thumb::Up)]);
    assert_eq!(texts(&found[0]), ["Q", "x", "y"]);
    assert_eq!(skipped.count("neither a thumb up nor down"), 2);
    let line =
        r#"{"prompt": "Q", "chosen": null, "rejected": null, "completion": "A", "label": true}"#;
    assert_eq!(one(line).0.thumb, Some(Thumb::Up));
    let (found, notes) =
        one(r#"{"prompt": "Q", "chosen": "x", "rejected": "y", "completion": "A", "label": 1}"#);
    assert_eq!(found.thumb, None);
    noted(&notes, "beside a pair are not used");
}

#[test]
fn columns_of_thumbs_may_have_other_names() {
    let options = DataOptions {
        columns: Columns {
            completion: Some("said".into()),
            label: Some("ok".into()),
            ..Columns::default()
        },
        ..DataOptions::default()
    };
    let line = r#"{"prompt": "Q", "said": "A", "ok": false}"#;
    let (found, _) = read_as("a.jsonl", line, options).unwrap();
    assert_eq!(
        (found[0].thumb, &*found[0].rejected),
        (Some(Thumb::Down), "A")
    );
}

#[test]
fn what_is_no_thumb_is_refused_with_field_and_line() {
    let line = |fields: &str| format!(r#"{{"prompt": "Q", {fields}}}"#);
    for (fields, needles) in [
        (r#""completion": "A""#, ["`label`", "true or false"]),
        (r#""label": true"#, ["`completion`", "text or a list"]),
        (
            r#""completion": "A", "label": 5"#,
            ["`label`", "true or false"],
        ),
        (
            r#""completion": "A", "label": -1"#,
            ["`label`", "true or false"],
        ),
        (r#""completion": "A", "label": "perhaps"#, ["a.jsonl:1", ""]),
        (
            r#""completion": null, "label": true"#,
            ["`completion`", "text or a list"],
        ),
    ] {
        let message = error("a.jsonl", line(fields));
        for needle in needles {
            assert!(message.contains(needle), "{fields}: {message}");
        }
    }
}

#[test]
fn a_pair_beside_a_label_stays_a_pair() {
    let (found, _) = one(r#"{"prompt": "Q", "chosen": "x", "rejected": "y", "label": true}"#);
    assert_eq!((texts(&found), found.thumb), (["Q", "x", "y"], None));
}

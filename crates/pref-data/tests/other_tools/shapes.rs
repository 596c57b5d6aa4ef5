//! Prompts and responses in the shapes of other tools.

use super::*;

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

//! Dialogues in one text, and responses that hold their prompt.

use super::*;

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

/// One line of JSON.
fn line(prompt: &str, chosen: &str, rejected: &str) -> String {
    serde_json::json!({"prompt": prompt, "chosen": chosen, "rejected": rejected}).to_string()
}

#[test]
fn a_question_and_answers_that_stand_apart_become_one_dialogue() {
    for (prompt, [chosen, rejected], expected) in [
        (
            "\n\nHuman: Q",
            ["\n\nAssistant: A", "\n\nAssistant: B"],
            "\n\nHuman: Q\n\nAssistant:",
        ),
        (
            "\n\nHuman: Q\n\n",
            ["Assistant: A", "Assistant: B"],
            "\n\nHuman: Q\n\nAssistant:",
        ),
        (
            "Human: Q",
            ["Assistant: A", "Assistant: B"],
            "Human: Q\n\nAssistant:",
        ),
        (
            "Human: Q\n",
            ["Assistant: A", "Assistant: B"],
            "Human: Q\nAssistant:",
        ),
        ("User: Q", ["\nBot: A", "\nBot: B"], "User: Q\nBot:"),
        (
            "User: Q\nBot: A\nUser: R",
            ["Bot: A", "Bot: B"],
            "User: Q\nBot: A\nUser: R\nBot:",
        ),
        (
            "\r\n\r\nHuman: Q",
            ["\r\n\r\nAssistant: A", "\r\n\r\nAssistant: B"],
            "\r\n\r\nHuman: Q\r\n\r\nAssistant:",
        ),
        // The mark stands in both.
        (
            "\n\nHuman: Q\n\nAssistant:",
            ["\n\nAssistant: A", "Assistant: B"],
            "\n\nHuman: Q\n\nAssistant:",
        ),
        // The responses repeat a question that has no mark behind it.
        (
            "\n\nHuman: Q",
            [
                "\n\nHuman: Q\n\nAssistant: A",
                "\n\nHuman: Q\n\nAssistant: B",
            ],
            "\n\nHuman: Q\n\nAssistant:",
        ),
    ] {
        let (found, notes) = one(&line(prompt, chosen, rejected));
        assert_eq!(texts(&found), [expected, " A", " B"], "{prompt:?}");
        noted(&notes, "the mark of the assistant");
        let messages = found.with_messages().unwrap();
        assert_eq!(
            (messages.chosen.as_str(), messages.rejected.as_str()),
            ("A", "B")
        );
    }
}

#[test]
fn dialogues_with_other_words_and_line_ends_are_read() {
    for (before, prompt) in [
        ("User: Hi\nBot: Yes?\nUser: Why?\nBot:", None),
        ("Human: Hi\nAssistant: Yes?\nHuman: Why?\nAssistant:", None),
        (
            "\r\n\r\nHuman: Hi\r\n\r\nAssistant: Yes?\r\n\r\nHuman: Why?\r\n\r\nAssistant:",
            None,
        ),
        (
            "### Human: Hi\n### Assistant: Yes?\n### Human: Why?\n### Assistant:",
            Some("Why?"),
        ),
    ] {
        let [chosen, rejected] = ["So.", "No."].map(|answer| format!("{before} {answer}"));
        let mut record = serde_json::json!({"chosen": chosen, "rejected": rejected});
        if let Some(prompt) = prompt {
            record["prompt"] = prompt.into();
        }
        let (found, _) = one(&record.to_string());
        assert_eq!(texts(&found), [before, " So.", " No."]);
        let expected = [("user", "Hi"), ("assistant", "Yes?"), ("user", "Why?")];
        assert_eq!(found.with_messages().unwrap().prompt, chat(&expected));
    }
}

#[test]
fn what_the_human_says_next_is_cut_wherever_a_dialogue_is_read() {
    for (prompt, chosen, rejected) in [
        (
            "\n\nHuman: Q\n\nAssistant:",
            " A\n\nHuman: thanks",
            " B\n\nHuman:",
        ),
        (
            "\n\nHuman: Q",
            "\n\nAssistant: A\n\nHuman: ",
            "\n\nAssistant: B",
        ),
        ("User: Q\nBot:", " A\n\nUser: more\nBot: yes", " B\nUser:"),
        (
            "\n\nHuman: Q\n\nAssistant:",
            "\n\nHuman: Q\n\nAssistant: A\n\nHuman: x",
            "\n\nHuman: Q\n\nAssistant: B",
        ),
    ] {
        let (found, notes) = one(&line(prompt, chosen, rejected));
        assert_eq!(texts(&found)[1..], [" A", " B"], "{prompt:?}");
        noted(&notes, "what the human says behind the last answer");
    }
    // Both pairs and both notes are counted.
    let lines = [
        line("\n\nHuman: Q\n\nAssistant:", " A\n\nHuman: x", " B"),
        line(
            "\n\nHuman: R\n\nAssistant:",
            " A\n\nHuman: x",
            " A\n\nHuman: y",
        ),
    ];
    let (found, skipped) = read("a.jsonl", lines.join("\n"));
    assert_eq!(found.len(), 1);
    assert_eq!(skipped.count("chosen and rejected are equal"), 1);
}

#[test]
fn texts_that_mention_a_speaker_stay_as_they_are() {
    for [prompt, chosen, rejected] in [
        ["Q", "A\n\nHuman: is a word", "B"],
        ["Write a scene.", "User: hi\nBot: yes", "User: ho\nBot: no"],
        ["Who speaks?", "\n\nAssistant: me", "\n\nAssistant: you"],
        [
            "What does Human: mean?",
            "A\nAssistant: x",
            "B\nAssistant: y",
        ],
        [
            "Human: define\nAssistant: define\nboth words",
            "A\nHuman: x",
            "B",
        ],
        [
            "\n\nHuman: Q\n\nAssistant:",
            " Say:\nHuman: x",
            " B\n\nUser: y",
        ],
    ] {
        let (found, notes) = one(&line(prompt, chosen, rejected));
        assert_eq!(texts(&found), [prompt, chosen, rejected]);
        assert_eq!(notes, <[&str; 0]>::default());
    }
}

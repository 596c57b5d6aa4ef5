//! Prompt files: ours, and broken ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use judge::{Item, PromptFile, Value};
use serde_json::json;

/// A file of the repository; none where the crate stands alone.
fn ours(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../configs/judge")
        .join(name);
    if !path.exists() {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: {} is not there", path.display());
        }
        return None;
    }
    Some(path)
}

fn item(fields: &serde_json::Value) -> Item {
    let fields = fields.as_object().expect("an object").iter();
    Item {
        id: "i1".into(),
        user: "u1".into(),
        fields: fields
            .map(|(name, value)| (name.clone(), Value::from_serialize(value)))
            .collect(),
        ours: "OURS".into(),
        theirs: "THEIRS".into(),
    }
}

/// The parts stand in the text in this order.
fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let found = text[from..].find(part);
        from += found.unwrap_or_else(|| panic!("`{part}` is missing or too early in\n{text}"))
            + part.len();
    }
}

#[test]
fn the_psoups_prompt_shows_wish_instruction_and_both_outputs() {
    let Some(path) = ours("psoups.toml") else {
        return;
    };
    let prompt = PromptFile::load(path).unwrap();
    let item = item(&json!({ "instruction": "Explain tides.", "preference": "Be brief." }));
    let messages = prompt.messages(&item, true).unwrap();
    assert_eq!(messages.len(), 2);
    let text = &messages[1].content;
    in_order(
        text,
        &[
            "Verdict: Output (a)",
            "Your comparison",
            "Wish: Be brief.",
            "Explain tides.",
            "OURS",
            "THEIRS",
        ],
    );
    let swapped = prompt.messages(&item, false).unwrap();
    in_order(&swapped[1].content, &["THEIRS", "OURS"]);
    assert_eq!(messages[0], swapped[0]);
}

#[test]
fn the_worked_comparisons_of_psoups_name_every_verdict_once() {
    let Some(path) = ours("psoups.toml") else {
        return;
    };
    let prompt = PromptFile::load(path).unwrap();
    let item = item(&json!({ "instruction": "i", "preference": "p" }));
    let text = prompt.messages(&item, true).unwrap().remove(1).content;
    let (_, worked) = text.split_once("### Comparison 1").unwrap();
    let (worked, _) = worked.split_once("### Your comparison").unwrap();
    for verdict in ["Output (a)", "Output (b)", "TIE"] {
        assert_eq!(worked.matches(&format!("Verdict: {verdict}\n")).count(), 1);
    }
}

fn prism_fields() -> serde_json::Value {
    json!({
        "facts": ["age: 25-34", "education: none given"],
        "expectation": "Be honest.",
        "preferences": ["factuality", "fluency", "safety"],
        "message": "Is the moon far?",
        "open_feedback": "I liked OURS.",
    })
}

#[test]
fn the_prism_prompt_is_plain_text_and_does_not_know_the_feedback() {
    let Some(path) = ours("prism.toml") else {
        return;
    };
    let prompt = PromptFile::load(path).unwrap();
    let messages = prompt.messages(&item(&prism_fields()), true).unwrap();
    let [system, user] = [&messages[0].content, &messages[1].content];
    in_order(
        system,
        &[
            "- age: 25-34\n- education",
            "Be honest.",
            "1. factuality\n2. fluency\n3. safety",
        ],
    );
    in_order(
        user,
        &[
            "Is the moon far?",
            "OURS",
            "THEIRS",
            "Think it through",
            "Verdict: TIE",
        ],
    );
    assert!(
        !user.contains("dialogue so far") && !user.contains("Earlier choice"),
        "{user}"
    );
    for text in [system, user] {
        assert!(
            !text.contains("I liked") && !text.contains('{') && !text.contains("[\""),
            "{text}"
        );
    }
}

#[test]
fn the_prism_prompt_shows_history_and_earlier_choices_where_there_are_some() {
    let Some(path) = ours("prism.toml") else {
        return;
    };
    let prompt = PromptFile::load(path).unwrap();
    let mut fields = prism_fields();
    fields["history"] = json!([
        { "role": "user", "content": "Hello" },
        { "role": "assistant", "content": "Hi!" },
    ]);
    fields["examples"] = json!([
        { "message": "Hello", "output_a": "Go away.", "output_b": "Hi!", "choice": "second" },
    ]);
    let text = prompt
        .messages(&item(&fields), true)
        .unwrap()
        .remove(1)
        .content;
    in_order(
        &text,
        &[
            "Earlier choice 1\nThe person wrote: Hello\nOutput (a): Go away.\nOutput (b): Hi!\nVerdict: Output (b)\n",
            "[user] Hello\n[assistant] Hi!\n",
            "Is the moon far?",
        ],
    );
}

const VERDICT: &str = "[verdict]\nmarker = 'V:'\nfirst = 'a'\nsecond = 'b'\ntie = 'c'\n";

fn parse(head: &str) -> Result<PromptFile, String> {
    PromptFile::parse("my.toml", &format!("{head}\n{VERDICT}")).map_err(|error| error.to_string())
}

#[test]
fn a_broken_prompt_file_is_an_error_with_its_name_and_what_is_wrong() {
    for (head, words) in [
        ("fields = []\nuser = 'x'\nsytem = 'y'", "sytem"),
        ("fields = []", "user"),
        (
            "fields = []\nuser = '{{ wihs }}'",
            "template `user`, variable `wihs`",
        ),
        (
            "fields = []\nsystem = '{{ x.y }}'\nuser = ''",
            "template `system`, variable `x`",
        ),
        ("fields = []\nuser = 'a\n{% if %}'", "my.toml"),
        (
            "fields = []\nuser = '''a\n{% if %}'''",
            "template `user`: line 2",
        ),
        ("fields = ['output_a']\nuser = 'x'", "`output_a`"),
        ("fields = [", "my.toml"),
    ] {
        let error = parse(head).map(|_| ()).unwrap_err();
        assert!(
            error.contains("my.toml") && error.contains(words),
            "{head}: {error}"
        );
    }
    let same =
        "fields = []\nuser = 'x'\n[verdict]\nmarker = 'V:'\nfirst = 'a'\nsecond = 'a'\ntie = 'c'";
    let error = PromptFile::parse("my.toml", same).unwrap_err().to_string();
    assert!(error.contains("verdict.first"), "{error}");
    let error = PromptFile::load("no/such.toml").unwrap_err().to_string();
    assert!(error.contains("no/such.toml"), "{error}");
}

#[test]
fn a_template_that_cannot_be_filled_names_file_item_and_variable() {
    let fill = |head: &str, fields: &serde_json::Value| {
        let prompt = parse(head).unwrap();
        let messages = prompt.messages(&item(fields), true);
        messages.map_err(|error| error.to_string())
    };
    let error = fill("fields = ['w']\nuser = '{{ w }}'", &json!({})).unwrap_err();
    assert!(
        error.starts_with("my.toml: template `user`, variable `w`, item `i1`"),
        "{error}"
    );
    let error = fill("fields = ['w']\nuser = '{{ w }}'", &json!({ "w": ["x"] })).unwrap_err();
    assert!(
        error.contains("my.toml") && error.contains("variable `w`"),
        "{error}"
    );
    assert!(error.contains("found sequence"), "{error}");
    let error = fill("fields = ['w']\nuser = '{{ w.z }}'", &json!({ "w": {} })).unwrap_err();
    assert!(error.contains("`w.z`"), "{error}");
    let filled = fill(
        "fields = []\noptional = ['w']\nuser = '{% if w %}{{ w }}{% else %}none{% endif %} {{ output_b }}'",
        &json!({ "other": 1 }),
    );
    assert_eq!(filled.unwrap()[0].content, "none THEIRS");
}

#[test]
fn an_item_reads_from_json_and_goes_back() {
    let text = r#"{"id":"1","user":"u","fields":{"facts":["a","b"]},"ours":"x","theirs":"y"}"#;
    let item: Item = serde_json::from_str(text).unwrap();
    assert_eq!(
        item.fields,
        BTreeMap::from([("facts".into(), Value::from(vec!["a", "b"]))])
    );
    assert_eq!(serde_json::to_string(&item).unwrap(), text);
}

//! Messages with all their fields, and what a record holds for the chat template.

use pref_data::{Comparison, DataError, Prompt, ReadOptions, general};
use serde_json::json;
use tempfile::TempDir;

fn load(name: &str, text: &str) -> Result<Vec<Comparison>, DataError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    general::read(&[path], ReadOptions::default())?.collect()
}

fn one(text: &str) -> Comparison {
    load("a.jsonl", text).unwrap().remove(0)
}

fn problem(text: &str) -> String {
    let message = load("a.jsonl", text).unwrap_err().to_string();
    message.split_once("a.jsonl:").unwrap().1.to_owned()
}

fn fields(comparison: &Comparison) -> Vec<String> {
    let Prompt::Chat(messages) = &comparison.prompt else {
        panic!("a chat");
    };
    let text = |message| serde_json::to_string(message).unwrap();
    messages.iter().map(text).collect()
}

#[test]
fn messages_keep_their_fields_in_the_order_of_the_file() {
    let call = r#"{"content":null,"role":"assistant","tool_calls":[{"id":"7","function":{"name":"w","arguments":{"b":1,"a":2.5}}}]}"#;
    let answer = r#"{"role":"tool","name":"w","content":"rain"}"#;
    let record = format!(
        r#"{{"prompt":[{{"role":"user","content":"Weather?"}},{call},{answer}],"chosen":"Rain.","rejected":"Sun."}}"#
    );
    let comparison = one(&record);
    assert_eq!(
        fields(&comparison)[1..],
        [call.to_owned(), answer.to_owned()]
    );
    assert!(comparison.place.to_string().ends_with("a.jsonl:1"));
    // Also where the prompt stands in the responses, and in a cell.
    let last = |text: &str| format!(r#"{{"role":"assistant","content":"{text}"}}"#);
    let lead = format!(r#"{{"role":"user","content":"Weather?"}},{call},{answer}"#);
    let implicit = format!(
        r#"{{"chosen":[{lead},{}],"rejected":[{lead},{}]}}"#,
        last("Rain."),
        last("Sun.")
    );
    assert_eq!(one(&implicit).prompt, comparison.prompt);
    let cell = format!("[{lead}]").replace('"', "\"\"");
    let csv = format!("prompt,chosen,rejected\n\"{cell}\",Rain.,Sun.\n");
    assert_eq!(load("a.csv", &csv).unwrap()[0].prompt, comparison.prompt);
}

#[test]
fn tools_and_variables_may_stand_as_json_in_a_text() {
    let record = |tools: &str, variables: &str| {
        format!(
            r#"{{"prompt":"p","chosen":"c","rejected":"r","tools":{tools},"chat_template_kwargs":{variables}}}"#
        )
    };
    let plain = one(&record(r#"[{"name":"w"}]"#, r#"{"enable_thinking":false}"#)).template;
    assert_eq!(plain.tools, Some(json!([{"name": "w"}])));
    assert_eq!(plain.chat_template_kwargs["enable_thinking"], json!(false));
    let in_text = one(&record(
        r#""[{\"name\": \"w\"}]""#,
        r#""{\"enable_thinking\": false}""#,
    ));
    assert_eq!(in_text.template, plain);
    let none = one(&record("null", "null")).template;
    assert_eq!(none, Default::default());
    let csv = "prompt,chosen,rejected,tools\np,c,r,\"[{\"\"name\"\": \"\"w\"\"}]\"\np,c,d,\n";
    let found = load("a.csv", csv).unwrap();
    assert_eq!(found[0].template.tools, plain.tools);
    assert_eq!(found[1].template.tools, None);
    assert_eq!(
        problem(&record("3", "null")),
        "1: field `tools`: expected a list of functions, or a JSON list in a text, found the number 3"
    );
    assert_eq!(
        problem(&record("null", "[1]")),
        "1: field `chat_template_kwargs`: expected an object, or a JSON object in a text, found a list of 1"
    );
}

#[test]
fn what_a_response_would_lose_is_refused() {
    let record = |beside: &str| {
        let last = |text: &str| {
            format!(
                r#"[{{"role":"user","content":"q"}},{{"role":"assistant","content":"{text}"{beside}}}]"#
            )
        };
        format!(r#"{{"chosen":{},"rejected":{}}}"#, last("a"), last("b"))
    };
    assert_eq!(one(&record(r#","tool_calls":null,"weight":1"#)).chosen, "a");
    assert_eq!(
        problem(&record(r#","tool_calls":[{"id":1}]"#)),
        "1: field `chosen`: expected a response of text in `content`, with nothing beside it, found `tool_calls` in the last message"
    );
}

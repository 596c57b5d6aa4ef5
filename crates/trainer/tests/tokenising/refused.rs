//! Comparisons that the chat template refuses.

use std::path::Path;

use pref_data::{Comparison, Message, Place, Prompt, Skipped, TemplateInputs};
use serde_json::json;
use trainer::dataset::{Dataset, leave_out_refused};
use trainer::tokenise::{Formatter, PromptConfig};

use super::{RESERVE, TEMPLATE, comparison, formatter, llama_like, text};

const ALTERNATES: &str = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}\
                          {{ raise_exception('Roles must alternate') }}{% endif %}{% endfor %}";

fn strict() -> Formatter {
    let template = format!("{ALTERNATES}{TEMPLATE}");
    formatter(
        llama_like().with_chat_template(template),
        PromptConfig::default(),
    )
}

fn asked_twice() -> Comparison {
    let ask = |text: &str| Message::new("user", text);
    Comparison {
        prompt: Prompt::Chat(vec![ask("one"), ask("two")]),
        place: Place::new(Path::new("data.jsonl"), 3, None),
        ..comparison("", "two", "three")
    }
}

#[test]
fn a_refused_comparison_is_an_error_with_its_place_and_the_templates_words() {
    let error = Dataset::new(
        &[comparison("one", "two", "three"), asked_twice()],
        &strict(),
    );
    assert_eq!(
        error.expect_err("refused").to_string(),
        "data.jsonl:3: chat template: the messages were refused: Roles must alternate"
    );
    let nowhere = Comparison {
        place: Place::default(),
        ..asked_twice()
    };
    let error = Dataset::new(&[nowhere], &strict()).expect_err("refused");
    assert!(error.to_string().starts_with("comparison 1: "), "{error}");
}

#[test]
fn refused_comparisons_can_be_left_out_and_are_counted() {
    let mut data = vec![
        asked_twice(),
        comparison("one", "two", "three"),
        asked_twice(),
    ];
    let mut skipped = Skipped::default();
    leave_out_refused(&mut data, &strict(), &mut skipped).expect("only refusals");
    assert_eq!(data, [comparison("one", "two", "three")]);
    assert_eq!(
        skipped.to_string(),
        "2 left out: chat template: the messages were refused: Roles must alternate (first: data.jsonl:3)"
    );
}

#[test]
fn a_broken_template_is_no_refusal_and_matters_only_where_it_is_used() {
    let broken = format!("{{{{ {}1 }}}}", "-".repeat(100_000));
    let formatter = formatter(
        llama_like().with_chat_template(broken),
        PromptConfig::default(),
    );
    formatter
        .pair(&comparison("one", "two", "three"))
        .expect("raw text");
    let mut data = vec![asked_twice()];
    let error = leave_out_refused(&mut data, &formatter, &mut Skipped::default());
    assert_eq!(
        error.expect_err("broken").to_string(),
        "data.jsonl:3: chat template: line 1: more than 80 levels of nesting"
    );
}

#[test]
fn a_template_sees_tools_and_fields_and_variables() {
    let template = "{{ bos_token }}{% for t in tools or [] %}<system>{{ t.name }}</s>{% endfor %}\
                    {% for m in messages %}<{{ m.role }}>{{ m.content or m.tool_calls | tojson }}</s>{% endfor %}{{ mood }}";
    let tokenizer = llama_like().with_chat_template(template);
    let formatter = Formatter::new(tokenizer, PromptConfig::default(), RESERVE).expect("room");
    let call: Message = serde_json::from_value(
        json!({"role": "assistant", "content": null, "tool_calls": [{"id": 1, "a": "cat"}]}),
    )
    .expect("a message");
    let given = TemplateInputs {
        tools: Some(json!([{"name": "sat"}])),
        chat_template_kwargs: json!({"mood": "on"}).as_object().expect("fields").clone(),
    };
    let prompt = Prompt::Chat(vec![Message::new("user", "one"), call]);
    let found = formatter.prompt(&prompt, &given, None).expect("ids");
    assert_eq!(
        text(&formatter, &found.ids),
        "<s><system>sat</s><user>one</s><assistant>[{\"id\": 1, \"a\": \"cat\"}]</s>on<assistant>"
    );
}

#[test]
fn a_template_that_takes_too_long_ends_the_run() {
    let slow = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    let slow = format!("{{% if messages[0].content == 'one' %}}{slow}{{% endif %}}{TEMPLATE}");
    let slow = formatter(
        llama_like().with_chat_template(slow),
        PromptConfig::default(),
    );
    let mut data = vec![asked_twice()];
    let error = leave_out_refused(&mut data, &slow, &mut Skipped::default());
    let error = error.expect_err("too slow").to_string();
    assert!(
        error.starts_with("data.jsonl:3: chat template: line 1: "),
        "{error}"
    );
    assert!(error.contains("the template takes too m"), "{error}");
}

#[test]
fn where_nothing_is_left_the_first_reason_is_named() {
    let mut data = vec![asked_twice()];
    let error = leave_out_refused(&mut data, &strict(), &mut Skipped::default());
    assert_eq!(
        error.expect_err("nothing left").to_string(),
        "no comparison left to tokenise; the first that was left out: \
         data.jsonl:3: chat template: the messages were refused: Roles must alternate"
    );
}

#[test]
fn a_comparison_that_the_template_leaves_no_room_is_left_out_and_counted() {
    let template = format!("{TEMPLATE}{{% for t in tools or [] %}}{{{{ t }}}}{{% endfor %}}");
    let config = PromptConfig {
        max_prompt_length: 20,
        ..Default::default()
    };
    let formatter = formatter(llama_like().with_chat_template(template), config);
    let good = Comparison {
        prompt: Prompt::Chat(vec![Message::new("user", "one")]),
        ..asked_twice()
    };
    let mut crowded = good.clone();
    crowded.template.tools = Some(json!(["the cat sat on the mat ".repeat(9)]));
    let error = Dataset::new(std::slice::from_ref(&crowded), &formatter).expect_err("no room");
    let error = error.to_string();
    assert!(
        error.starts_with("data.jsonl:3: config key `prompt.max_prompt_length` is 20"),
        "{error}"
    );
    let mut data = vec![crowded, good.clone()];
    let mut skipped = Skipped::default();
    leave_out_refused(&mut data, &formatter, &mut skipped).expect("only refusals");
    assert_eq!(data, [good]);
    assert_eq!(
        skipped.to_string(),
        "1 left out: the chat template leaves a question no room in prompt.max_prompt_length = 20 (first: data.jsonl:3)"
    );
}

//! What is probably not meant so is told with an example.

use llm_backbone::tokenizer::Tokenizer;
use trainer::pref_data::Prompt;
use trainer::tokenise::{Formatter, PromptConfig, SpecialTokens, Template};

use super::comparison;

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                      {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

fn tokenizer(eos: &str) -> Tokenizer {
    let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    Tokenizer::train_bpe(["Name a colour. Green."].into_iter(), 300, &specials)
        .and_then(|t| t.with_eos(eos))
        .expect("a tokenizer")
}

/// The warnings for one comparison.
fn warnings(
    tokenizer: Tokenizer,
    config: PromptConfig,
    (prompt, chosen): (&str, &str),
) -> Vec<String> {
    let formatter = Formatter::new(tokenizer, config, 3).expect("a good configuration");
    let comparisons = [comparison(prompt, chosen, "No.")];
    formatter.warnings(comparisons.iter()).expect("texts")
}

fn chat() -> PromptConfig {
    PromptConfig {
        template: Template::Chat,
        ..Default::default()
    }
}

const PLAIN: (&str, &str) = ("Name a colour.", "Green.");

#[track_caller]
fn assert_told(warnings: &[String], parts: &[&str]) {
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in parts {
        assert!(warnings[0].contains(part), "{part}: {}", warnings[0]);
    }
}

#[test]
fn what_is_as_expected_is_not_told() {
    let chatml = tokenizer("<|im_end|>").with_chat_template(CHATML);
    assert!(warnings(chatml, chat(), PLAIN).is_empty());
    let raw = warnings(tokenizer("<|im_end|>"), PromptConfig::default(), PLAIN);
    assert!(raw.is_empty());
}

#[test]
fn a_template_that_ends_turns_in_another_token_than_eos_is_told() {
    let tokenizer = tokenizer("<|endoftext|>").with_chat_template(CHATML);
    let told = warnings(tokenizer, chat(), PLAIN);
    assert_told(
        &told,
        &["`<|im_end|>`", "`<|endoftext|>`", r#""Green.<|im_end|>\n""#],
    );
}

#[test]
fn a_template_without_generation_prompt_is_told() {
    let template = CHATML.split("{% if").next().expect("a part");
    let tokenizer = tokenizer("<|im_end|>").with_chat_template(template);
    let told = warnings(tokenizer, chat(), PLAIN);
    assert_told(
        &told,
        &["no generation prompt", r#"<|im_start|>assistant\n""#],
    );
}

#[test]
fn responses_that_bring_what_the_template_opens_are_told() {
    let template = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif");
    let open = || tokenizer("<|im_end|>").with_chat_template(&template);
    let own = ("Name a colour.", "<think>\nlet me see\n</think>\nGreen.");
    let told = warnings(open(), chat(), own);
    assert_told(&told, &["opens <think>", r#""<think>\nlet me see"#]);
    let told = warnings(open(), chat(), PLAIN);
    assert_told(&told, &["do not close it", r#""Green.""#]);
    let closed = ("Name a colour.", "let me see\n</think>\nGreen.");
    assert!(warnings(open(), chat(), closed).is_empty());
}

#[test]
fn rendered_data_are_told_whether_they_are_rendered_again_or_parsed() {
    let rendered = (
        "<|im_start|>user\nName a colour.<|im_end|>\n<|im_start|>assistant\n",
        "Green.<|im_end|>\n",
    );
    let open = || tokenizer("<|im_end|>").with_chat_template(CHATML);
    let told = warnings(open(), chat(), rendered);
    assert_told(
        &told,
        &[
            "1 of 1",
            r#""<|im_start|>user\nName"#,
            "prompt.template = \"raw\"",
        ],
    );
    let told = warnings(open(), PromptConfig::default(), rendered);
    assert_told(
        &told,
        &[
            r#""<|im_start|>user\nName"#,
            "prompt.special_tokens = \"text\"",
        ],
    );
    let text = PromptConfig {
        special_tokens: SpecialTokens::Text,
        ..Default::default()
    };
    assert!(warnings(open(), text, rendered).is_empty());
}

#[test]
fn an_instruct_model_that_is_trained_raw_is_told() {
    let tokenizer = tokenizer("<|im_end|>").with_chat_template(CHATML);
    let told = warnings(tokenizer, PromptConfig::default(), PLAIN);
    assert_told(
        &told,
        &[
            "chat template",
            r#""Name a colour.""#,
            "prompt.template = \"chat\"",
        ],
    );
}

#[test]
fn a_template_that_leaves_parts_of_responses_out_is_told() {
    let template = CHATML.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}");
    let tokenizer = tokenizer("<|im_end|>").with_chat_template(template);
    let told = warnings(tokenizer, chat(), ("Hi", "<think>hm</think>Green."));
    assert_told(&told, &["leaves out", r#""<think>hm</think>Green.""#]);
}

/// The warnings for a chat and what its record holds for the template.
fn warnings_of_chat(
    template: &str,
    messages: serde_json::Value,
    tools: serde_json::Value,
) -> Vec<String> {
    let tokenizer = tokenizer("<|im_end|>").with_chat_template(template);
    let formatter = Formatter::new(tokenizer, chat(), 3).expect("a good configuration");
    let mut one = comparison("", "Green.", "No.");
    one.prompt = Prompt::Chat(serde_json::from_value(messages).expect("messages"));
    one.template.tools = Some(tools).filter(|tools| !tools.is_null());
    formatter.warnings([one].iter()).expect("texts")
}

#[test]
fn a_template_that_leaves_messages_of_prompts_out_is_told() {
    let messages = serde_json::json!([
        {"role": "system", "content": "Be  brief,\nplease."},
        {"role": "user", "content": "Name a colour."},
    ]);
    let told =
        |template: &str| warnings_of_chat(template, messages.clone(), serde_json::Value::Null);
    assert_eq!(told(CHATML), Vec::<String>::new());
    // What a template does to spaces is its own business.
    let spaced = CHATML.replace(
        "{{ m.content }}",
        "[{{ m.content | trim | replace('  ', ' ') }}]",
    );
    assert!(
        told(&spaced)
            .iter()
            .all(|told| !told.contains("messages of prompts"))
    );
    let silent = CHATML.replace(
        "{{ m.content }}",
        "{% if m.role != 'system' %}{{ m.content }}{% endif %}",
    );
    assert_told(
        &told(&silent),
        &[
            "messages of prompts (1 of the first 1)",
            r#""Be  brief,\nplease.""#,
        ],
    );
}

#[test]
fn a_template_that_does_not_show_tools_is_told() {
    let call = serde_json::json!([
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "look_up"}}]},
        {"role": "tool", "content": "rain"},
    ]);
    let none = serde_json::Value::Null;
    assert_told(
        &warnings_of_chat(CHATML, call.clone(), none.clone()),
        &["calls of them", r#""look_up""#],
    );
    let shown = CHATML.replace(
        "{{ m.content }}",
        "{{ m.content }}{{ (m.tool_calls or tools) | tojson }}",
    );
    assert_eq!(warnings_of_chat(&shown, call, none), Vec::<String>::new());
    let question = serde_json::json!([{"role": "user", "content": "Weather?"}]);
    let tools = serde_json::json!([{"type": "function", "function": {"name": "forecast"}}]);
    assert_told(
        &warnings_of_chat(CHATML, question.clone(), tools.clone()),
        &["does not show tools", r#""forecast""#],
    );
    let shown = format!("{{{{ tools | tojson }}}}{CHATML}");
    assert_eq!(
        warnings_of_chat(&shown, question, tools),
        Vec::<String>::new()
    );
}

#[test]
fn data_that_another_models_template_has_rendered_are_told() {
    let alpaca = "### Instruction:\nName a colour.\n\n### Response:\n";
    let rendered = [
        ("[INST] Name a colour. [/INST]", "Green.", "\"[INST] Name"),
        ("Name a colour.", "Green.<|eot_id|>", "\"Green.<|eot_id|>\""),
        (alpaca, "Green.", "\"### Instruction:"),
    ];
    for (prompt, chosen, example) in rendered {
        for config in [chat(), PromptConfig::default()] {
            let tokenizer = tokenizer("<|im_end|>").with_chat_template(CHATML);
            let told = warnings(tokenizer, config, (prompt, chosen));
            assert_told(&told, &["1 of 1", "another model's chat template", example]);
        }
    }
    // Without a template, Alpaca's is as good as any.
    let raw = (tokenizer("<|im_end|>"), PromptConfig::default());
    assert!(warnings(raw.0, raw.1, (alpaca, "Green.")).is_empty());
}

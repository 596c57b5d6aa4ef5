//! What users wrote is text under a chat template, and raw what the configuration says.

use llm_backbone::tokenizer::Tokenizer;
use pref_data::{Comparison, Message, Prompt, TemplateInputs};
use trainer::tokenise::{PromptConfig, SpecialTokens, Template};

use super::{
    EOS, TEMPLATE, comparison, formatter, llama_like, pair, sentencepiece, support, text, trained,
};

fn chat_config() -> PromptConfig {
    PromptConfig {
        template: Template::Chat,
        ..Default::default()
    }
}

/// How often each special token stands among the ids.
fn counts(formatter: &trainer::tokenise::Formatter, ids: &[u32]) -> Vec<usize> {
    ["<s>", EOS, "<system>", "<user>", "<assistant>"]
        .iter()
        .map(|token| formatter.tokenizer().token_to_id(token))
        .map(|token| ids.iter().filter(|id| token == Some(**id)).count())
        .collect()
}

#[test]
fn under_a_chat_template_nothing_that_users_wrote_is_special() {
    let formatter = formatter(trained(true).with_chat_template(TEMPLATE), chat_config());
    let said = "one</s><system>two<assistant></s>";
    let message = |role: &str| Message::new(role, said);
    let comparison = Comparison {
        user_text: Some("I am <system>".into()),
        prompt: Prompt::Chat(["user", "assistant", "user"].map(message).into()),
        ..comparison("", said, "yes.</s>")
    };
    let found = formatter.pair(&comparison).expect("ids");
    let turn = |role: &str| format!("<{role}>{said}</s>");
    assert_eq!(
        text(&formatter, &found.prompt.ids),
        format!(
            "<s>I am <system>{}{}{}<assistant>",
            turn("user"),
            turn("assistant"),
            turn("user")
        )
    );
    assert_eq!(counts(&formatter, &found.prompt.ids), [1, 3, 0, 2, 2]);
    assert_eq!(text(&formatter, &found.chosen), format!("{said}</s>"));
    assert_eq!(counts(&formatter, &found.chosen), [0, 1, 0, 0, 0]);
    assert_eq!(text(&formatter, &found.rejected), "yes.</s></s>");
    assert_eq!(counts(&formatter, &found.rejected), [0, 1, 0, 0, 0]);
}

#[test]
fn other_fields_of_messages_tools_and_variables_are_text_too() {
    let template = "{{ tools | tojson }}{{ mood }}{% for m in messages %}<user>{{ m | tojson }}</s>{% endfor %}<assistant>";
    let formatter = formatter(trained(true).with_chat_template(template), chat_config());
    let field = serde_json::json!({"role": "user", "content": "a", "name": {"</s>": "<system>"}});
    let message: Message = serde_json::from_value(field).expect("a message");
    let template = TemplateInputs {
        tools: Some(serde_json::json!(["<user>"])),
        chat_template_kwargs: [("mood".to_owned(), "<system>".into())]
            .into_iter()
            .collect(),
    };
    let prompt = Prompt::Chat(vec![message]);
    let found = formatter.prompt(&prompt, &template, None).expect("ids");
    assert_eq!(counts(&formatter, &found.ids), [0, 1, 0, 1, 1]);
    assert!(text(&formatter, &found.ids).contains(r#""name": {"</s>": "<system>"}"#));
}

#[test]
fn a_template_that_trims_or_repeats_what_users_wrote_opens_no_turn_either() {
    let template = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}|{{ m | tojson }}</s>{% endfor %}\
                    {% if add_generation_prompt %}<assistant>{% endif %}";
    for tokenizer in [trained(true), sentencepiece()] {
        let formatter = formatter(tokenizer.with_chat_template(template), chat_config());
        let found = pair(&formatter, " </s><user> ", "</s>", "no");
        assert_eq!(counts(&formatter, &found.prompt.ids)[1], 1);
        assert_eq!(counts(&formatter, &found.chosen)[1], 1);
    }
}

/// Not every tokenizer marks what a template writes around messages as special, and a tag that answers write is none.
#[test]
fn marks_of_turns_are_special_and_tags_of_answers_are_not() {
    let file = support::model_fixture("seams/byte_bpe/tokenizer.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
    let added = json["added_tokens"].as_array_mut().expect("a list");
    for (id, content) in (10_000..).zip(["<|turn|>", "<think>"]) {
        added.push(serde_json::json!({
            "id": id, "content": content, "special": false, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false
        }));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokenizer.json");
    std::fs::write(path, json.to_string()).expect("a file");
    let template = "Think between <think> and </think>.\n{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}\
                    {% if add_generation_prompt %}<|turn|>assistant\n{% endif %}";
    let tokenizer = Tokenizer::open(folder.path()).and_then(|t| t.with_eos(EOS));
    let tokenizer = tokenizer.expect("a tokenizer");
    let [turn, think] =
        ["<|turn|>", "<think>"].map(|token| tokenizer.token_to_id(token).expect("a token"));
    let formatter = formatter(tokenizer.with_chat_template(template), chat_config());
    let found = pair(&formatter, "a<|turn|>system", "<think>b<|turn|>", "no");
    let count = |ids: &[u32], token| ids.iter().filter(|id| **id == token).count();
    assert_eq!(count(&found.prompt.ids, turn), 2);
    assert_eq!(count(&found.chosen, turn), 0);
    assert_eq!(count(&found.chosen, think), 1);
}

#[test]
fn raw_texts_are_parsed_unless_the_configuration_says_text() {
    let with = |special_tokens| {
        let config = PromptConfig {
            special_tokens,
            ..Default::default()
        };
        let formatter = formatter(llama_like(), config);
        let found = pair(&formatter, "one</s>two", "three</s>\n", "four");
        assert!(text(&formatter, &found.prompt.ids).ends_with("one</s>two"));
        (
            counts(&formatter, &found.prompt.ids)[1],
            text(&formatter, &found.chosen),
            counts(&formatter, &found.chosen)[1],
        )
    };
    assert_eq!(with(SpecialTokens::Parse), (1, "three</s>\n".into(), 1));
    assert_eq!(with(SpecialTokens::Text), (0, "three</s>\n</s>".into(), 1));
}

//! What a chat template writes before and behind an answer is what is trained.

use llm_backbone::tokenizer::Tokenizer;
use trainer::tokenise::{Formatter, PromptConfig, Template};

use super::{EOS, comparison, pair, sentencepiece, text, trained};

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                      {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Ends a text in another token than the template ends a turn in.
fn chatml() -> Tokenizer {
    let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    Tokenizer::train_bpe(["Name a colour. Green."].into_iter(), 300, &specials)
        .and_then(|t| t.with_eos("<|endoftext|>"))
        .expect("a tokenizer")
}

fn formatter(tokenizer: Tokenizer, template: &str) -> Formatter {
    let config = PromptConfig {
        template: Template::Chat,
        ..Default::default()
    };
    let tokenizer = tokenizer.with_chat_template(template);
    Formatter::new(tokenizer, config, 3).expect("a good configuration")
}

/// Prompt and response in text.
fn texts(formatter: &Formatter, prompt: &str, response: &str) -> [String; 2] {
    let found = pair(formatter, prompt, response, "No.");
    [&found.prompt.ids, &found.chosen].map(|ids| text(formatter, ids))
}

#[test]
fn a_response_ends_in_the_templates_end_of_turn_and_generation_stops_there() {
    let formatter = formatter(chatml(), CHATML);
    let [_, response] = texts(&formatter, "Name a colour.", "Green.");
    assert_eq!(response, "Green.<|im_end|>\n");
    assert_eq!(formatter.stop_ids(), [0, 2]);
}

#[test]
fn what_stands_behind_the_end_of_turn_is_white_space_or_left_out() {
    let template =
        format!("{CHATML}{{% if not add_generation_prompt %}}<|endoftext|>{{% endif %}}");
    let formatter = formatter(chatml(), &template);
    let [prompt, response] = texts(&formatter, "Hi", "Green.");
    assert!(prompt.ends_with("<|im_start|>assistant\n"), "{prompt}");
    assert_eq!(response, "Green.<|im_end|>\n");
}

/// In the manner of Cohere's: the last one is the end of turn.
#[test]
fn an_end_of_several_special_tokens_is_whole_and_generation_stops_at_the_last() {
    let template = CHATML.replace("<|im_end|>\n", "<|endoftext|><|im_end|>");
    let formatter = formatter(
        chatml().with_eos("<|im_start|>").expect("a token"),
        &template,
    );
    let [_, response] = texts(&formatter, "Hi", "Green.");
    assert_eq!(response, "Green.<|endoftext|><|im_end|>");
    assert_eq!(formatter.stop_ids(), [1, 2]);
}

/// In the manner of gpt-oss.
#[test]
fn a_token_that_ends_the_last_turn_alone_is_its_end() {
    let last = "{% if loop.last %}<|endoftext|>{% else %}<|im_end|>{% endif %}";
    let formatter = formatter(
        chatml().with_eos("<|im_start|>").expect("a token"),
        &CHATML.replace("<|im_end|>\n", last),
    );
    let [_, response] = texts(&formatter, "Hi", "Green.");
    assert_eq!(response, "Green.<|endoftext|>");
}

#[test]
fn a_template_without_generation_prompt_gets_the_header_of_a_rendered_turn() {
    let template = CHATML.split("{% if").next().expect("a part");
    let formatter = formatter(chatml(), template);
    let [prompt, response] = texts(&formatter, "Hi", "Green.");
    assert_eq!(
        prompt,
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(response, "Green.<|im_end|>\n");
}

/// In the manner of Llama 2: the space before an answer is the answer's, and so is the one behind it.
#[test]
fn spaces_around_an_answer_are_those_of_the_template() {
    let llama2 = "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token + '[INST] ' + m.content.strip() + ' [/INST]' }}\
                  {% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";
    let formatter = formatter(sentencepiece(), llama2);
    let found = pair(&formatter, "Name a river.", "  The Elbe.\n", "No.");
    let tokenizer = formatter.tokenizer();
    let joint = "<s>[INST] Name a river. [/INST] The Elbe. </s>";
    let both = [found.prompt.ids, found.chosen].concat();
    assert_eq!(both, tokenizer.encode(joint, true).expect("ids"));
}

#[test]
fn spaces_at_both_ends_of_an_answer_stay_where_the_template_keeps_them() {
    let formatter = formatter(chatml(), CHATML);
    for response in ["    return 2 * x", "\n\nGreen. \n", " Green"] {
        let [_, found] = texts(&formatter, "Hi", response);
        assert_eq!(found, format!("{response}<|im_end|>\n"));
    }
}

#[test]
fn a_generation_prompt_that_opens_a_tag_is_not_doubled_where_the_template_writes_it_too() {
    let template = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif");
    let formatter = formatter(chatml(), &template);
    let [prompt, response] = texts(&formatter, "Hi", "<think>\nlet me see\n</think>\nGreen.");
    assert!(prompt.ends_with("assistant\n<think>\n"), "{prompt}");
    assert_eq!(response, "let me see\n</think>\nGreen.<|im_end|>\n");
    let [_, response] = texts(&formatter, "Hi", "Green.");
    assert_eq!(response, "Green.<|im_end|>\n");
}

#[test]
fn a_template_that_ends_turns_in_plain_text_is_followed_by_eos() {
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:";
    let formatter = formatter(trained(true), template);
    let [prompt, response] = texts(&formatter, "one", "two");
    assert_eq!(prompt, "user: one\nassistant:");
    assert_eq!(response, format!(" two{EOS}"));
}

#[test]
fn a_template_that_refuses_answers_still_presents_questions() {
    let template = "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}\
                    <user>{{ m.content }}</s>{% endfor %}<assistant>";
    let formatter = formatter(trained(true), template);
    let found = formatter
        .pair(&comparison("one", "two", "three"))
        .expect("ids");
    assert_eq!(
        text(&formatter, &found.prompt.ids),
        "<user>one</s><assistant>"
    );
    assert_eq!(text(&formatter, &found.chosen), format!("two{EOS}"));
}

//! One sequence is `BOS | soft tokens | user text | prompt | response | its end`, as the model's own tokenizer or chat
//! template would write it.

mod cuts;
mod refused;
mod special_tokens;
#[path = "../support/mod.rs"]
mod support;
mod templates;
mod warnings;

use llm_backbone::tokenizer::Tokenizer;
use pref_data::{Comparison, Message, Prompt, TemplateInputs, UserId};
use trainer::tokenise::{Formatter, PromptConfig, Template, TokenizedPair, TokenizedPrompt};

const BOS: &str = "<s>";
const EOS: &str = "</s>";

/// Room for soft tokens.
const RESERVE: usize = 3;

/// A template that shows every token: roles and ends are special tokens of their own.
const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}\
                        {% if add_generation_prompt %}<assistant>{% endif %}";

fn trained(adds_bos: bool) -> Tokenizer {
    let corpus = [
        "the cat sat on the mat and the dog sat on the cat",
        "post: summary: title: one two three four five six",
    ];
    let specials = [BOS, EOS, "<system>", "<user>", "<assistant>"];
    let tokenizer = Tokenizer::train_bpe(corpus.into_iter(), 330, &specials)
        .and_then(|t| t.with_bos(BOS))
        .and_then(|t| t.with_eos(EOS))
        .expect("a tokenizer");
    match adds_bos {
        true => tokenizer.with_bos_in_front().expect("a BOS"),
        false => tokenizer,
    }
}

/// Llama's tokenizer adds BOS, GPT-J's does not although it names one.
fn llama_like() -> Tokenizer {
    trained(true)
}

fn gpt_j_like() -> Tokenizer {
    trained(false)
}

/// In the manner of Llama 2: a space stands in front of every text.
fn sentencepiece() -> Tokenizer {
    Tokenizer::open(support::model_fixture("seams/sentencepiece"))
        .and_then(|t| t.with_bos(BOS)?.with_eos(EOS)?.with_bos_in_front())
        .expect("a tokenizer")
}

fn formatter(tokenizer: Tokenizer, config: PromptConfig) -> Formatter {
    Formatter::new(tokenizer, config, RESERVE).expect("a good configuration")
}

fn text(formatter: &Formatter, ids: &[u32]) -> String {
    formatter.tokenizer().decode(ids, false).expect("text")
}

fn prompt(formatter: &Formatter, prompt: &str, user_text: Option<&str>) -> TokenizedPrompt {
    let prompt = Prompt::Text(prompt.into());
    formatter
        .prompt(&prompt, &TemplateInputs::default(), user_text)
        .expect("ids")
}

fn chat(formatter: &Formatter, messages: &[(&str, &str)]) -> TokenizedPrompt {
    chat_with(formatter, messages, None)
}

fn chat_with(
    formatter: &Formatter,
    messages: &[(&str, &str)],
    user_text: Option<&str>,
) -> TokenizedPrompt {
    let message = |(role, content): &(&str, &str)| Message::new(*role, *content);
    let prompt = Prompt::Chat(messages.iter().map(message).collect());
    formatter
        .prompt(&prompt, &TemplateInputs::default(), user_text)
        .expect("ids")
}

fn comparison(prompt: &str, chosen: &str, rejected: &str) -> Comparison {
    Comparison {
        user: Some(UserId::new("u")),
        user_text: None,
        prompt: Prompt::Text(prompt.into()),
        chosen: chosen.into(),
        rejected: rejected.into(),
        source: "s".into(),
        template: Default::default(),
        place: Default::default(),
        group: None,
        thumb: None,
    }
}

fn pair(formatter: &Formatter, prompt: &str, chosen: &str, rejected: &str) -> TokenizedPair {
    let comparison = comparison(prompt, chosen, rejected);
    formatter.pair(&comparison).expect("ids")
}

#[test]
fn soft_tokens_follow_the_bos_that_the_tokenizer_adds() {
    let formatter = formatter(llama_like(), PromptConfig::default());
    let found = prompt(&formatter, "the cat sat", None);
    assert_eq!(text(&formatter, &found.ids), "<s>the cat sat");
    assert_eq!((found.soft_at, found.cut), (1, false));
}

#[test]
fn soft_tokens_come_first_where_the_tokenizer_adds_no_bos() {
    let formatter = formatter(gpt_j_like(), PromptConfig::default());
    let found = prompt(&formatter, "the cat sat", None);
    assert_eq!(text(&formatter, &found.ids), "the cat sat");
    assert_eq!((found.soft_at, found.cut), (0, false));
}

#[test]
fn a_text_that_brings_its_own_bos_does_not_get_a_second_one() {
    for tokenizer in [llama_like(), gpt_j_like()] {
        let formatter = formatter(tokenizer, PromptConfig::default());
        let found = prompt(&formatter, "<s>the cat sat", None);
        assert_eq!(text(&formatter, &found.ids), "<s>the cat sat");
        assert_eq!(found.soft_at, 1);
    }
}

/// Qwen's tokenizer names none.
#[test]
fn an_empty_prompt_begins_with_the_end_of_text_where_there_is_no_bos() {
    let tokenizer = Tokenizer::train_bpe(["one two three"].into_iter(), 300, &[EOS])
        .and_then(|t| t.with_eos(EOS))
        .expect("a tokenizer");
    let formatter = formatter(tokenizer, PromptConfig::default());
    for empty in ["", "  "] {
        let found = prompt(&formatter, empty, None);
        assert_eq!(text(&formatter, &found.ids), EOS);
        assert_eq!(found.soft_at, 0);
    }
}

/// A packed row needs a state before its first response token.
#[test]
fn an_empty_prompt_is_still_a_prompt() {
    for tokenizer in [llama_like(), gpt_j_like()] {
        let formatter = formatter(tokenizer, PromptConfig::default());
        let found = pair(&formatter, "", "one", "two");
        assert_eq!(text(&formatter, &found.prompt.ids), "<s>");
        assert_eq!(found.prompt.soft_at, 1);
    }
}

#[test]
fn user_text_goes_right_after_the_soft_tokens() {
    for (tokenizer, expected) in [
        (llama_like(), "<s>[I like short texts.]the cat sat"),
        (gpt_j_like(), "[I like short texts.]the cat sat"),
    ] {
        let formatter = formatter(tokenizer, PromptConfig::default());
        let plain = prompt(&formatter, "the cat sat", None);
        let found = prompt(&formatter, "the cat sat", Some("[I like short texts.]"));
        assert_eq!(text(&formatter, &found.ids), expected);
        assert_eq!(found.soft_at, plain.soft_at);
        let own = found.ids.len() - plain.ids.len();
        assert_eq!(found.ids[..found.soft_at], plain.ids[..plain.soft_at]);
        assert_eq!(found.ids[found.soft_at + own..], plain.ids[plain.soft_at..]);
    }
}

#[test]
fn a_response_ends_in_one_eos() {
    let formatter = formatter(llama_like(), PromptConfig::default());
    let found = pair(&formatter, "post: one summary:", "two three", "four</s>");
    assert_eq!(text(&formatter, &found.chosen), "two three</s>");
    assert_eq!(text(&formatter, &found.rejected), "four</s>");
    assert!(!found.response_cut);
    // An empty response is nothing but its end.
    let found = pair(&formatter, "post: one\n", "", "</s>");
    assert_eq!(found.chosen, [formatter.eos()]);
    assert_eq!(found.rejected, [formatter.eos()]);
}

/// The space between cue and response belongs to the response's first token, as in running text.
#[test]
fn the_space_at_the_end_of_a_raw_prompt_goes_to_the_response() {
    let formatter = formatter(gpt_j_like(), PromptConfig::default());
    let expected = pair(&formatter, "one summary:", " two", " three");
    let found = pair(&formatter, "one summary: ", "two", "three");
    assert_eq!(found, expected);
    assert_eq!(text(&formatter, &expected.chosen), " two</s>");
}

#[test]
fn prompt_and_response_say_the_text_as_it_is() {
    for tokenizer in [gpt_j_like(), llama_like(), sentencepiece()] {
        let formatter = formatter(tokenizer, PromptConfig::default());
        for (prompt, response) in [
            ("one summary:", "two"),
            ("one summary: ", " two"),
            ("def double(x):", "\n    return 2 * x"),
            ("It is 12:", "30 now"),
            ("a\n\n", "    b"),
            ("a\n", "\n b "),
            ("one tw", "o three"),
            (" ", "two"),
        ] {
            let found = pair(&formatter, prompt, response, "x");
            let said = [&found.prompt.ids[found.prompt.soft_at..], &found.chosen].concat();
            let expected = format!("{prompt}{response}</s>");
            assert_eq!(text(&formatter, &said), expected, "{prompt:?} {response:?}");
        }
    }
}

/// Random texts, and what the ids of the joint text say in Hugging Face's `tokenizers`.
#[test]
fn random_prompts_and_responses_say_what_the_ids_of_the_joint_text_say() {
    for name in [
        "byte_bpe",
        "sentencepiece",
        "sentencepiece_plain",
        "unigram",
    ] {
        let folder = support::model_fixture("seams").join(name);
        let tokenizer = Tokenizer::open(&folder).and_then(|t| t.with_eos(EOS));
        let formatter = formatter(tokenizer.expect("a tokenizer"), PromptConfig::default());
        let cases = std::fs::read(folder.join("cases.json")).expect("a file");
        let cases: serde_json::Value = serde_json::from_slice(&cases).expect("cases");
        for case in cases["cases"].as_array().expect("a list") {
            let said = |key: &str| case[key].as_str().expect("a text");
            let (prompt, response) = (said("context"), said("text"));
            if prompt.trim_matches(' ').is_empty() {
                continue; // The response is all the text there is.
            }
            let found = pair(&formatter, prompt, response, "x");
            let end = if response.trim_end().ends_with(EOS) {
                ""
            } else {
                EOS
            };
            let both = [found.prompt.ids, found.chosen].concat();
            let expected = format!("{}{end}", said("joint"));
            assert_eq!(
                text(&formatter, &both),
                expected,
                "{name} {prompt:?} {response:?}"
            );
        }
    }
}

#[test]
fn no_response_begins_with_the_mark_of_a_space_that_its_text_does_not_have() {
    let tokenizer = sentencepiece();
    let lone = tokenizer.token_to_id("\u{2581}").expect("a token");
    let zephyr = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}\
                  {% if add_generation_prompt %}<|assistant|>\n{% endif %}";
    let formatter = formatter(
        tokenizer.with_chat_template(zephyr),
        PromptConfig::default(),
    );
    let raw = pair(
        &formatter,
        "Question: name a river. Answer:",
        "Elbe.",
        "No.",
    );
    let message = Message::new("user", "Name a river.");
    let chat = Comparison {
        prompt: Prompt::Chat(vec![message]),
        ..comparison("", "Elbe.", "No.")
    };
    let chat = formatter.pair(&chat).expect("ids");
    for found in [raw, chat] {
        assert!(!found.chosen.contains(&lone), "{:?}", found.chosen);
        assert!(!found.rejected.contains(&lone), "{:?}", found.rejected);
    }
}

#[test]
fn chat_prompts_go_through_the_template_whose_bos_is_not_doubled() {
    for tokenizer in [llama_like(), gpt_j_like()] {
        let tokenizer = tokenizer.with_chat_template(TEMPLATE);
        let formatter = formatter(tokenizer, PromptConfig::default());
        let found = chat(
            &formatter,
            &[("user", "one"), ("assistant", "two"), ("user", "three")],
        );
        assert_eq!(
            text(&formatter, &found.ids),
            "<s><user>one</s><assistant>two</s><user>three</s><assistant>"
        );
        assert_eq!(found.soft_at, 1);
    }
}

#[test]
fn a_template_that_prints_the_time_prints_that_of_the_clock() {
    let template = format!("{{{{ strftime_now('%Y') }}}}{TEMPLATE}");
    let at = |seconds| {
        let tokenizer = llama_like().with_chat_template(&template);
        let formatter = formatter(tokenizer, PromptConfig::default()).with_clock(seconds);
        let found = chat(&formatter, &[("user", "the cat")]);
        text(&formatter, &found.ids)
    };
    // The middle of 2001 and of 2024, far from any time zone's new year.
    assert!(at(993_000_000).contains("2001"), "{}", at(993_000_000));
    assert!(at(1_720_000_000).contains("2024"), "{}", at(1_720_000_000));
}

#[test]
fn a_template_without_bos_puts_soft_tokens_first() {
    let template = TEMPLATE.replace("{{ bos_token }}", "");
    let tokenizer = llama_like().with_chat_template(template);
    let formatter = formatter(tokenizer, PromptConfig::default());
    let found = chat(&formatter, &[("user", "one")]);
    assert_eq!(text(&formatter, &found.ids), "<user>one</s><assistant>");
    assert_eq!(found.soft_at, 0);
}

#[test]
fn plain_prompts_become_a_users_message_where_the_configuration_says_so() {
    let config = PromptConfig {
        template: Template::Chat,
        system: "be short".into(),
        ..Default::default()
    };
    let formatter = formatter(llama_like().with_chat_template(TEMPLATE), config);
    let found = pair(&formatter, "one two ", " three", "four");
    assert_eq!(
        text(&formatter, &found.prompt.ids),
        "<s><system>be short</s><user>one two </s><assistant>"
    );
    assert_eq!(text(&formatter, &found.chosen), " three</s>");
    assert_eq!(text(&formatter, &found.rejected), "four</s>");
    let own = [("system", "be long"), ("user", "one")];
    let found = chat(&formatter, &own);
    assert!(text(&formatter, &found.ids).starts_with("<s><system>be long</s><user>"));
}

#[test]
fn smollm2_starts_with_its_template_and_ends_in_im_end() {
    let Some(path) = support::smollm2() else {
        return;
    };
    let open = || Tokenizer::open(&path).expect("a good file");
    let config = PromptConfig {
        template: Template::Chat,
        ..Default::default()
    };
    let template = formatter(open(), config);
    let found = pair(&template, "Hi", "Hello!", "Go away.");
    let (start, end) = (1, 2); // <|im_start|>, <|im_end|>
    assert_eq!((found.prompt.ids[0], found.prompt.soft_at), (start, 1));
    assert_ne!(found.prompt.ids[1], start, "the header is not doubled");
    assert_eq!(
        text(&template, &found.prompt.ids),
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
         <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(text(&template, &found.chosen), "Hello!<|im_end|>\n");
    assert_eq!(text(&template, &found.rejected), "Go away.<|im_end|>\n");
    for response in [&found.chosen, &found.rejected] {
        assert_eq!(response.iter().filter(|&&id| id == end).count(), 1);
    }
    // Without the template: no BOS, soft tokens first.
    let raw = formatter(open(), PromptConfig::default());
    let found = pair(&raw, "The capital of France is: ", "Paris", "Rome");
    assert_eq!(found.prompt.soft_at, 0);
    assert_eq!(found.prompt.ids[..5], [504, 3575, 282, 4649, 314]);
    assert_eq!(found.chosen, [7042, end]);
}

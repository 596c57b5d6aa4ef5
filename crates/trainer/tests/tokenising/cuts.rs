//! What happens to texts that are too long, and what is left of them.

use llm_backbone::tokenizer::Tokenizer;
use pref_data::{Comparison, Message, Prompt, TemplateInputs};
use trainer::dataset::Dataset;
use trainer::pack::PackedBatch;
use trainer::tokenise::{Formatter, PromptConfig, Template, TokenizedPair};

use super::{
    RESERVE, TEMPLATE, chat, comparison, formatter, gpt_j_like, llama_like, pair, prompt, support,
    text,
};

fn limited(max_prompt_length: usize) -> PromptConfig {
    PromptConfig {
        max_prompt_length,
        ..Default::default()
    }
}

/// A long post with a cue at its end.
fn long_post() -> String {
    let words = ["the", "cat", "sat", "on", "a", "mat"];
    let post: Vec<&str> = (0..80).map(|i| words[i % words.len()]).collect();
    format!("post: {} summary:", post.join(" "))
}

#[test]
fn a_long_response_loses_its_end_and_that_is_told() {
    let config = PromptConfig {
        max_response_length: 4,
        ..Default::default()
    };
    let formatter = formatter(gpt_j_like(), config);
    let long = "the cat sat on the mat and the dog sat on the cat";
    let found = pair(&formatter, "one:", long, "two");
    assert_eq!(found.chosen.len(), 4);
    assert!(found.response_cut);
    assert!(long.starts_with(text(&formatter, &found.chosen).trim_start()));
    assert!(!pair(&formatter, "one:", "on", "at").response_cut);
}

#[test]
fn a_long_text_is_cut_from_the_left_at_a_word_and_that_is_told() {
    for tokenizer in [llama_like(), gpt_j_like()] {
        let adds_bos = tokenizer.adds_bos();
        let formatter = formatter(tokenizer, limited(20));
        let post = long_post();
        let found = prompt(&formatter, &post, None);
        assert!(found.cut);
        let length = found.ids.len() + RESERVE;
        assert!((15..=20).contains(&length), "no more is cut than must be");
        let kept = text(&formatter, &found.ids[found.soft_at..]);
        assert!(
            post.ends_with(&kept) && kept.ends_with(" summary:"),
            "{kept}"
        );
        assert!(post[..post.len() - kept.len()].ends_with(' '), "{kept}");
        assert_eq!(found.soft_at, usize::from(adds_bos));
        let exact = prompt(&formatter, &kept, None);
        assert!(!exact.cut && exact.ids == found.ids);
    }
}

#[test]
fn a_long_text_without_words_is_cut_at_a_character() {
    let formatter = formatter(llama_like(), limited(20));
    let post = "\u{732b}\u{5750}\u{57ab}".repeat(30) + ":";
    let found = prompt(&formatter, &post, None);
    let kept = text(&formatter, &found.ids[1..]);
    assert!(found.cut && found.ids.len() + RESERVE <= 20);
    assert!(kept.chars().count() >= 4 && post.ends_with(&kept), "{kept}");
}

#[test]
fn user_text_takes_its_room_from_the_prompt() {
    let formatter = formatter(llama_like(), limited(24));
    let found = prompt(&formatter, &long_post(), Some("one two three"));
    assert!(found.cut && found.ids.len() + RESERVE <= 24);
    let kept = text(&formatter, &found.ids);
    assert!(kept.starts_with("<s>one two three"), "{kept}");
    assert!(kept.ends_with(" summary:"), "{kept}");
}

/// A long text about oneself.
fn long_user_text() -> String {
    "one two three four five six ".repeat(40)
}

#[test]
fn a_long_user_text_keeps_its_beginning_and_leaves_the_prompt_whole() {
    let formatter = formatter(llama_like(), limited(40));
    let whole = prompt(&formatter, "the cat sat on the mat:", None);
    assert!(2 * whole.ids.len() < 40 - RESERVE);
    let about = long_user_text();
    let found = prompt(&formatter, "the cat sat on the mat:", Some(&about));
    assert!(found.user_text_cut && !found.cut);
    assert_eq!(found.ids.len() + RESERVE, 40, "no more is cut than must be");
    let kept = text(&formatter, &found.ids);
    assert!(kept.starts_with("<s>one two three"), "{kept}");
    assert!(kept.ends_with("the cat sat on the mat:"), "{kept}");
    // At a token: what is left are the first ids of the whole text.
    let all = prompt(
        &Formatter::new(llama_like(), limited(4000), 0).expect("room"),
        "",
        Some(&about),
    );
    let about_kept = 40 - RESERVE - whole.ids.len();
    assert_eq!(found.ids[..=about_kept], all.ids[..=about_kept]);
}

#[test]
fn a_long_user_text_and_a_long_prompt_share_the_room() {
    for tokenizer in [llama_like(), gpt_j_like()] {
        let formatter = formatter(tokenizer, limited(43));
        let found = prompt(&formatter, &long_post(), Some(&long_user_text()));
        assert!(found.user_text_cut && found.cut);
        assert_eq!(found.ids.len() + RESERVE, 43);
        let alone = prompt(&formatter, &long_post(), None);
        let of_prompt = (1..=found.ids.len())
            .take_while(|n| alone.ids[alone.ids.len() - n..] == found.ids[found.ids.len() - n..])
            .count();
        // Room for 40 tokens, half of it for the prompt, less what its cut at a word leaves.
        assert!((14..=20).contains(&of_prompt), "{of_prompt}");
        let kept = text(&formatter, &found.ids);
        assert!(
            kept.contains("one two three") && kept.ends_with(" summary:"),
            "{kept}"
        );
    }
}

#[test]
fn a_user_text_of_half_the_room_is_never_cut() {
    let formatter = formatter(llama_like(), limited(43));
    let about = "one two three four five six";
    let found = prompt(&formatter, &long_post(), Some(about));
    assert!(found.cut && !found.user_text_cut);
    assert!(text(&formatter, &found.ids).starts_with("<s>one two three four five six"));
}

/// What a template writes itself is never cut; here it takes more than half of the room.
#[test]
fn what_is_never_cut_takes_its_room_from_a_long_user_text() {
    let template = TEMPLATE.replace("{% for", "the cat sat on the mat{% for");
    let open = |limit| formatter(llama_like().with_chat_template(&template), limited(limit));
    let messages = [("user", "")];
    let header = chat(&open(512), &messages).ids;
    let limit = header.len() + 2 + RESERVE;
    let found = super::chat_with(&open(limit), &messages, Some(&long_user_text()));
    assert!(found.user_text_cut);
    assert_eq!(found.ids.len() + RESERVE, limit);
    assert_eq!(found.ids[3..], header[1..]);
}

#[test]
fn a_dialogue_of_800_tokens_keeps_system_message_and_latest_turns_beside_a_user_text() {
    let formatter = formatter(llama_like().with_chat_template(TEMPLATE), limited(800));
    let turns: Vec<String> = (0..40)
        .map(|i| format!("{} {}", "the cat sat on the mat ".repeat(1 + i % 5), i))
        .collect();
    let mut messages = vec![("system", "one two")];
    for (i, turn) in turns.iter().enumerate() {
        messages.push((["user", "assistant"][i % 2], turn));
    }
    messages.push(("user", "three four"));
    let about = "one two three ".repeat(20);
    let found = super::chat_with(&formatter, &messages, Some(&about));
    assert!(found.cut && !found.user_text_cut);
    assert!(found.ids.len() + RESERVE <= 800);
    // The first turn from which on everything fits.
    let kept = |from: usize| {
        let kept = [&messages[..1], &messages[from..]].concat();
        let wide = Formatter::new(
            llama_like().with_chat_template(TEMPLATE),
            limited(100_000),
            RESERVE,
        );
        super::chat_with(&wide.expect("room"), &kept, Some(&about))
    };
    let starts = (1..messages.len()).filter(|&i| messages[i].0 == "user");
    let fitting = starts.map(kept).find(|p| p.ids.len() + RESERVE <= 800);
    assert_eq!(Some(found.ids), fitting.map(|p| p.ids));
}

#[test]
fn a_long_chat_loses_its_oldest_messages_first_but_never_system_message_and_final_header() {
    let open = |limit| formatter(llama_like().with_chat_template(TEMPLATE), limited(limit));
    let messages = [
        ("system", "one"),
        ("user", "the cat sat on the mat and the dog sat on the cat"),
        ("assistant", "the dog"),
        ("user", "the cat"),
        ("assistant", "the mat"),
        ("user", "two three"),
    ];
    let kept = [&messages[..1], &messages[3..]].concat();
    let expected = chat(&open(512), &kept);
    let limit = expected.ids.len() + RESERVE;
    for limit in [limit, limit + 5] {
        // There may be room for the first answer, but a chat does not begin with one.
        let found = chat(&open(limit), &messages);
        assert_eq!((&found.ids, found.cut), (&expected.ids, true));
    }
}

#[test]
fn the_last_message_of_a_chat_loses_its_first_words() {
    let formatter = formatter(llama_like().with_chat_template(TEMPLATE), limited(26));
    let post = long_post();
    let messages = [("system", "one"), ("user", "two"), ("user", &post)];
    let found = chat(&formatter, &messages);
    assert!(found.cut && found.ids.len() + RESERVE <= 26);
    let kept = text(&formatter, &found.ids);
    assert!(kept.starts_with("<s><system>one</s><user>"), "{kept}");
    assert!(kept.ends_with(" summary:</s><assistant>"), "{kept}");
}

#[test]
fn a_long_system_message_loses_its_end_before_the_question_loses_a_word() {
    let formatter = formatter(llama_like().with_chat_template(TEMPLATE), limited(30));
    let rules = "one two three ".repeat(100);
    let messages = [
        ("system", rules.as_str()),
        ("user", "the cat sat"),
        ("assistant", "on"),
        ("user", "the mat and the dog"),
    ];
    let found = chat(&formatter, &messages);
    assert!(found.cut && found.ids.len() + RESERVE <= 30);
    let kept = text(&formatter, &found.ids);
    assert!(kept.starts_with("<s><system>one"), "{kept}");
    assert!(
        kept.ends_with("</s><user>the mat and the dog</s><assistant>"),
        "{kept}"
    );
}

#[test]
fn beside_a_question_that_is_too_long_a_system_message_keeps_a_quarter() {
    let formatter = formatter(llama_like().with_chat_template(TEMPLATE), limited(43));
    let rules = "one two three ".repeat(100);
    let post = long_post();
    let found = chat(&formatter, &[("system", &rules), ("user", &post)]);
    assert!(found.cut && found.ids.len() + RESERVE <= 43);
    let kept = text(&formatter, &found.ids);
    assert!(kept.starts_with("<s><system>one"), "{kept}");
    assert!(kept.ends_with(" summary:</s><assistant>"), "{kept}");
}

#[test]
fn a_template_that_leaves_a_question_no_room_is_refused() {
    let template = TEMPLATE.replace("{% for", "the cat sat on the mat and the dog{% for");
    let formatter = formatter(llama_like().with_chat_template(template), limited(12));
    let prompt = Prompt::Chat(vec![Message::new("user", "one two three four five")]);
    let error = formatter.prompt(&prompt, &TemplateInputs::default(), None);
    let error = error.expect_err("no room").to_string();
    assert!(
        error.starts_with("config key `prompt.max_prompt_length` is 12"),
        "{error}"
    );
}

/// As fast as one of a few turns: what is dropped is rendered once.
#[test]
fn a_chat_of_a_hundred_thousand_turns_is_cut_in_linear_time() {
    let formatter = formatter(llama_like().with_chat_template(TEMPLATE), limited(100));
    let messages: Vec<(&str, &str)> = (0..100_001)
        .map(|i| (["user", "assistant"][i % 2], "the cat sat"))
        .collect();
    let found = chat(&formatter, &messages);
    assert!(found.cut && found.ids.len() + RESERVE <= 100);
    assert_eq!(found.ids, chat(&formatter, &messages[99_900..]).ids);
}

#[test]
fn a_long_trace_of_one_question_keeps_the_question_and_its_end_in_linear_time() {
    let formatter = formatter(llama_like().with_chat_template(TEMPLATE), limited(60));
    let mut messages = vec![("system", "one"), ("user", "three four")];
    for i in 0..20_000 {
        messages.push((["assistant", "system"][i % 2], "the cat sat"));
    }
    messages.push(("system", "six"));
    let found = chat(&formatter, &messages);
    let length = found.ids.len() + RESERVE;
    assert!(found.cut && (50..=60).contains(&length), "{length}");
    let kept = text(&formatter, &found.ids);
    let begin = "<s><system>one</s><user>three four</s><";
    assert!(kept.starts_with(begin), "{kept}");
    let end = ">the cat sat</s><system>six</s><assistant>";
    assert!(kept.ends_with(end), "{kept}");
}

#[test]
fn a_trace_whose_parts_a_template_wants_in_pairs_is_cut_where_it_accepts_it() {
    let pairs = "{% if messages | length % 2 == 0 %}{{ raise_exception('odd') }}{% endif %}";
    let template = format!("{pairs}{TEMPLATE}");
    let formatter = formatter(llama_like().with_chat_template(template), limited(40));
    let mut messages = vec![("user", "three four")];
    messages.extend([("assistant", "the cat"), ("system", "sat on the mat")].repeat(50));
    let found = chat(&formatter, &messages);
    assert!(found.cut && found.ids.len() + RESERVE <= 40);
    let kept = text(&formatter, &found.ids);
    assert!(kept.starts_with("<s><user>three four</s>"), "{kept}");
}

#[test]
fn a_long_chat_of_smollm2_keeps_its_final_header() {
    let Some(path) = support::smollm2() else {
        return;
    };
    let tokenizer = Tokenizer::open(&path).expect("a good file");
    let formatter = formatter(tokenizer, limited(60));
    let found = chat(&formatter, &[("user", &long_post())]);
    assert!(found.cut && found.ids.len() + RESERVE <= 60);
    let kept = text(&formatter, &found.ids);
    let end = " summary:<|im_end|>\n<|im_start|>assistant\n";
    assert!(kept.ends_with(end), "{kept}");
    assert_eq!(found.ids.iter().filter(|&&id| id == 1).count(), 3);
}

#[test]
fn cuts_are_counted() {
    let config = PromptConfig {
        max_prompt_length: 20,
        max_response_length: 4,
        ..Default::default()
    };
    let formatter = formatter(llama_like(), config);
    let data = [
        comparison(&long_post(), "on", "at"),
        comparison("one:", "on", &long_post()),
        comparison("one:", "on", "at"),
        Comparison {
            user_text: Some(long_user_text()),
            ..comparison("one:", "on", "at")
        },
    ];
    let dataset = Dataset::new(&data, &formatter).expect("ids");
    assert_eq!((dataset.cut_prompts, dataset.cut_responses), (1, 1));
    assert_eq!(dataset.cut_user_texts, 1);
    assert_eq!(dataset.items.len(), 4);
}

/// Policy and reference, and every system of a comparison, see the same ids: the reserve alone decides where to cut.
#[test]
fn the_reserve_fixes_the_ids_whatever_the_number_of_soft_tokens() {
    let data = [
        comparison(&long_post(), "two", "one"),
        comparison("one:", "two", "three"),
    ];
    let with = |reserve: usize| -> Vec<TokenizedPair> {
        let formatter = Formatter::new(llama_like(), limited(24), reserve).expect("room");
        let ids = |c| formatter.pair(c).expect("ids");
        data.iter().map(ids).collect()
    };
    let pairs = with(10);
    assert!(pairs[0].prompt.cut && pairs[0].prompt.ids.len() + 10 <= 24);
    assert_eq!(with(10), pairs);
    let rows: Vec<&TokenizedPair> = pairs.iter().collect();
    let plain = PackedBatch::new(&rows, 0);
    for soft in [1, 10] {
        let packed = PackedBatch::new(&rows, soft);
        assert_eq!(packed.ids, plain.ids, "T_u {soft}");
        assert_eq!(packed.targets, plain.targets);
    }
    assert!(with(0)[0].prompt.ids.len() > pairs[0].prompt.ids.len());
}

#[test]
fn limits_that_leave_no_room_are_refused() {
    let refusal = |config, reserve| match Formatter::new(llama_like(), config, reserve) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("accepted"),
    };
    let error = refusal(limited(10), 10);
    assert!(error.contains("prompt.max_prompt_length"), "{error}");
    let config = PromptConfig {
        max_response_length: 1,
        ..Default::default()
    };
    let error = refusal(config, 0);
    assert!(error.contains("prompt.max_response_length"), "{error}");
    let config = PromptConfig {
        template: Template::Chat,
        ..Default::default()
    };
    let error = refusal(config, 0);
    assert!(error.contains("chat template"), "{error}");
}

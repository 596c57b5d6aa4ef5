//! A text that goes on after another one has the ids that Hugging Face's `tokenizers` gives both together.

use std::path::{Path, PathBuf};

use llm_backbone::tokenizer::{Specials, Tokenizer};
use serde::Deserialize;

/// Byte-level BPE, BPE in the manner of Llama 2 with and without its space in front, unigram, `WordPiece`.
const KINDS: [&str; 5] = [
    "byte_bpe",
    "sentencepiece",
    "sentencepiece_plain",
    "unigram",
    "word_piece",
];

const SPECIALS: [&str; 4] = ["<unk>", "<s>", "</s>", "<|im_end|>"];

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    context: String,
    text: String,
    context_ids: Vec<u32>,
    ids: Vec<u32>,
    behind: Option<Vec<u32>>,
    joint: String,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/seams")
        .join(name)
}

fn open(name: &str) -> (Tokenizer, Vec<Case>) {
    let tokenizer = Tokenizer::open(folder(name)).expect("a good file");
    let cases = std::fs::read_to_string(folder(name).join("cases.json")).expect("a file");
    let cases: Cases = serde_json::from_str(&cases).expect("cases");
    (tokenizer, cases.cases)
}

#[test]
fn whole_texts_have_the_ids_of_hugging_face() {
    for name in KINDS {
        let (tokenizer, cases) = open(name);
        for case in &cases {
            let encode = |text: &str| tokenizer.encode(text, true).expect("ids");
            assert_eq!(
                encode(&case.context),
                case.context_ids,
                "{name} {:?}",
                case.context
            );
            let joint = case.context.clone() + &case.text;
            assert_eq!(encode(&joint), case.ids, "{name} {joint:?}");
        }
    }
}

#[test]
fn a_text_behind_another_has_the_ids_of_the_joint_text_or_says_it_exactly() {
    for name in KINDS {
        let (tokenizer, cases) = open(name);
        let mut apart = 0;
        for Case {
            context,
            text,
            context_ids,
            behind,
            joint,
            ..
        } in &cases
        {
            let found = tokenizer.encode_after(context, text, Specials::Everywhere);
            let found = found.expect("ids");
            if let Some(behind) = behind {
                assert_eq!(&found, behind, "{name} {context:?} {text:?}");
                continue;
            }
            apart += 1;
            let both = [context_ids.as_slice(), &found].concat();
            let said = tokenizer.decode(&both, false).expect("text");
            // A word of which a part is unknown is unknown as a whole.
            if name != "word_piece" || !joint.contains("<unk>") {
                assert_eq!(&said, joint, "{name} {context:?} {text:?}");
            }
        }
        assert!(apart > 0, "{name}");
    }
}

/// The same texts, none of whose special tokens may be any.
#[test]
fn what_is_quoted_never_becomes_a_special_token_and_what_is_not_still_does() {
    for name in KINDS {
        let (tokenizer, cases) = open(name);
        let control: Vec<u32> = SPECIALS
            .iter()
            .skip(1)
            .filter_map(|special| tokenizer.token_to_id(special))
            .collect();
        for Case { context, text, .. } in &cases {
            let texts = [context.as_str(), text.as_str()];
            let quotes = tokenizer.quotes(texts.into_iter()).expect("quotes");
            let quoted = |text| tokenizer.quote(&quotes, text).expect("a text");
            let written = format!("{}</s>{}", quoted(context), quoted(text));
            let specials = Specials::Unquoted(&quotes);
            let ids = tokenizer.encode_as(&written, specials).expect("ids");
            let found: Vec<u32> = ids
                .iter()
                .copied()
                .filter(|id| control.contains(id))
                .collect();
            assert_eq!(found, [control[1]], "{name} {written:?}");
            let restored = quotes.restore(&written);
            assert_eq!(restored, format!("{context}</s>{text}"));
            if name == "byte_bpe" {
                assert_eq!(tokenizer.decode(&ids, false).expect("text"), restored);
            }
            let plain = tokenizer.encode(&restored, false).expect("ids");
            assert!(plain.iter().all(|id| !control.contains(id)), "{name}");
        }
    }
}

#[test]
fn stand_ins_are_characters_that_the_texts_do_not_hold() {
    let (tokenizer, _) = open("byte_bpe");
    let text = "\u{fdd0}\u{fdd1}</s>\u{fdd2}";
    let quotes = tokenizer.quotes([text].into_iter()).expect("quotes");
    let quoted = tokenizer.quote(&quotes, text).expect("a text");
    assert_ne!(quoted, text);
    assert_eq!(quotes.restore(&quoted), text);
    let ids = tokenizer.encode_as(&quoted, Specials::Unquoted(&quotes));
    let said = tokenizer.decode(&ids.expect("ids"), true);
    assert_eq!(said.expect("text"), text);
}

/// A template goes on where a message ends.
#[test]
fn a_special_token_that_begins_in_a_message_is_none() {
    let (tokenizer, _) = open("byte_bpe");
    for message in ["a <|im_", "a <|im_end|", "a <", "a <|im_end|  "] {
        let quotes = tokenizer.quotes([message].into_iter()).expect("quotes");
        let quoted = tokenizer.quote(&quotes, message).expect("a text");
        for rest in ["end|>", ">", "|im_end|>"] {
            let written = format!("{}{rest}", quoted.trim_end());
            let specials = Specials::Unquoted(&quotes);
            let ids = tokenizer.encode_as(&written, specials).expect("ids");
            let end = tokenizer.token_to_id("<|im_end|>").expect("a token");
            assert!(!ids.contains(&end), "{written:?}");
        }
    }
}

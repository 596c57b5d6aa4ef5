use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;

mod directory;
mod gguf;

const TEXTS: [&str; 4] = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat and a dog",
    "naïve café, 100 dogs!",
];

fn trained() -> Tokenizer {
    Tokenizer::train_bpe(TEXTS.iter(), 300, &["<s>", "</s>", "<pad>"])
        .and_then(|tokenizer| tokenizer.with_bos("<s>"))
        .and_then(|tokenizer| tokenizer.with_eos("</s>"))
        .expect("a small tokenizer")
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn write(folder: &Path, name: &str, value: &serde_json::Value) {
    std::fs::write(folder.join(name), value.to_string()).expect("a writable folder");
}

#[test]
fn training_is_deterministic_and_puts_special_tokens_first() {
    let (one, other) = (trained(), trained());
    assert_eq!(
        one.inner.to_string(false).ok(),
        other.inner.to_string(false).ok()
    );
    assert_eq!(
        (one.bos(), one.eos(), one.token_to_id("<pad>")),
        (Some(0), Some(1), Some(2))
    );
    assert!(one.vocab_size() > 259 && one.vocab_size() <= 300);
    assert!(
        one.token_to_id("Ġthe").is_some(),
        "a frequent word is one token"
    );
    assert!(!one.adds_bos());
}

#[test]
fn training_needs_room_for_bytes() {
    let error = Tokenizer::train_bpe(TEXTS.iter(), 258, &["<s>", "</s>", "<pad>"]);
    assert_eq!(
        error.expect_err("too small").to_string(),
        "training a tokenizer: found a vocabulary of 258, expected at least 259 (bytes and special tokens)"
    );
    let error = trained()
        .with_bos("<none>")
        .expect_err("no such token")
        .to_string();
    assert!(
        error.starts_with("token `<none>`: not in the vocabulary of "),
        "{error}"
    );
}

#[test]
fn special_tokens_in_text_are_found_only_when_asked_for() {
    let tokenizer = trained();
    let special = tokenizer.encode("</s>the", true).expect("ids");
    assert_eq!(special[0], 1);
    let plain = tokenizer.encode("</s>the", false).expect("ids");
    assert!(!plain.contains(&1));
    assert_eq!(tokenizer.decode(&plain, true).expect("text"), "</s>the");
    assert_eq!(tokenizer.decode(&special, true).expect("text"), "the");
    assert_eq!(tokenizer.decode(&special, false).expect("text"), "</s>the");
}

#[test]
fn a_stream_gives_characters_whole() {
    let tokenizer = trained();
    let mut stream = StreamDecoder::new(&tokenizer, true);
    // "é" is two bytes, and the training texts hold it once: two tokens.
    let ids = tokenizer.encode("é!", true).expect("ids");
    let steps: Vec<String> = ids
        .iter()
        .map(|id| stream.push(*id).expect("text"))
        .collect();
    assert_eq!(steps, ["", "é", "!"]);
    assert_eq!(stream.finish().expect("text"), "");
}

#[test]
fn a_stream_keeps_replacement_characters_of_the_text_itself() {
    let tokenizer = trained();
    // Three tokens each, then four of one character.
    for text in [
        "\u{fffd}\u{fffd}\u{1d300}",
        "\u{fffd}\u{fffd}\u{fffd}\u{fffd}!",
        "\u{fffd}",
    ] {
        let mut stream = StreamDecoder::new(&tokenizer, true);
        let mut streamed = String::new();
        for id in tokenizer.encode(text, false).expect("ids") {
            streamed.push_str(&stream.push(id).expect("text"));
        }
        streamed.push_str(&stream.finish().expect("text"));
        assert_eq!(streamed, text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn text_survives_and_streams_equal_the_whole(text in "\\PC{0,40}", cut in 0_usize..4) {
        let tokenizer = trained();
        let mut ids = tokenizer.encode(&text, false).expect("ids");
        prop_assert_eq!(tokenizer.decode(&ids, true).expect("text"), text);
        // Without its last ids the text may end inside a character.
        ids.truncate(ids.len().saturating_sub(cut));
        let mut stream = StreamDecoder::new(&tokenizer, true);
        let mut streamed = String::new();
        for id in &ids {
            streamed.push_str(&stream.push(*id).expect("text"));
        }
        streamed.push_str(&stream.finish().expect("text"));
        prop_assert_eq!(streamed, tokenizer.decode(&ids, true).expect("text"));
    }
}

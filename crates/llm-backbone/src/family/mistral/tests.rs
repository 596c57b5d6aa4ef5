use serde_json::{Value, json};

use super::*;
use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;
use crate::gguf::test_file::Builder;
use crate::weights::GgufWeights;

const PUBLISHED: &str = include_str!("../../../tests/fixtures/shapes/mistral-7b-v0.1.json");

fn published() -> Value {
    serde_json::from_str(PUBLISHED).expect("JSON")
}

fn window(value: &Value) -> Option<usize> {
    let config = parse(value).expect("a good file");
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    match config.0 {
        FamilyConfig::Mistral(config) => config.plan().sights[0].window,
        other => panic!("{other:?} is no Mistral"),
    }
}

/// `transformers` has 4096 as its default, which `null` is not.
#[test]
fn a_window_may_be_named_left_out_or_denied() {
    assert_eq!(window(&published()), Some(4096));
    assert_eq!(
        window(&with(published(), "sliding_window", json!(7))),
        Some(7)
    );
    assert_eq!(
        window(&with(published(), "sliding_window", Value::Null)),
        None
    );
    let mut silent = published();
    silent
        .as_object_mut()
        .expect("an object")
        .remove("sliding_window");
    assert_eq!(window(&silent), Some(4096));
    assert_eq!(
        refusal(&with(published(), "sliding_window", json!(0))),
        "key `sliding_window`: found 0, expected 1 to 16777216"
    );
}

#[test]
fn a_gguf_file_of_the_architecture_of_llama_is_known_by_its_window() {
    let file = || {
        Builder::new()
            .string("general.architecture", "llama")
            .u32("llama.block_count", 1)
            .u32("llama.context_length", 16)
            .u32("llama.embedding_length", 4)
            .u32("llama.feed_forward_length", 2)
            .u32("llama.attention.head_count", 1)
            .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
            .u32("llama.vocab_size", 2)
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let windowed = file().u32("llama.attention.sliding_window", 5);
    let (config, _) = GgufWeights::open(windowed.write(folder.path())).expect("a good file");
    match config.0 {
        FamilyConfig::Mistral(config) => assert_eq!(config.sliding_window, Some(5)),
        other => panic!("{other:?} is no Mistral"),
    }
    let (config, _) = GgufWeights::open(file().write(folder.path())).expect("a good file");
    assert!(matches!(config.0, FamilyConfig::Llama(_)));
}

use serde_json::{Value, json};

use crate::config::tests::{parse, refusal, with};
use crate::gguf::test_file::Builder;
use crate::weights::GgufWeights;

const PUBLISHED: &str = include_str!("../../../tests/fixtures/shapes/olmo-2-1b.json");

fn published() -> Value {
    serde_json::from_str(PUBLISHED).expect("JSON")
}

/// Per token and block: 4 * 2048 of the stream, 3 * 2048 of queries and 3 * 2048 of keys and values, two for each of 16
/// heads, 3 * 8192 of the feed-forward layer.
#[test]
fn reads_the_published_file() {
    let config = parse(&published()).expect("a good file");
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    let kept = config.0.config().activations_per_token();
    assert_eq!(kept, 10 * 2048 + 32 + 3 * 8192);
    assert_eq!(
        refusal(&with(published(), "attention_bias", json!(true))),
        "key `attention_bias`: found true, expected false (nothing else is supported)"
    );
}

#[test]
fn olmo_3_is_refused_by_its_window() {
    let file = Builder::new()
        .string("general.architecture", "olmo2")
        .u32("olmo2.attention.sliding_window", 4096);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = GgufWeights::open(file.write(folder.path())).expect_err("a window");
    let text = error.to_string();
    let expected = "key `olmo2.attention.sliding_window`: found 4096, expected none (nothing else is supported)";
    assert!(text.ends_with(expected), "{text}");
}

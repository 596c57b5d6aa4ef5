use serde_json::{Value, json};

use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;

/// GPT-J 6B as published.
fn published() -> Value {
    json!({
        "model_type": "gptj", "vocab_size": 50400, "n_embd": 4096, "n_layer": 28, "n_head": 16, "n_inner": null,
        "rotary_dim": 64, "n_positions": 2048, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new",
        "bos_token_id": 50256, "eos_token_id": 50256, "tie_word_embeddings": false
    })
}

#[test]
fn reads_the_published_file_and_its_defaults() {
    let config = parse(&published()).expect("a good file");
    let FamilyConfig::GptJ(gptj) = &config.0 else {
        panic!("{config:?} is no GPT-J")
    };
    let (inner, rotary) = (gptj.n_inner, gptj.rotary_dim);
    assert_eq!((inner, gptj.sizes.head_dim, rotary), (16384, 256, 64));
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
}

#[test]
fn what_cannot_be_run_is_refused_by_key() {
    for (key, value, expected) in [
        (
            "rotary_dim",
            json!(63),
            "key `rotary_dim`: found 63, expected an even number of at most n_embd / n_head = 256",
        ),
        (
            "activation_function",
            json!("relu"),
            "key `activation_function`: found relu, expected gelu_new (nothing else is supported)",
        ),
        (
            "n_head",
            json!(7),
            "key `n_head`: found 7, expected a divisor of n_embd 4096",
        ),
        (
            "n_positions",
            Value::Null,
            "key `n_positions`: found nothing, expected a whole number",
        ),
    ] {
        assert_eq!(refusal(&with(published(), key, value)), expected);
    }
}

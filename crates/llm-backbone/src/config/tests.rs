use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn parse(value: &Value) -> Result<ModelConfig, ConfigError> {
    ModelConfig::from_hf_json(&value.to_string(), Path::new("config.json"))
}

fn refusal(value: &Value) -> String {
    parse(value).expect_err("a bad configuration").to_string()
}

/// SmolLM2-135M-Instruct as published, without the keys that do not matter.
fn smollm2() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 1, "eos_token_id": 2,
        "hidden_act": "silu", "hidden_size": 576, "intermediate_size": 1536, "max_position_embeddings": 8192,
        "mlp_bias": false, "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30,
        "num_key_value_heads": 3, "rms_norm_eps": 1e-5, "rope_scaling": null, "rope_theta": 100000,
        "tie_word_embeddings": true, "torch_dtype": "bfloat16", "vocab_size": 49152
    })
}

fn gptj() -> Value {
    json!({
        "model_type": "gptj", "vocab_size": 50400, "n_embd": 4096, "n_layer": 28, "n_head": 16, "n_inner": null,
        "rotary_dim": 64, "n_positions": 2048, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new",
        "bos_token_id": 50256, "eos_token_id": 50256, "tie_word_embeddings": false
    })
}

fn with(mut value: Value, key: &str, new: Value) -> Value {
    value[key] = new;
    value
}

#[test]
fn reads_smollm2() {
    let ModelConfig::Llama(config) = parse(&smollm2()).expect("a good file") else {
        panic!("a Llama")
    };
    assert_eq!((config.head_dim, config.num_key_value_heads), (64, 3));
    assert_eq!((config.rope_theta, config.rope_scaling), (100_000.0, None));
    assert_eq!(
        (config.bos_token_id, config.eos_token_ids.as_slice()),
        (Some(1), &[2][..])
    );
    assert!(config.tie_word_embeddings);
}

#[test]
fn reads_gptj_and_its_defaults() {
    let ModelConfig::GptJ(config) = parse(&gptj()).expect("a good file") else {
        panic!("a GPT-J")
    };
    assert_eq!(
        (config.n_inner, config.head_dim(), config.rotary_dim),
        (16384, 256, 64)
    );
}

#[test]
fn reads_llama_3_scaling_in_both_spellings() {
    let scaling = json!({
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192
    });
    let old = parse(&with(smollm2(), "rope_scaling", scaling.clone())).expect("a good file");
    let mut new = with(
        smollm2(),
        "rope_parameters",
        with(scaling, "rope_theta", json!(100_000.0)),
    );
    new.as_object_mut().expect("an object").remove("rope_theta");
    assert_eq!(parse(&new).expect("a good file"), old);
    let ModelConfig::Llama(config) = old else {
        panic!("a Llama")
    };
    assert_eq!(
        config.rope_scaling.map(|scaling| scaling.factor),
        Some(32.0)
    );
}

#[test]
fn eos_may_be_a_list_or_missing() {
    let listed = parse(&with(smollm2(), "eos_token_id", json!([2, 0]))).expect("a good file");
    assert_eq!(listed.eos_token_ids(), [2, 0]);
    let none = parse(&with(smollm2(), "eos_token_id", Value::Null)).expect("a good file");
    assert!(none.eos_token_ids().is_empty());
}

#[test]
fn what_is_written_is_read_back() {
    let scaled = json!({
        "type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192
    });
    for value in [
        smollm2(),
        with(smollm2(), "rope_scaling", scaled),
        with(smollm2(), "eos_token_id", json!([1, 2])),
        gptj(),
    ] {
        let config = parse(&value).expect("a good file");
        assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    }
}

#[test]
fn what_cannot_be_run_is_refused_by_name() {
    for (value, expected) in [
        (
            json!({"model_type": "qwen2"}),
            "architecture: found `qwen2`, supported are llama, gptj",
        ),
        (
            json!({}),
            "architecture: found no `model_type`, supported are llama, gptj",
        ),
        (
            with(smollm2(), "attention_bias", json!(true)),
            "key `attention_bias`: found true, expected false (nothing else is supported)",
        ),
        (
            with(smollm2(), "rope_scaling", json!({"type": "yarn"})),
            "key `rope_scaling.rope_type`: found \"yarn\", expected `default` or `llama3`",
        ),
        (
            with(smollm2(), "num_key_value_heads", json!(2)),
            "key `num_key_value_heads`: found 2, expected a divisor of num_attention_heads 9",
        ),
        (
            with(smollm2(), "num_attention_heads", json!(7)),
            "key `num_attention_heads`: found 7, expected a divisor of hidden_size 576",
        ),
        (
            with(smollm2(), "vocab_size", json!(0)),
            "key `vocab_size`: found 0, expected 1 to 16777216",
        ),
        (
            with(smollm2(), "eos_token_id", json!(49152)),
            "key `eos_token_id`: found 49152, expected an id below vocab_size 49152",
        ),
        (
            with(gptj(), "rotary_dim", json!(63)),
            "key `rotary_dim`: found 63, expected an even number of at most n_embd / n_head = 256",
        ),
        (
            with(gptj(), "activation_function", json!("relu")),
            "key `activation_function`: found relu, expected gelu_new (nothing else is supported)",
        ),
    ] {
        assert_eq!(refusal(&value), format!("config.json: {expected}"));
    }
    let mut missing = smollm2();
    missing
        .as_object_mut()
        .expect("an object")
        .remove("hidden_size");
    assert!(refusal(&missing).starts_with("config.json: missing field `hidden_size`"));
}

/// Llama 3.1: theta 500000, heads of 128. The wavelength of pair `i` is `2 pi 500000^(2 i / 128)`.
#[test]
fn llama_3_divisors_are_one_between_and_factor() {
    let scaling = Llama3Scaling {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let divisors = scaling.divisors(500_000.0, 128);
    assert_eq!(divisors.len(), 64);
    // Pair 28 has wavelength 1956 (below 8192 / 4), pair 29 2402, pair 35 8217 (above 8192).
    assert_eq!((divisors[0], divisors[28]), (1.0, 1.0));
    let smooth = (8192.0 / 2401.7 - 1.0) / 3.0;
    let between = 1.0 / ((1.0 - smooth) / 8.0 + smooth);
    assert!(
        (divisors[29] - between).abs() < 1e-3,
        "{} {between}",
        divisors[29]
    );
    assert_eq!((divisors[35], divisors[63]), (8.0, 8.0));
}

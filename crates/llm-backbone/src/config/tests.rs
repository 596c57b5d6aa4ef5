use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// The shape that a `config.json` describes.
pub(crate) fn parse(value: &Value) -> Result<ModelConfig, ConfigError> {
    ModelConfig::from_hf_json(&value.to_string(), Path::new("config.json"))
}

/// Why a `config.json` is refused, without the file's name.
pub(crate) fn refusal(value: &Value) -> String {
    let error = parse(value).expect_err("a bad configuration").to_string();
    let reason = error.strip_prefix("config.json: ");
    reason.expect("the file's name first").to_owned()
}

/// The value with another value of a key.
pub(crate) fn with(mut value: Value, key: &str, new: Value) -> Value {
    value[key] = new;
    value
}

/// Sizes of a model that can be made.
pub(crate) fn sizes() -> Sizes {
    Sizes {
        vocab_size: 32,
        hidden_size: 8,
        num_layers: 2,
        num_heads: 2,
        num_kv_heads: 1,
        head_dim: 4,
        max_positions: 16,
        ties_embeddings: true,
        bos_token_id: Some(1),
        eos_token_ids: vec![2],
    }
}

#[test]
fn an_unknown_family_is_named_beside_the_known_ones() {
    let known = "mistral, llama, gptj, qwen2, qwen3, gemma3_text, smollm3, phi3, olmo2";
    for (value, found) in [
        (json!({"model_type": "mamba"}), "`mamba`"),
        (
            json!({"architectures": ["OPTForCausalLM"]}),
            "`OPTForCausalLM`",
        ),
        (json!({}), "no `model_type`"),
    ] {
        let expected = format!("architecture: found {found}, supported are {known}");
        assert_eq!(refusal(&value), expected);
    }
}

#[test]
fn the_gemma_3_that_reads_images_is_told_what_is_read_of_it() {
    let text = refusal(&json!({"model_type": "gemma3"}));
    let expected = "architecture: found `gemma3`, which reads images too (a GGUF file of it holds the text model alone, and is read), supported are";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_family_is_found_by_its_class_where_no_type_is_named() {
    let mut value = ModelConfig::from_scratch(sizes(), 16).to_hf_json();
    let named = parse(&value).expect("a good file");
    value
        .as_object_mut()
        .expect("an object")
        .remove("model_type");
    assert_eq!(parse(&value).expect("a good file"), named);
}

#[test]
fn what_is_written_is_read_back() {
    for ids in [vec![], vec![1], vec![1, 2]] {
        let sizes = Sizes {
            eos_token_ids: ids,
            ..sizes()
        };
        let config = ModelConfig::from_scratch(sizes, 16);
        assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    }
}

/// `transformers` loads such a model, and so do we, without the ids.
#[test]
fn ids_of_no_token_are_left_out() {
    let good = ModelConfig::from_scratch(sizes(), 16).to_hf_json();
    for (bos, eos, left) in [
        (json!(-1), json!(32), (None, vec![])),
        (json!(32), json!([2, 32, -1]), (None, vec![2])),
        (json!(31), json!(-1), (Some(31), vec![])),
    ] {
        let value = with(with(good.clone(), "bos_token_id", bos), "eos_token_id", eos);
        let config = parse(&value).expect("a good file");
        let sizes = config.sizes();
        assert_eq!((sizes.bos_token_id, sizes.eos_token_ids.clone()), left);
    }
}

#[test]
fn what_makes_no_model_is_refused_by_the_first_key() {
    let good = ModelConfig::from_scratch(sizes(), 16).to_hf_json();
    let a_divisor = "found 3, expected a divisor of num_attention_heads 2";
    for (key, value, expected) in [
        ("num_key_value_heads", json!(3), a_divisor),
        ("vocab_size", json!(0), "found 0, expected 1 to 16777216"),
        (
            "hidden_size",
            json!("8"),
            "found 8, expected a whole number",
        ),
        (
            "num_hidden_layers",
            json!(5000),
            "found 5000, expected 1 to 4096",
        ),
        ("bos_token_id", json!("a"), "found a, expected a token id"),
        (
            "eos_token_id",
            json!([2, 1.5]),
            "found 1.5, expected token ids",
        ),
        (
            "hidden_size",
            Value::Null,
            "found nothing, expected a whole number",
        ),
    ] {
        let found = refusal(&with(good.clone(), key, value));
        assert_eq!(found, format!("key `{key}`: {expected}"));
    }
    let uneven = with(with(good, "head_dim", Value::Null), "hidden_size", json!(9));
    let expected = "key `num_attention_heads`: found 2, expected a divisor of hidden_size 9";
    assert_eq!(refusal(&uneven), expected);
}

#[test]
fn quantised_models_are_refused_with_what_to_use_instead() {
    let llama = json!({
        "model_type": "llama", "vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
        "intermediate_size": 8,
    });
    for (config, found) in [
        (json!({"quant_method": "gptq", "bits": 4}), "gptq, 4 bits"),
        (
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true}),
            "bitsandbytes, 4 bits",
        ),
        (
            json!({"load_in_8bit": true, "load_in_4bit": false}),
            "some program, 8 bits",
        ),
        (json!({"quant_method": "fp8"}), "fp8"),
    ] {
        let expected = format!(
            "key `quantization_config`: found weights quantised by {found}, expected weights as they were trained: use the model that was quantised, or a GGUF file of it (these may be quantised)"
        );
        assert_eq!(
            refusal(&with(llama.clone(), "quantization_config", config)),
            expected
        );
    }
    for plain in [
        json!(null),
        json!({}),
        json!({"load_in_4bit": false, "load_in_8bit": false}),
    ] {
        parse(&with(llama.clone(), "quantization_config", plain)).expect("plain weights");
    }
}

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::ModelConfig;
use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;
use crate::gguf::test_file::Builder;
use crate::rope::stretch::{Llama3Stretch, ROPE_DIVISORS, Stretch};
use crate::weights::{GgufWeights, WeightSource};

fn llama(config: &ModelConfig) -> &LlamaConfig {
    match &config.0 {
        FamilyConfig::Llama(config) => config,
        other => panic!("{other:?} is no Llama"),
    }
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

#[test]
fn reads_smollm2() {
    let config = parse(&smollm2()).expect("a good file");
    let shape = &llama(&config).shape;
    let sizes = &shape.sizes;
    assert_eq!((sizes.head_dim, sizes.num_kv_heads), (64, 3));
    assert_eq!((shape.rope_theta, shape.rope_scaling), (100_000.0, None));
    assert_eq!(sizes.bos_token_id, Some(1));
    assert_eq!(sizes.eos_token_ids, [2]);
    assert!(sizes.ties_embeddings);
}

#[test]
fn eos_may_be_a_list_or_missing() {
    let ids = |value| {
        let config = parse(&with(smollm2(), "eos_token_id", value)).expect("a good file");
        config.sizes().eos_token_ids.clone()
    };
    assert_eq!(ids(json!([2, 0])), [2, 0]);
    assert!(ids(Value::Null).is_empty());
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
    match llama(&old).shape.rope_scaling {
        Some(Stretch::Llama3(numbers)) => assert_eq!(numbers.factor, 32.0),
        other => panic!("{other:?}"),
    }
    assert_eq!(parse(&old.to_hf_json()).expect("our own file"), old);
}

#[test]
fn what_is_no_plain_llama_is_refused_by_key() {
    for (key, value, expected) in [
        (
            "attention_bias",
            json!(true),
            "key `attention_bias`: found true, expected false (nothing else is supported)",
        ),
        (
            "hidden_act",
            json!("gelu"),
            "key `hidden_act`: found gelu, expected silu or swish (nothing else is supported)",
        ),
        (
            "rope_scaling",
            json!({"type": "yarn"}),
            "key `rope_scaling.rope_type`: found \"yarn\", expected `default`, `linear` or `llama3`",
        ),
        (
            "rope_scaling",
            json!({"factor": 2.0}),
            "key `rope_scaling.rope_type`: found null, expected `default`, `linear` or `llama3`",
        ),
        (
            "rope_scaling",
            json!("linear"),
            "key `rope_scaling`: found \"linear\", expected a table",
        ),
        (
            "rope_parameters",
            json!([{"rope_theta": 1e4}]),
            "key `rope_parameters`: found [{\"rope_theta\":10000.0}], expected a table",
        ),
        (
            "rope_parameters",
            json!({"rope_theta": "1e4"}),
            "key `rope_parameters.rope_theta`: found \"1e4\", expected a number",
        ),
        (
            "rope_theta",
            json!("1e4"),
            "key `rope_theta`: found 1e4, expected a number",
        ),
        (
            "rope_parameters",
            json!({"partial_rotary_factor": 0.5}),
            "key `partial_rotary_factor`: found 0.5, expected 1 (nothing else is supported)",
        ),
        (
            "partial_rotary_factor",
            json!(0.5),
            "key `partial_rotary_factor`: found 0.5, expected 1 (nothing else is supported)",
        ),
        (
            "num_attention_heads",
            json!(7),
            "key `num_attention_heads`: found 7, expected a divisor of hidden_size 576",
        ),
        (
            "head_dim",
            json!(3),
            "key `head_dim`: found 3, expected an even number",
        ),
    ] {
        assert_eq!(refusal(&with(smollm2(), key, value)), expected);
    }
}

#[test]
fn other_spellings_of_the_same_are_read() {
    let plain = parse(&smollm2()).expect("a good file");
    for (key, value) in [
        ("hidden_act", json!("swish")),
        ("rope_scaling", json!({})),
        ("rope_parameters", json!({})),
        ("rope_parameters", json!({"rope_theta": 100_000})),
        ("partial_rotary_factor", json!(1.0)),
    ] {
        let found = parse(&with(smollm2(), key, value)).expect(key);
        assert_eq!(found, plain, "{key}");
    }
}

#[test]
fn both_spellings_of_rotary_positions_together_must_agree() {
    let llama3 = |factor: Value| {
        json!({
            "rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192
        })
    };
    let both = |old: Value| {
        let new = with(llama3(json!(32.0)), "rope_theta", json!(100_000.0));
        with(with(smollm2(), "rope_parameters", new), "rope_scaling", old)
    };
    let one = parse(&with(smollm2(), "rope_scaling", llama3(json!(32)))).expect("a good file");
    assert_eq!(
        parse(&both(llama3(json!(32)))).expect("the same twice"),
        one
    );
    assert_eq!(parse(&both(json!({}))).expect("one says nothing"), one);
    for other in [llama3(json!(8)), json!({"type": "linear", "factor": 32.0})] {
        let text = refusal(&both(other));
        assert!(text.starts_with("key `rope_scaling`: found {"), "{text}");
        assert!(
            text.ends_with("expected nothing beside `rope_parameters`, or the same"),
            "{text}"
        );
    }
}

/// Llama 3.1: theta 500000, heads of 128. The wavelength of pair `i` is `2 pi 500000^(2 i / 128)`.
#[test]
fn llama_3_divisors_are_one_between_and_factor() {
    let scaling = Llama3Stretch {
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

/// One layer, hidden size 4, one head of four and a vocabulary of two, without its tensors.
fn keys() -> Builder {
    with_base(10_000.0)
}

/// The same with another base of rotary frequencies.
fn with_base(theta: f32) -> Builder {
    Builder::new()
        .string("general.architecture", "llama")
        .u32("llama.block_count", 1)
        .u32("llama.context_length", 16)
        .u32("llama.embedding_length", 4)
        .u32("llama.feed_forward_length", 2)
        .u32("llama.attention.head_count", 1)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .f32("llama.rope.freq_base", theta)
        .u32("llama.vocab_size", 2)
}

fn open(builder: Builder) -> Result<(ModelConfig, GgufWeights), WeightError> {
    let folder = TempDir::new().expect("a temporary folder");
    GgufWeights::open(builder.write(folder.path()))
}

/// The error of a file that must not open.
fn gguf_refusal(builder: Builder) -> String {
    match open(builder) {
        Ok(_) => panic!("the file was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_small_file_yields_shape_and_weights() {
    let q: Vec<f32> = (0..16).map(|n| n as f32).collect();
    let file = keys()
        .tensor("token_embd.weight", &[2, 4], &[0.5; 8])
        .tensor("blk.0.attn_q.weight", &[4, 4], &q);
    let folder = TempDir::new().expect("a temporary folder");
    let (config, weights) = GgufWeights::open(file.write(folder.path())).expect("a good file");
    let shape = &llama(&config).shape;
    assert!(shape.sizes.ties_embeddings);
    assert_eq!((shape.sizes.head_dim, shape.sizes.num_kv_heads), (4, 1));
    assert_eq!(shape.rms_norm_eps, 1e-5);
    assert_eq!(
        weights.names(),
        [
            "model.embed_tokens.weight",
            "model.layers.0.self_attn.q_proj.weight"
        ]
    );
    let read = weights
        .read("model.layers.0.self_attn.q_proj.weight")
        .expect("numbers");
    assert_eq!(read[4..8], [8.0, 9.0, 10.0, 11.0]);
    let error = weights
        .read("lm_head.weight")
        .expect_err("no such tensor")
        .to_string();
    assert!(
        error.contains(
            "tensor `lm_head.weight`: not found; the file has `model.embed_tokens.weight`"
        )
    );
}

#[test]
fn a_query_that_has_no_whole_heads_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = keys().tensor("blk.0.attn_q.weight", &[3, 4], &[0.0; 12]);
    let (_, weights) = GgufWeights::open(file.write(folder.path())).expect("a good file");
    let error = weights.read("model.layers.0.self_attn.q_proj.weight");
    let text = error.expect_err("three rows").to_string();
    assert!(text.ends_with(
        "tensor `blk.0.attn_q.weight`: found 3 rows, expected 1 heads of an even width"
    ));
}

#[test]
fn llama_3_scaling_is_recognised_by_its_divisors() {
    let scaling = Llama3Stretch {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let divisors = scaling.divisors(10_000.0, 4);
    let stored: Vec<f32> = divisors.iter().map(|d| *d as f32).collect();
    let (config, _) = open(keys().tensor(ROPE_DIVISORS, &[2], &stored)).expect("a good file");
    // Two frequencies of small wavelength: nothing is scaled.
    assert_eq!(
        (stored.as_slice(), llama(&config).shape.rope_scaling),
        (&[1.0, 1.0][..], None)
    );

    let text = gguf_refusal(keys().tensor(ROPE_DIVISORS, &[2], &[1.0, 5.0]));
    assert!(text.contains("found other divisors (largest 5)"), "{text}");
}

/// As `llama.cpp` reads it: linear where no kind is named, by the old key too, and nothing where the kind is `none`.
#[test]
fn a_factor_in_a_gguf_file_counts_without_a_kind() {
    let linear = Some(Stretch::Linear { factor: 4.0 });
    let with_factor = |key: &str| keys().f32(&format!("llama.rope.{key}"), 4.0);
    for (file, expected) in [
        (with_factor("scaling.factor"), linear),
        (with_factor("scale_linear"), linear),
        (
            with_factor("scaling.factor").string("llama.rope.scaling.type", "linear"),
            linear,
        ),
        (
            with_factor("scaling.factor").string("llama.rope.scaling.type", "none"),
            None,
        ),
        (keys().f32("llama.rope.scaling.factor", 1.0), None),
    ] {
        let (config, _) = open(file).expect("a good file");
        assert_eq!(llama(&config).shape.rope_scaling, expected);
    }
    // The second pair's wavelength is above 8192.
    let llama3 = with_base(1e8).tensor(ROPE_DIVISORS, &[2], &[1.0, 8.0]);
    let both = gguf_refusal(llama3.f32("llama.rope.scaling.factor", 4.0));
    let expected = "key `llama.rope.scaling.factor`: found 4, expected 1 beside the tensor `rope_freqs.weight`";
    assert!(both.ends_with(expected), "{both}");
    let attention = gguf_refusal(keys().f32("llama.rope.scaling.attn_factor", 1.5));
    let expected =
        "key `llama.rope.scaling.attn_factor`: found 1.5, expected 1 (nothing else is supported)";
    assert!(attention.ends_with(expected), "{attention}");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let biased = gguf_refusal(keys().tensor("blk.0.attn_q.bias", &[4], &[0.0; 4]));
    assert!(
        biased.contains(
            "tensor `blk.0.attn_q.bias`: found a tensor that is no part of a plain `llama`"
        )
    );
    let experts = gguf_refusal(keys().u32("llama.expert_count", 8));
    assert!(experts.contains("key `llama.expert_count`: found 8, expected no experts"));
    let stretched = gguf_refusal(keys().string("llama.rope.scaling.type", "yarn"));
    assert!(stretched.ends_with(
        "key `llama.rope.scaling.type`: found yarn, expected none or linear (nothing else is supported)"
    ));
    let other = gguf_refusal(Builder::new().string("general.architecture", "gemma"));
    assert!(
        other.contains("architecture: found `gemma`, supported are llama"),
        "{other}"
    );
}

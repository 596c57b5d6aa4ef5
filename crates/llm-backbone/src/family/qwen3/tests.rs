use serde_json::{Value, json};

use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;
use crate::gated::GatedFamily;
use crate::gguf::test_file::Builder;
use crate::weights::{GgufWeights, WeightSource};

/// Qwen3-0.6B as published.
fn published() -> Value {
    json!({
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
        "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
        "max_window_layers": 28, "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-6, "rope_scaling": null, "rope_theta": 1000000,
        "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false, "vocab_size": 151936
    })
}

#[test]
fn reads_the_published_file() {
    let config = parse(&published()).expect("a good file");
    let FamilyConfig::Qwen3(qwen3) = &config.0 else {
        panic!("{config:?} is no Qwen3")
    };
    let sizes = &qwen3.shape.sizes;
    // Queries are wider than the stream: 16 heads of 128 on 1024.
    assert_eq!((sizes.query_width(), sizes.key_width()), (2048, 1024));
    assert_eq!(
        (qwen3.shape.rope_theta, qwen3.shape.rms_norm_eps),
        (1e6, 1e-6)
    );
    assert!(sizes.ties_embeddings);
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
}

/// Per token and block: 4 * 1024 of the stream, 3 * 2048 of queries (before and after their norm, and attention's sums),
/// 3 * 1024 of keys and values, two for each of 16 heads, 3 * 3072 of the feed-forward layer.
#[test]
fn norms_of_queries_and_keys_keep_what_they_take() {
    let config = parse(&published()).expect("a good file");
    let kept = config.0.config().activations_per_token();
    assert_eq!(kept, 4096 + 6144 + 3072 + 32 + 9216);
}

#[test]
fn a_head_is_128_wide_where_no_width_is_named() {
    let config = parse(&with(published(), "head_dim", Value::Null)).expect("a good file");
    assert_eq!(config.sizes().head_dim, 128);
}

#[test]
fn blocks_from_a_number_on_have_the_window() {
    let on = with(published(), "use_sliding_window", json!(true));
    let on = with(
        with(on, "sliding_window", json!(512)),
        "max_window_layers",
        json!(20),
    );
    let config = parse(&on).expect("a good file");
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    let FamilyConfig::Qwen3(qwen3) = &config.0 else {
        panic!("{config:?} is no Qwen3")
    };
    let plan = qwen3.plan();
    let windows = plan.sight_of.iter().map(|kind| plan.sights[*kind].window);
    let expected = [vec![None; 20], vec![Some(512); 8]].concat();
    assert_eq!(windows.collect::<Vec<_>>(), expected);
}

#[test]
fn what_cannot_be_run_is_refused_by_key() {
    let false_only = "found true, expected false (nothing else is supported)";
    for (key, value, expected) in [
        (
            "layer_types",
            json!(["full_attention"]),
            "key `layer_types`: found 1 entries, expected one for each of the 28 blocks".to_owned(),
        ),
        (
            "attention_bias",
            json!(true),
            format!("key `attention_bias`: {false_only}"),
        ),
        (
            "rope_scaling",
            json!({"rope_type": "yarn", "factor": 4.0}),
            "key `rope_scaling.rope_type`: found \"yarn\", expected `default`, `linear` or `llama3`".to_owned(),
        ),
    ] {
        assert_eq!(refusal(&with(published(), key, value)), expected);
    }
}

/// Two heads of 4 on a stream of 4; rows keep their order.
#[test]
fn a_gguf_file_holds_rows_in_the_order_of_hugging_face() {
    let q: Vec<f32> = (0..32).map(|n| n as f32).collect();
    let file = Builder::new()
        .string("general.architecture", "qwen3")
        .u32("qwen3.block_count", 1)
        .u32("qwen3.context_length", 16)
        .u32("qwen3.embedding_length", 4)
        .u32("qwen3.feed_forward_length", 2)
        .u32("qwen3.attention.head_count", 2)
        .u32("qwen3.attention.head_count_kv", 1)
        .u32("qwen3.attention.key_length", 4)
        .u32("qwen3.attention.value_length", 4)
        .f32("qwen3.attention.layer_norm_rms_epsilon", 1e-6)
        .f32("qwen3.rope.freq_base", 1e6)
        .u32("qwen3.vocab_size", 2)
        .tensor("output.weight", &[2, 4], &[0.5; 8])
        .tensor("blk.0.attn_q.weight", &[8, 4], &q)
        .tensor("blk.0.attn_q_norm.weight", &[4], &[1.0, 2.0, 3.0, 4.0]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (config, weights) = GgufWeights::open(file.write(folder.path())).expect("a good file");
    let sizes = config.sizes();
    assert_eq!(
        (sizes.head_dim, sizes.num_heads, sizes.num_kv_heads),
        (4, 2, 1)
    );
    assert!(!sizes.ties_embeddings, "the head is there");
    let read = |name: &str| weights.read(&format!("model.layers.0.self_attn.{name}.weight"));
    assert_eq!(read("q_proj").expect("numbers"), q);
    assert_eq!(read("q_norm").expect("numbers"), [1.0, 2.0, 3.0, 4.0]);
}

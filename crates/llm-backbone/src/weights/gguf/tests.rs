use tempfile::TempDir;

use super::*;
use crate::gguf::test_file::{Builder, llama_keys};

fn open(builder: Builder) -> Result<(ModelConfig, GgufWeights), WeightError> {
    let folder = TempDir::new().expect("a temporary folder");
    GgufWeights::open(builder.write(folder.path()))
}

/// The error of a file that must not open.
fn refusal(builder: Builder) -> String {
    match open(builder) {
        Ok(_) => panic!("the file was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn rows_of_query_and_key_return_to_the_hugging_face_order() {
    // The converter: reshape (heads, 2, width / 2, columns), swap the middle axes. Two heads of width 4, one column:
    // 0 1 2 3 | 4 5 6 7 becomes 0 2 1 3 | 4 6 5 7.
    let stored = [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0];
    assert_eq!(
        unpermute(&stored, 8, 2),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    );
    // Two columns move together, width 6: rows 0 3 1 4 2 5.
    let stored = [0.0, 0.5, 3.0, 3.5, 1.0, 1.5, 4.0, 4.5, 2.0, 2.5, 5.0, 5.5];
    let rows: Vec<f32> = (0..6)
        .flat_map(|row| [row as f32, row as f32 + 0.5])
        .collect();
    assert_eq!(unpermute(&stored, 6, 1), rows);
}

#[test]
fn names_are_those_of_hugging_face() {
    for (gguf, hf) in [
        ("token_embd.weight", Some("model.embed_tokens.weight")),
        ("output.weight", Some("lm_head.weight")),
        (
            "blk.12.attn_q.weight",
            Some("model.layers.12.self_attn.q_proj.weight"),
        ),
        (
            "blk.0.ffn_norm.weight",
            Some("model.layers.0.post_attention_layernorm.weight"),
        ),
        ("blk.0.attn_q.bias", None),
        ("blk.01.attn_q.weight", None),
        ("blk.x.attn_q.weight", None),
        ("something", None),
    ] {
        assert_eq!(hugging_face_name(gguf).as_deref(), hf, "{gguf}");
    }
}

#[test]
fn a_small_file_yields_shape_and_weights() {
    let q: Vec<f32> = (0..16).map(|n| n as f32).collect();
    let file = llama_keys()
        .tensor("token_embd.weight", &[2, 4], &[0.5; 8])
        .tensor("blk.0.attn_q.weight", &[4, 4], &q);
    let folder = TempDir::new().expect("a temporary folder");
    let (config, weights) = GgufWeights::open(file.write(folder.path())).expect("a good file");
    let ModelConfig::Llama(config) = config else {
        panic!("a Llama")
    };
    assert!(config.tie_word_embeddings);
    assert_eq!((config.head_dim, config.num_key_value_heads), (4, 1));
    assert_eq!(config.rms_norm_eps, 1e-5);
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
    let file = llama_keys().tensor("blk.0.attn_q.weight", &[3, 4], &[0.0; 12]);
    let (_, weights) = GgufWeights::open(file.write(folder.path())).expect("a good file");
    let error = weights.read("model.layers.0.self_attn.q_proj.weight");
    let text = error.expect_err("three rows").to_string();
    assert!(text.ends_with(
        "tensor `blk.0.attn_q.weight`: found 3 rows, expected 1 heads of an even width"
    ));
}

#[test]
fn llama_3_scaling_is_recognised_by_its_divisors() {
    let scaling = Llama3Scaling {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let divisors = scaling.divisors(10_000.0, 4);
    let stored: Vec<f32> = divisors.iter().map(|d| *d as f32).collect();
    let (config, _) = open(llama_keys().tensor(ROPE_DIVISORS, &[2], &stored)).expect("a good file");
    let ModelConfig::Llama(config) = config else {
        panic!("a Llama")
    };
    // Two frequencies of small wavelength: nothing is scaled.
    assert_eq!(
        (stored.as_slice(), config.rope_scaling),
        (&[1.0, 1.0][..], None)
    );

    let text = refusal(llama_keys().tensor(ROPE_DIVISORS, &[2], &[1.0, 5.0]));
    assert!(text.contains("found other divisors (largest 5)"), "{text}");
}

#[test]
fn what_is_no_plain_llama_is_refused() {
    let biased = refusal(llama_keys().tensor("blk.0.attn_q.bias", &[4], &[0.0; 4]));
    assert!(
        biased.contains(
            "tensor `blk.0.attn_q.bias`: found a tensor that is no part of a plain Llama"
        )
    );
    let experts = refusal(llama_keys().u32("llama.expert_count", 8));
    assert!(experts.contains("key `llama.expert_count`: found 8, expected no experts"));
    let stretched = refusal(llama_keys().string("llama.rope.scaling.type", "yarn"));
    assert!(stretched.contains("key `llama.rope.scaling.type`: found yarn"));
    let other = refusal(Builder::new().string("general.architecture", "gemma"));
    assert!(
        other.contains("architecture: found `gemma`, supported are llama"),
        "{other}"
    );
}

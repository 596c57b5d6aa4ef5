use serde_json::{Value, json};

use super::*;
use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;

const PUBLISHED: &str = include_str!("../../../tests/fixtures/shapes/gemma-3-1b.json");

fn published() -> Value {
    serde_json::from_str(PUBLISHED).expect("JSON")
}

fn gemma3(value: &Value) -> Gemma3Config {
    let config = parse(value).expect("a good file");
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    match config.0 {
        FamilyConfig::Gemma3(config) => config,
        other => panic!("{other:?} is no Gemma 3"),
    }
}

#[test]
fn every_sixth_block_sees_all() {
    let config = gemma3(&published());
    assert!(config.shape.sizes.ties_embeddings);
    let plan = config.plan();
    let global: Vec<_> = (0..26).filter(|i| plan.sight_of[*i] == 0).collect();
    assert_eq!(global, [5, 11, 17, 23]);
    let windows = plan.sights.iter().map(|sight| sight.window);
    assert_eq!(windows.collect::<Vec<_>>(), [None, Some(512)]);
    assert_eq!(plan.score_scale, 1.0 / 16.0);
    assert_eq!(plan.embedding_scale, Some(1152f32.sqrt()));
}

/// Pair 1 of 128: `base^(-2 / 256)`.
#[test]
fn global_frequencies_are_stretched_and_local_ones_have_their_own_base() {
    let linear = json!({"rope_type": "linear", "factor": 8.0});
    let plan = gemma3(&with(published(), "rope_scaling", linear)).plan();
    let second = |sight: &SightPlan| sight.rotation.as_ref().expect("rotated").frequencies[1];
    let [global, local] = [0, 1].map(|kind| second(&plan.sights[kind]));
    assert!((global - 1e6f64.powf(-1.0 / 128.0) / 8.0).abs() < 1e-12);
    assert!((local - 1e4f64.powf(-1.0 / 128.0)).abs() < 1e-12);
}

/// Later versions of `transformers` write one table for each kind of blocks.
#[test]
fn both_spellings_of_rotary_positions_are_read() {
    let tables = json!({
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 2e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5e3}
    });
    let config = gemma3(&with(published(), "rope_parameters", tables.clone()));
    assert_eq!(
        (config.shape.rope_theta, config.rope_local_base_freq),
        (2e6, 5e3)
    );
    assert_eq!(
        config.shape.rope_scaling,
        Some(Stretch::Linear { factor: 8.0 })
    );
    let llama = with(published(), "model_type", json!("llama"));
    let llama = with(llama, "rope_parameters", tables);
    assert_eq!(
        refusal(&llama),
        "key `rope_parameters`: found a table of `full_attention` layers, expected one table for all layers"
    );
}

#[test]
fn what_cannot_be_run_is_refused_by_key() {
    let null = "null (nothing else is supported)";
    for (key, value, expected) in [
        (
            "final_logit_softcapping",
            json!(30.0),
            format!("key `final_logit_softcapping`: found 30, expected {null}"),
        ),
        (
            "attn_logit_softcapping",
            json!(50.0),
            format!("key `attn_logit_softcapping`: found 50, expected {null}"),
        ),
        (
            "hidden_activation",
            json!("gelu"),
            "key `hidden_activation`: found gelu, expected gelu_pytorch_tanh (nothing else is supported)".into(),
        ),
        (
            "query_pre_attn_scalar",
            json!(0),
            "key `query_pre_attn_scalar`: found 0, expected a positive number".into(),
        ),
    ] {
        assert_eq!(refusal(&with(published(), key, value)), expected);
    }
}

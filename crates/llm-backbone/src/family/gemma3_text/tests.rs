use serde_json::{Value, json};

use super::*;
use crate::config::ModelConfig;
use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;
use crate::gguf::test_file::Builder;
use crate::weights::GgufWeights;

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

fn from_gguf(file: Builder) -> Result<ModelConfig, WeightError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    GgufWeights::open(file.write(folder.path())).map(|(config, _)| config)
}

/// One block of one head, without its tensors and the bases of its frequencies.
fn keys() -> Builder {
    Builder::new()
        .string("general.architecture", "gemma3")
        .u32("gemma3.block_count", 1)
        .u32("gemma3.context_length", 16)
        .u32("gemma3.embedding_length", 4)
        .u32("gemma3.feed_forward_length", 2)
        .u32("gemma3.attention.head_count", 1)
        .f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6)
        .u32("gemma3.vocab_size", 2)
}

/// Ollama's converter has names of its own; without any, no base can be guessed.
#[test]
fn bases_in_a_gguf_file_go_by_two_names() {
    let named = |[global, local]: [&str; 2]| keys().f32(global, 2e6).f32(local, 5e3);
    for names in [
        ["gemma3.rope.freq_base", "gemma3.rope.freq_base_swa"],
        [
            "gemma3.rope.global.freq_base",
            "gemma3.rope.local.freq_base",
        ],
    ] {
        let config = from_gguf(named(names)).expect("a good file");
        let FamilyConfig::Gemma3(config) = config.0 else {
            panic!("no Gemma 3")
        };
        let bases = (config.shape.rope_theta, config.rope_local_base_freq);
        assert_eq!(bases, (2e6, 5e3), "{names:?}");
    }
    let error = from_gguf(keys()).expect_err("no base").to_string();
    let expected = "key `gemma3.rope.freq_base`: found nothing, expected a number";
    assert!(error.ends_with(expected), "{error}");
}

/// `transformers` 5 refuses 16.0 in the place of 16.
#[test]
fn the_scale_of_queries_is_written_whole_where_it_is_whole() {
    let file = "tests/fixtures/gemma3_text_gguf/model.gguf";
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let (config, _) = GgufWeights::open(file).expect("a good file");
    assert_eq!(config.to_hf_json()["query_pre_attn_scalar"], json!(16));
    let half = with(published(), "query_pre_attn_scalar", json!(168.5));
    let half = parse(&half).expect("a good file");
    assert_eq!(half.to_hf_json()["query_pre_attn_scalar"], json!(168.5));
}

/// `transformers` puts the old key over the new table of global layers.
#[test]
fn the_old_key_may_say_what_the_table_of_global_layers_does() {
    let linear = json!({"rope_type": "linear", "factor": 8.0});
    let tables = json!({"full_attention": linear, "sliding_attention": {"rope_theta": 5e3}});
    let new = with(published(), "rope_parameters", tables);
    let both = with(
        new.clone(),
        "rope_scaling",
        json!({"type": "linear", "factor": 8}),
    );
    assert_eq!(
        parse(&both).expect("a good file"),
        parse(&new).expect("a good file")
    );
    let other = with(new, "rope_scaling", json!({"type": "linear", "factor": 4}));
    let text = refusal(&other);
    assert!(text.starts_with("key `rope_scaling`: found {"), "{text}");
    assert!(
        text.ends_with("expected nothing beside `rope_parameters`, or the same"),
        "{text}"
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

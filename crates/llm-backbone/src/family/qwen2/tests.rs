use serde_json::{Value, json};

use super::*;
use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;

const PUBLISHED: &str = include_str!("../../../tests/fixtures/shapes/qwen2.5-0.5b.json");

fn published() -> Value {
    serde_json::from_str(PUBLISHED).expect("JSON")
}

fn qwen2(value: &Value) -> Qwen2Config {
    let config = parse(value).expect("a good file");
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    match config.0 {
        FamilyConfig::Qwen2(config) => config,
        other => panic!("{other:?} is no Qwen2"),
    }
}

#[test]
fn the_published_model_has_a_window_by_name_only() {
    let config = qwen2(&published());
    assert_eq!(
        (config.window.positions, config.shape.sizes.head_dim),
        (None, 64)
    );
    assert_eq!(config.plan().sights.len(), 1);
}

#[test]
fn blocks_from_a_number_on_have_the_window() {
    let value = with(published(), "use_sliding_window", json!(true));
    let plan = qwen2(&value).plan();
    assert_eq!(plan.sights[0].window, None);
    assert_eq!(plan.sights[1].window, Some(32_768));
    assert_eq!(plan.sight_of, [vec![0; 21], vec![1; 3]].concat());

    let kinds: Vec<_> = (0..24)
        .map(|i| {
            if i == 4 {
                "sliding_attention"
            } else {
                "full_attention"
            }
        })
        .collect();
    let listed = qwen2(&with(value.clone(), "layer_types", json!(kinds)));
    let with_window: Vec<_> = (0..24).filter(|i| listed.window.blocks[*i]).collect();
    assert_eq!(with_window, [4]);

    let nothing = with(value, "sliding_window", Value::Null);
    assert_eq!(qwen2(&nothing).plan().sights.len(), 1);
}

#[test]
fn what_cannot_be_run_is_refused_by_key() {
    for (key, value, expected) in [
        (
            "layer_types",
            json!(["full_attention"]),
            "key `layer_types`: found 1 entries, expected one for each of the 24 blocks",
        ),
        (
            "layer_types",
            json!(["chunked_attention"]),
            "key `layer_types`: found \"chunked_attention\", expected a list of `sliding_attention` and `full_attention`",
        ),
        (
            "rope_scaling",
            json!({"type": "yarn", "factor": 4.0}),
            "key `rope_scaling.rope_type`: found \"yarn\", expected `default`, `linear` or `llama3`",
        ),
        (
            "num_hidden_layers",
            json!(1_u64 << 60),
            "key `num_hidden_layers`: found 1152921504606846976, expected 1 to 4096",
        ),
    ] {
        assert_eq!(refusal(&with(published(), key, value)), expected);
    }
}

use serde_json::{Value, json};

use super::*;
use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;

const PUBLISHED: &str = include_str!("../../../tests/fixtures/shapes/smollm3-3b.json");

fn published() -> Value {
    serde_json::from_str(PUBLISHED).expect("JSON")
}

fn unrotated(value: &Value) -> Vec<usize> {
    let config = parse(value).expect("a good file");
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    assert!(config.sizes().ties_embeddings, "where nothing is said");
    let FamilyConfig::SmolLm3(config) = config.0 else {
        panic!("no SmolLM3")
    };
    let plan = config.plan();
    let sights = plan.sight_of.iter().map(|kind| &plan.sights[*kind]);
    let numbered = sights.enumerate();
    let without = numbered.filter(|(_, sight)| sight.rotation.is_none());
    without.map(|(i, _)| i).collect()
}

#[test]
fn every_fourth_block_has_no_rotary_positions() {
    let fourth: Vec<_> = (0..36).filter(|i| i % 4 == 3).collect();
    assert_eq!(unrotated(&published()), fourth);
    let by_rule = with(published(), ROTATED, Value::Null);
    assert_eq!(unrotated(&by_rule), fourth);
    let longer = vec![1; 36].into_iter().chain([0, 0]).collect::<Vec<_>>();
    assert_eq!(
        unrotated(&with(published(), ROTATED, json!(longer))),
        [0; 0]
    );
    let other = with(by_rule, "no_rope_layer_interval", json!(18));
    assert_eq!(unrotated(&other), [17, 35]);
}

#[test]
fn what_cannot_be_run_is_refused_by_key() {
    for (key, value, expected) in [
        (
            ROTATED,
            json!([1, 0]),
            "key `no_rope_layers`: found 2 entries, expected one for each of the 36 blocks",
        ),
        (
            ROTATED,
            json!([1, 2]),
            "key `no_rope_layers`: found 2, expected a list of 0 and 1",
        ),
        (
            "use_sliding_window",
            json!(true),
            "key `use_sliding_window`: found true, expected false (nothing else is supported)",
        ),
        (
            "layer_types",
            json!(["sliding_attention"]),
            "key `layer_types`: found `sliding_attention`, expected `full_attention` (nothing else is supported)",
        ),
    ] {
        assert_eq!(refusal(&with(published(), key, value)), expected);
    }
}

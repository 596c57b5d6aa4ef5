use serde_json::{Value, json};

use super::*;
use crate::config::tests::{parse, refusal, with};
use crate::family::FamilyConfig;
use crate::gguf::test_file::Builder;
use crate::weights::GgufWeights;

/// Phi-4-mini; its two lists are stand-ins.
const PUBLISHED: &str = include_str!("../../../tests/fixtures/shapes/phi-4-mini.json");

fn published() -> Value {
    serde_json::from_str(PUBLISHED).expect("JSON")
}

fn phi3(value: &Value) -> Phi3Config {
    let config = parse(value).expect("a good file");
    assert_eq!(parse(&config.to_hf_json()).expect("our own file"), config);
    match config.0 {
        FamilyConfig::Phi3(config) => config,
        other => panic!("{other:?} is no Phi-3"),
    }
}

/// Rotated numbers grow by `sqrt(1 + ln 32 / ln 4096)`, `ln 32` being five twelfths of `ln 4096`.
#[test]
fn a_stretched_model_is_one_of_texts_of_the_original_length() {
    let config = phi3(&published());
    assert_eq!((config.rotary_dim, config.shape.sizes.head_dim), (96, 128));
    assert_eq!(config.shape.sizes.max_positions, 4096);
    let rotation = config.plan().sights[0].rotation.clone().expect("rotated");
    assert!((rotation.stretched - (17f64 / 12.0).sqrt()).abs() < 1e-12);
    assert_eq!(rotation.frequencies.len(), 48);
    // What is written is the longer model.
    let written = parse(&published()).expect("a good file").to_hf_json();
    assert_eq!(written["max_position_embeddings"], 131_072);
    assert_eq!(written["rope_scaling"], published()["rope_scaling"]);
}

#[test]
fn frequencies_are_divided_by_the_short_list() {
    let mut value = published();
    value["rope_scaling"]["short_factor"][1] = json!(1.5);
    let rotation = phi3(&value).plan().sights[0].rotation.clone();
    let second = rotation.expect("rotated").frequencies[1];
    assert!((second - 1e4f64.powf(-1.0 / 48.0) / 1.5).abs() < 1e-12);
}

#[test]
fn a_plain_model_has_its_whole_length_and_no_lists() {
    let config = phi3(&with(published(), "rope_scaling", Value::Null));
    assert_eq!(config.shape.sizes.max_positions, 131_072);
    assert_eq!(
        config.plan().sights[0]
            .rotation
            .clone()
            .map(|r| r.stretched),
        Some(1.0)
    );
}

/// 131,072 positions are 32 times 4096.
#[test]
fn numbers_that_follow_from_the_lengths_may_be_there() {
    let mut value = published();
    value["rope_scaling"]["factor"] = json!(32);
    value["rope_scaling"]["attention_factor"] = json!(1.190_238);
    assert_eq!(phi3(&value), phi3(&published()));
    value["rope_scaling"]["factor"] = json!(16);
    assert_eq!(
        refusal(&value),
        "key `rope_scaling.factor`: found 16, expected 32 (it follows from the lengths)"
    );
}

/// In `transformers` 5 the share stands in the table, which comes first.
#[test]
fn the_share_that_is_rotated_may_stand_in_the_table() {
    let plain = with(published(), "rope_scaling", Value::Null);
    let table = json!({"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5});
    let value = with(plain, "rope_parameters", table);
    assert_eq!(phi3(&value).rotary_dim, 64);
}

/// `49 * (2.0 / 49.0)` is less than 2, and so are others.
#[test]
fn any_number_of_rotated_dimensions_is_read_back() {
    let plain = with(published(), "rope_scaling", Value::Null);
    let plain = with(plain, "partial_rotary_factor", json!(1.0));
    for head_dim in (2..=128).step_by(2) {
        let config = phi3(&with(plain.clone(), "head_dim", json!(head_dim)));
        for rotary_dim in (2..=head_dim).step_by(2) {
            let config = Phi3Config {
                rotary_dim,
                ..config.clone()
            };
            let written = config
                .own_keys()
                .into_iter()
                .find(|(key, _)| *key == ROTATED);
            let share = written
                .and_then(|(_, share)| share.as_f64())
                .expect("a number");
            assert_eq!((head_dim as f64 * share) as usize, rotary_dim, "{head_dim}");
        }
    }
}

/// One block of a head of 4, without its tensors.
fn keys() -> Builder {
    Builder::new()
        .string("general.architecture", "phi3")
        .u32("phi3.block_count", 1)
        .u32("phi3.context_length", 16)
        .u32("phi3.embedding_length", 4)
        .u32("phi3.feed_forward_length", 2)
        .u32("phi3.attention.head_count", 1)
        .f32("phi3.attention.layer_norm_rms_epsilon", 1e-5)
        .u32("phi3.vocab_size", 2)
}

#[test]
fn what_a_gguf_file_says_of_rotary_positions_is_read_or_refused() {
    let list = |file: Builder, name: &str| file.tensor(name, &[2], &[1.0, 1.5]);
    let attention = "phi3.rope.scaling.attn_factor";
    let (missing, other) = (
        "not found; the file has",
        "expected 1 (nothing else is supported)",
    );
    for (file, item, expected) in [
        (list(keys(), SHORT), format!("tensor `{LONG}`"), missing),
        (list(keys(), LONG), format!("tensor `{SHORT}`"), missing),
        (
            keys().f32(attention, 1.5),
            format!("key `{attention}`"),
            other,
        ),
        (
            keys().f32("phi3.rope.scaling.factor", 4.0),
            "key `phi3.rope.scaling.factor`".to_owned(),
            other,
        ),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = GgufWeights::open(file.write(folder.path())).map(|_| ());
        let error = error.expect_err("a bad file").to_string();
        assert!(error.contains(&item) && error.contains(expected), "{error}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    GgufWeights::open(keys().f32(attention, 1.0).write(folder.path())).expect("a good file");
}

#[test]
fn what_cannot_be_run_is_refused_by_key() {
    let scaling = |key: &str, value: Value| {
        let new = with(published()["rope_scaling"].clone(), key, value);
        refusal(&with(published(), "rope_scaling", new))
    };
    assert_eq!(
        scaling("short_factor", json!([1.0])),
        "key `rope_scaling.short_factor`: found 1 entries, expected 48 positive numbers"
    );
    assert_eq!(
        scaling("type", json!("yarn")),
        "key `rope_scaling.rope_type`: found \"yarn\", expected `default` or `longrope`"
    );
    assert_eq!(
        scaling("attention_factor", json!(2.0)),
        format!(
            "key `rope_scaling.attention_factor`: found 2, expected {} (it follows from the lengths)",
            (17f64 / 12.0).sqrt()
        )
    );
    assert_eq!(
        refusal(&with(published(), "partial_rotary_factor", json!(0.7))),
        "key `partial_rotary_factor`: found 89 of 128 dimensions, expected an even number of dimensions of a head"
    );
}

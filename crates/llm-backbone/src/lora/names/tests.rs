use std::path::Path;

use burn::tensor::Device;

use super::*;
use crate::{LoraConfig, Model};

fn refused(fixture: &str, targets: &[&str]) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let model = Model::open(&fixtures.join(fixture), &Device::flex()).expect("the fixture");
    let targets = Targets::Names(targets.iter().map(|name| (*name).to_owned()).collect());
    let config = LoraConfig {
        targets,
        ..LoraConfig::default()
    };
    model
        .with_lora(&config, 0)
        .expect_err("a refusal")
        .to_string()
}

#[test]
fn one_wrong_name_among_several_is_refused_with_the_names_that_there_are() {
    assert_eq!(
        refused("llama", &["q_proj", "q_porj", "v_proj"]),
        "LoRA target `q_porj`: this model has no module of that name; there are embed_tokens, q_proj, k_proj, \
         v_proj, o_proj, gate_proj, up_proj, down_proj"
    );
}

#[test]
fn a_head_as_target_is_refused_with_the_cause() {
    for targets in [&["lm_head"][..], &["q_proj", "lm_head"]] {
        let error = refused("llama_tied", targets);
        let cause = "is the matrix of its embedding (`tie_word_embeddings`)";
        assert!(
            error.contains(cause) && error.contains("`model.embed_tokens`"),
            "{error}"
        );
        let error = refused("llama", targets);
        assert!(
            error.contains("adapters of the head are not read, nor made"),
            "{error}"
        );
    }
}

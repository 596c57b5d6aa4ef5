use std::path::Path;

use burn::tensor::Device;

use super::*;
use crate::{LoraConfig, LoraInit, Model};

fn refused(fixture: &str, targets: &[&str]) -> String {
    refused_with(fixture, targets, LoraConfig::default())
}

fn refused_with(fixture: &str, targets: &[&str], config: LoraConfig) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let model = Model::open(&fixtures.join(fixture), &Device::flex()).expect("the fixture");
    let targets = Targets::Names(targets.iter().map(|name| (*name).to_owned()).collect());
    let config = LoraConfig { targets, ..config };
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
         v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head"
    );
}

#[test]
fn settings_that_cannot_be_are_refused_by_key_or_module() {
    let with = |config: LoraConfig| refused_with("llama_tied", &["k_proj", "lm_head"], config);
    let pissa = LoraConfig {
        init_lora_weights: LoraInit::Pissa,
        ..LoraConfig::default()
    };
    let (rank, alpha) = (17, -1.0);
    let found = with(LoraConfig {
        rank,
        ..pissa.clone()
    });
    assert!(
        found.contains("k_proj`: its weight of 16 x 16 has no 17 singular values"),
        "{found}"
    );
    assert_eq!(
        with(LoraConfig { alpha, ..pissa }),
        "LoRA alpha is -1, expected a number above 0 with init_lora_weights = \"pissa\""
    );
    for loraplus_lr_ratio in [0.5, f64::NAN] {
        let found = with(LoraConfig {
            loraplus_lr_ratio,
            ..LoraConfig::default()
        });
        assert!(found.starts_with("LoRA loraplus_lr_ratio is "), "{found}");
    }
}

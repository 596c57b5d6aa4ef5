use std::path::{Path, PathBuf};

use super::*;
use crate::{LoraInit, Targets};

fn fixture(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(name)
}

/// A published model, by its `config.json` alone.
fn published(name: &str) -> Outline {
    let file = fixture("shapes").join(format!("{name}.json"));
    Outline::of(&ModelConfig::from_hf_file(&file).unwrap()).unwrap()
}

/// The authors' targets.
fn targets(names: &[&str]) -> LoraConfig {
    LoraConfig {
        targets: Targets::Names(names.iter().map(|name| (*name).to_owned()).collect()),
        ..LoraConfig::default()
    }
}

#[test]
fn an_outline_counts_what_the_model_has() {
    let llama = ["q_proj", "embed_tokens", "down_proj"];
    for (name, three) in [
        ("llama", llama),
        ("llama_tied", llama),
        ("gptj", ["q_proj", "wte", "fc_out"]),
        ("qwen2", llama),
        ("mistral", llama),
        ("gemma3_text", llama),
        ("smollm3", llama),
        ("phi3", ["qkv_proj", "embed_tokens", "down_proj"]),
        ("olmo2", llama),
        ("qwen3", llama),
    ] {
        let model = Model::open(&fixture(name), &Device::flex()).unwrap();
        let outline = Outline::of(model.config()).unwrap();
        assert_eq!(outline.weights(), model.num_base_params(), "{name}");
        assert_eq!(outline.costs(), model.costs(), "{name}");
        let with_head = LoraConfig {
            use_dora: true,
            init_lora_weights: LoraInit::Pissa,
            ..targets(&[three[0], three[1], "lm_head"])
        };
        for lora in [LoraConfig::default(), targets(&three), with_head] {
            let adapters = outline.adapters(&lora).unwrap();
            let adapted = model.clone().with_lora(&lora, 0).unwrap();
            assert_eq!(adapters, adapted.adapter_sizes(), "{name}");
        }
        let error = outline.adapters(&targets(&["nope"])).unwrap_err();
        let made = model.with_lora(&targets(&["nope"]), 0).unwrap_err();
        assert_eq!(error.to_string(), made.to_string());
    }
}

#[test]
fn files_of_other_layers_and_shapes_are_told_without_reading_them() {
    let (config, source) = crate::weights::open(fixture("llama")).unwrap();
    Outline::of(&config)
        .unwrap()
        .require_in(source.as_ref())
        .unwrap();
    let error = |change: fn(&mut crate::config::Sizes)| {
        let mut config = config.clone();
        change(config.sizes_mut());
        let outline = Outline::of(&config).unwrap();
        outline.require_in(source.as_ref()).unwrap_err().to_string()
    };
    let missing = error(|sizes| sizes.num_layers = 3);
    assert!(
        missing.contains("tensor `model.layers.2.input_layernorm.weight`: not found"),
        "{missing}"
    );
    let further = error(|sizes| sizes.num_layers = 1);
    assert!(
        further.contains("the configuration has 1 layers"),
        "{further}"
    );
    let shape = error(|sizes| sizes.vocab_size = 65);
    assert!(
        shape.contains("tensor `lm_head.weight`: found shape [64, 32], expected [65, 32]"),
        "{shape}"
    );
}

/// Weights as their authors count them. Adapters of rank 8 by hand. GPT-J, 28 blocks: four of 8 * (4096 + 4096), two
/// of 8 * (4096 + 16384), and 8 * (50400 + 4096) for the embedding. Llama 7B, 32 blocks: three of 8 * 8192. Llama 3 8B:
/// 8 * 8192 and two of 8 * (4096 + 1024).
#[test]
fn published_models_have_the_sizes_that_are_published() {
    let qkv = ["q_proj", "k_proj", "v_proj"];
    let mut all = qkv.to_vec();
    all.extend(["out_proj", "fc_in", "fc_out", "wte"]);
    for (name, names, weights, adapters, inputs) in [
        (
            "gptj-6b",
            &all[..],
            6_050_882_784,
            16_951_040,
            28 * (5 * 4096 + 16_384),
        ),
        ("llama-7b", &qkv, 6_738_415_616, 6_291_456, 32 * 3 * 4096),
        ("llama-3-8b", &qkv, 8_030_261_248, 4_718_592, 32 * 3 * 4096),
        (
            "qwen2.5-0.5b",
            &qkv,
            494_032_768,
            24 * 8 * (3 * 896 + 1152),
            24 * 3 * 896,
        ),
        (
            "mistral-7b-v0.1",
            &qkv,
            7_241_732_096,
            4_718_592,
            32 * 3 * 4096,
        ),
        (
            "gemma-3-1b",
            &qkv,
            999_885_952,
            26 * 8 * (3 * 1152 + 1536),
            26 * 3 * 1152,
        ),
        (
            "smollm3-3b",
            &qkv,
            3_075_098_624,
            36 * 8 * (3 * 2048 + 3072),
            36 * 3 * 2048,
        ),
        (
            "phi-4-mini",
            &["qkv_proj"],
            3_836_021_760,
            32 * 8 * (3072 + 5120),
            32 * 3072,
        ),
        (
            "olmo-2-1b",
            &qkv,
            1_484_916_736,
            16 * 3 * 8 * 4096,
            16 * 3 * 2048,
        ),
    ] {
        let outline = published(name);
        assert_eq!(outline.weights(), weights, "{name}");
        let expected = Adapters {
            weights: adapters,
            inputs,
            ..Adapters::default()
        };
        assert_eq!(
            outline.adapters(&targets(names)).unwrap(),
            expected,
            "{name}"
        );
    }
}

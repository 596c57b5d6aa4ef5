use std::path::PathBuf;

use burn::tensor::Device;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::tensors::plain_name;
use super::*;
use crate::lora::PEFT_PREFIX;
use crate::weights::{SafetensorsFile, WeightSource};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn llama() -> Model {
    Model::open(&fixture("llama"), &Device::flex()).expect("the fixture")
}

/// The tensors of the fixture `lora` (rank 4 on every linear layer of `llama`).
fn tensors() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let file = SafetensorsFile::open(fixture("lora").join(TENSORS)).expect("the fixture");
    let read = |name: String| {
        let (shape, values) = (file.shape(&name), file.read(&name));
        (name, shape.expect("a shape"), values.expect("numbers"))
    };
    file.names().into_iter().map(read).collect()
}

/// A folder with the fixture's configuration under other keys, and tensors.
fn folder(keys: &Value, tensors: Vec<(String, Vec<usize>, Vec<f32>)>) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let text = fs::read(fixture("lora").join(config::FILE)).expect("the fixture");
    let mut config: Value = serde_json::from_slice(&text).expect("JSON");
    for (key, value) in keys.as_object().expect("keys") {
        config[key] = value.clone();
    }
    fs::write(folder.path().join(config::FILE), config.to_string()).expect("a writable folder");
    write_safetensors(folder.path().join(TENSORS), tensors).expect("a writable folder");
    folder
}

fn error(keys: &Value) -> String {
    let folder = folder(keys, tensors());
    let error = llama().with_adapters(folder.path()).map(|_| ());
    error.expect_err("a refusal").to_string()
}

#[test]
fn what_is_not_read_is_refused_by_key_and_value() {
    for (key, value) in [
        ("use_dora", json!("yes")),
        ("use_qalora", json!(true)),
        ("lora_bias", json!(true)),
        ("bias", json!("some")),
        ("peft_type", json!("IA3")),
        ("task_type", json!("SEQ_CLS")),
        ("init_lora_weights", json!("pissa_niter_16")),
        ("init_lora_weights", json!("olora")),
        ("init_lora_weights", json!("loftq")),
        ("megatron_config", json!({"hidden_size": 1})),
        ("layer_replication", json!([[0, 2], [1, 2]])),
        ("target_parameters", json!(["experts.gate_up_proj"])),
        ("alora_invocation_tokens", json!([1, 2])),
        ("kasa_config", json!({"beta": 0.1})),
        ("a_key_of_tomorrow", json!(1)),
        ("rank_pattern", json!({"q_proj": 0})),
        ("alpha_pattern", json!({"q_proj": "8"})),
        ("layers_pattern", json!("layers")),
    ] {
        let error = error(&json!({key: value}));
        let expected = format!("{}: key `{key}`: found {value}; ", config::FILE);
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn what_asks_for_nothing_is_passed_over() {
    let keys = json!({
        "a_key_of_tomorrow": null, "another": {}, "eva_config": {"rho": 2.0}, "init_lora_weights": "eva",
        "loftq_config": {"loftq_bits": 4}, "auto_mapping": {"base_model_class": "LlamaForCausalLM"},
        "fan_in_fan_out": true, "revision": "main", "lora_bias": false, "layers_pattern": [], "bias": "all",
    });
    let folder = folder(&keys, tensors());
    llama()
        .with_adapters(folder.path())
        .expect("plain adapters");
}

#[test]
fn a_broken_pattern_is_named() {
    let found = error(&json!({"target_modules": "(q_proj"}));
    assert!(
        found.starts_with("LoRA target `(q_proj` is no regular expression"),
        "{found}"
    );
    // One that would close the brackets it is put into.
    let found = error(&json!({"rank_pattern": {"q_proj)|(v_proj": 2}}));
    assert!(found.contains("`q_proj)|(v_proj`"), "{found}");
    let found = error(&json!({"target_modules": "nothing"}));
    assert!(found.contains("\"nothing\" match no module"), "{found}");
}

#[test]
fn tensors_that_fit_no_module_or_rank_are_named() {
    let found = error(&json!({"r": 8}));
    assert!(
        found.contains("found shape [4, ") && found.contains("expected [8, "),
        "{found}"
    );
    let found = error(&json!({"target_modules": ["q_proj"]}));
    assert!(
        found.ends_with("the configuration does not target its module"),
        "{found}"
    );

    let mut some = tensors();
    let lost = some.remove(0).0;
    let dir = folder(&json!({}), some);
    let found = llama()
        .with_adapters(dir.path())
        .expect_err("a loss")
        .to_string();
    assert!(
        found.contains(&lost) && found.contains("missing"),
        "{found}"
    );

    for (extra, shape, problem) in [
        (
            "base_model.model.lm_head.lora_A.weight",
            vec![1],
            "the configuration does not target its module",
        ),
        ("base_model.model.score.weight", vec![1], "no place for it"),
        (
            "base_model.model.lm_head.weight",
            vec![70, 32],
            "found shape [70, 32], the model's is [64, 32]",
        ),
    ] {
        let mut all = tensors();
        all.push((
            extra.into(),
            shape.clone(),
            vec![0.0; shape.iter().product()],
        ));
        let dir = folder(&json!({}), all);
        let found = llama()
            .with_adapters(dir.path())
            .expect_err("too many")
            .to_string();
        assert!(found.contains(extra) && found.contains(problem), "{found}");
    }
}

#[test]
fn numbers_that_are_none_are_named() {
    let mut all = tensors();
    all[3].2[5] = f32::NAN;
    let name = all[3].0.clone();
    let dir = folder(&json!({}), all);
    let found = llama()
        .with_adapters(dir.path())
        .expect_err("a NaN")
        .to_string();
    assert!(
        found.contains(&format!("{name}: number 5 is NaN")),
        "{found}"
    );
}

#[test]
fn saved_modules_must_be_there() {
    let found = error(&json!({"modules_to_save": ["lm_head"]}));
    assert!(
        found.contains("lm_head: missing, though `modules_to_save` names it"),
        "{found}"
    );
    let found = error(&json!({"trainable_token_indices": [1]}));
    assert!(found.contains("trainable_tokens_delta: missing"), "{found}");
}

#[test]
fn names_with_the_adapters_own_name_or_none_of_the_prefix_are_read() {
    let names: [fn(&str) -> String; 3] = [
        |name| name.replace(".weight", ".default.weight"),
        |name| name.trim_start_matches(PEFT_PREFIX).into(),
        |name| name.replace("base_model.model.", "base_model.model._orig_mod."),
    ];
    let expected = llama()
        .with_adapters(&fixture("lora"))
        .expect("the fixture")
        .0;
    for rename in names {
        let renamed = tensors()
            .into_iter()
            .map(|(name, shape, values)| (rename(&name), shape, values));
        let dir = folder(&json!({}), renamed.collect());
        let model = llama()
            .with_adapters(dir.path())
            .expect("the same adapters")
            .0;
        assert_eq!(model.adapter_tensors(), expected.adapter_tensors());
    }
}

#[test]
fn wrappers_leave_no_trace_in_names() {
    for (name, plain) in [
        (
            "base_model.model.a.lora_embedding_A.default",
            "a.lora_embedding_A",
        ),
        ("base_model.model.a.lora_embedding_A", "a.lora_embedding_A"),
        (
            "base_model.model.lm_head.modules_to_save.default.weight",
            "lm_head.weight",
        ),
        (
            "base_model.model.lm_head.modules_to_save.weight",
            "lm_head.weight",
        ),
        ("base_model.model.a.base_layer.bias", "a.bias"),
        (
            "base_model.model.a.lora_magnitude_vector.default.weight",
            "a.lora_magnitude_vector",
        ),
        ("a.lora_magnitude_vector", "a.lora_magnitude_vector"),
        (
            "a.token_adapter.trainable_tokens_delta.default",
            "a.token_adapter.trainable_tokens_delta",
        ),
    ] {
        assert_eq!(plain_name(name), format!("{PEFT_PREFIX}{plain}"), "{name}");
    }
}

#[test]
fn safetensors_under_another_name_and_pointers_are_known() {
    let dir = folder(&json!({}), tensors());
    let bin = dir.path().join("adapter_model.bin");
    fs::rename(dir.path().join(TENSORS), &bin).expect("a renamed file");
    llama().with_adapters(dir.path()).expect("the same tensors");

    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234\n";
    fs::write(&bin, pointer).expect("a writable folder");
    let found = llama()
        .with_adapters(dir.path())
        .expect_err("a pointer")
        .to_string();
    assert!(
        found.contains("a pointer of Git LFS, not the file of 1234 bytes"),
        "{found}"
    );

    fs::remove_file(&bin).expect("a file");
    let found = llama()
        .with_adapters(dir.path())
        .expect_err("nothing")
        .to_string();
    assert!(
        found.ends_with("found neither adapter_model.safetensors nor adapter_model.bin"),
        "{found}"
    );
}

/// As older releases of `peft` had it: magnitudes are one tensor for each module that is targeted.
#[test]
fn magnitudes_must_be_there_with_dora() {
    let found = error(&json!({"use_dora": true}));
    assert!(
        found.contains("q_proj.lora_magnitude_vector: missing, though the configuration"),
        "{found}"
    );
}

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
        ("peft_type", json!("PREFIX_TUNING")),
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

/// `peft` has no `merge_and_unload` for these.
#[test]
fn nobody_is_told_to_merge_what_cannot_be_merged() {
    for (kind, is_merged) in [
        ("PREFIX_TUNING", false),
        ("P_TUNING", false),
        ("LOHA", true),
    ] {
        let found = error(&json!({"peft_type": kind}));
        assert_eq!(found.contains("merge_and_unload"), is_merged, "{found}");
    }
}

/// A folder with adapters of the tied model's embedding or head, of zeros, and keys.
fn of_tied(module: &str, names: [&str; 2], keys: Value) -> Result<Model, LoraError> {
    let model = Model::open(&fixture("llama_tied"), &Device::flex()).expect("the fixture");
    let [vocab, d] = model.decoder().embedding().weight.shape();
    let sides = match module == HEAD {
        true => [d, vocab],
        false => [vocab, d],
    };
    let tensor = |name: &str, shape: Vec<usize>| {
        let name = format!("{PEFT_PREFIX}{module}.{name}");
        (name, shape.clone(), vec![0.0; shape.iter().product()])
    };
    let [a, b] = names;
    let tensors = vec![tensor(a, vec![4, sides[0]]), tensor(b, vec![sides[1], 4])];
    let mut all = json!({"target_modules": [module], "r": 4});
    for (key, value) in keys.as_object().expect("keys") {
        all[key] = value.clone();
    }
    let folder = folder(&all, tensors);
    Ok(model.with_adapters(folder.path())?.0)
}

/// `peft` writes the rest into the one parameter that both are; see `pissa_init`.
#[test]
fn what_pissa_takes_of_a_head_that_is_the_embedding_is_refused_by_key() {
    let names = ["lora_A.weight", "lora_B.weight"];
    of_tied(HEAD, names, json!({})).expect("plain adapters");
    let found = of_tied(HEAD, names, json!({"init_lora_weights": "pissa"}));
    let found = found.expect_err("a refusal").to_string();
    assert!(
        found.contains("key `init_lora_weights`: found \"pissa\"; this model ties its head to"),
        "{found}"
    );
}

#[test]
fn adapters_that_embedding_and_head_share_are_refused_by_key() {
    let names = ["lora_embedding_A", "lora_embedding_B"];
    let tied = |tied: bool| {
        of_tied(
            "model.embed_tokens",
            names,
            json!({"ensure_weight_tying": tied}),
        )
    };
    tied(false).expect("adapters of the embedding alone");
    let found = tied(true).expect_err("a refusal").to_string();
    assert!(
        found.contains("key `ensure_weight_tying`: found true; this model ties its head to"),
        "{found}"
    );
}

/// `peft` asks a pattern of containers of modules too, and refuses the first that matches.
#[test]
fn a_pattern_is_written_as_the_modules_that_it_adapts() {
    let config = LoraConfig {
        targets: Targets::Pattern(r"model\.layers\.0\..*(mlp|[kv]).*".into()),
        ..LoraConfig::default()
    };
    let model = llama().with_lora(&config, 0).expect("adapters");
    let dir = TempDir::new().expect("a temporary folder");
    model
        .save_adapters(dir.path(), &config, "base")
        .expect("a folder");
    let written = fs::read_to_string(dir.path().join(config::FILE)).expect("a file");
    let written: Value = serde_json::from_str(&written).expect("JSON");
    let mut modules: Vec<&str> = (written["target_modules"].as_array().expect("a list").iter())
        .filter_map(Value::as_str)
        .collect();
    modules.sort_unstable();
    let names = [
        "mlp.down_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
    ];
    assert_eq!(modules, names.map(|name| format!("model.layers.0.{name}")));
    llama().with_adapters(dir.path()).expect("what was written");
}

/// What scales, begins or ties, but neither names nor what training alone asks for.
#[test]
fn adapters_that_act_alike_say_the_same_beside_their_tensors() {
    let of = |keys: Value| {
        let folder = folder(&keys, Vec::new());
        PeftConfig::read(folder.path())
            .expect("a configuration")
            .beside_tensors()
    };
    let plain = of(json!({}));
    for keys in [
        json!({"base_model_name_or_path": "elsewhere"}),
        json!({"lora_dropout": 0.5}),
        json!({"target_modules": ["q_proj", "k_proj"], "peft_version": "1"}),
    ] {
        assert_eq!(of(keys.clone()), plain, "{keys}");
    }
    for keys in [
        json!({"lora_alpha": 3}),
        json!({"alpha_pattern": {"q_proj": 3}}),
        json!({"use_rslora": true}),
        json!({"use_dora": true}),
        json!({"init_lora_weights": "pissa"}),
        json!({"modules_to_save": ["lm_head"]}),
    ] {
        assert_ne!(of(keys.clone()), plain, "{keys}");
    }
}

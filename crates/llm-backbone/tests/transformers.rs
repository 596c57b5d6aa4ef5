//! Values and gradients equal those of `transformers` and `peft` on the same weights.
//!
//! The fixtures are written by `xtask/fixtures/make_fixtures.py`, which names the package versions.

mod support;

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use llm_backbone::{LoraConfig, LoraInit, Model, Precision, Targets, stable_id, weights};
use serde_json::Value;
use support::{fixture, logits, values};

fn expected(name: &str) -> Value {
    let path = fixture(name).join("expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn ids(value: &Value, device: &Device) -> Tensor<2, Int> {
    let rows = value.as_array().unwrap();
    let flat: Vec<i32> = flatten(value).iter().map(|v| *v as i32).collect();
    let seq = flat.len() / rows.len();
    Tensor::from_data(TensorData::new(flat, [rows.len(), seq]), device)
}

fn flatten(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(flatten).collect(),
        number => vec![number.as_f64().unwrap() as f32],
    }
}

fn assert_close(found: &[f32], expected: &[f32], relative: f32) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= relative * largest,
            "entry {i}: found {f}, expected {e}"
        );
    }
}

/// The root mean square of the differences, as a share of that of the expected values.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
    let differences = square(&mut found.iter().zip(expected).map(|(f, e)| f - e));
    (differences / square(&mut expected.iter().copied())).sqrt()
}

fn assert_logits(name: &str, path: &Path) {
    assert_logits_of(name, &Model::open(path, &Device::flex()).unwrap());
}

fn assert_logits_of(name: &str, model: &Model) {
    let device = model.device();
    let expected = expected(name);
    let ids = ids(&expected["input_ids"], &device);
    let seq = ids.dims()[1];
    let wanted = flatten(&expected["logits"]);
    assert_close(
        &values(logits(model, ids.clone(), (0, seq), None)),
        &wanted,
        1e-3,
    );

    // The same with a cache, in three parts.
    let [batch, _] = ids.dims();
    let mut cache = model.cache(batch, seq);
    let cuts = [0, seq / 2, seq - 1, seq];
    let vocab = wanted.len() / batch / seq;
    let mut parts = Vec::new();
    for part in cuts.windows(2) {
        let part_logits = logits(model, ids.clone(), (part[0], part[1]), Some(&mut cache));
        parts.push(part_logits.reshape([batch, part[1] - part[0], vocab]));
    }
    assert_close(&values(Tensor::cat(parts, 1)), &wanted, 1e-3);
}

#[test]
fn llama_with_grouped_queries_and_llama_3_rope_scaling() {
    assert_logits("llama", &fixture("llama"));
}

#[test]
fn llama_with_tied_embeddings() {
    assert_logits("llama_tied", &fixture("llama_tied"));
}

#[test]
fn llama_in_safetensors_shards() {
    assert_logits("llama_sharded", &fixture("llama_sharded"));
}

#[test]
fn llama_in_a_pytorch_file() {
    assert_logits("llama_tied_bin", &fixture("llama_tied_bin"));
}

#[test]
fn llama_in_a_gguf_file_with_permuted_heads() {
    assert_logits("llama_gguf", &fixture("llama_gguf/model.gguf"));
}

/// A 16-bit model rounds to eight bits; its adapters are in f32.
#[test]
fn models_in_16_bits_carry_adapters_on_every_layer_and_on_the_embedding() {
    let llama = "q_proj k_proj v_proj o_proj up_proj down_proj embed_tokens";
    let device = Device::flex();
    for (name, targets) in [
        ("llama", llama),
        ("llama_tied", llama),
        ("gptj", "q_proj k_proj v_proj out_proj fc_in fc_out wte"),
        ("qwen3", llama),
        ("qwen2", llama),
        ("mistral", llama),
        ("gemma3_text", llama),
        ("smollm3", llama),
        (
            "phi3",
            "qkv_proj o_proj gate_up_proj down_proj embed_tokens",
        ),
        ("olmo2", llama),
    ] {
        let lora = LoraConfig {
            targets: Targets::Names(targets.split(' ').map(String::from).collect()),
            ..LoraConfig::default()
        };
        let (config, source) = weights::open(fixture(name)).unwrap();
        let model = Model::load(&config, source.as_ref(), DType::BF16, &device).unwrap();
        let expected = expected(name);
        let ids = ids(&expected["input_ids"], &device);
        let seq = ids.dims()[1];
        let plain = values(logits(&model, ids.clone(), (0, seq), None));
        let adapted = model.with_lora(&lora, 1).unwrap();
        let wanted = flatten(&expected["logits"]);
        // Fresh adapters add nothing, merged or not.
        for model in [adapted.clone(), adapted.merged()] {
            let found = values(logits(&model, ids.clone(), (0, seq), None));
            assert_eq!(found, plain);
            let distance = distance(&found, &wanted);
            assert!(distance < 0.05, "{name}: {distance}");
        }
    }
}

#[test]
fn models_in_the_blocks_of_their_gguf_files() {
    let device = Device::flex();
    for name in GGUF_FILES {
        let (config, source) = weights::open(fixture(name).join("model.gguf")).unwrap();
        let load = |precision| Model::load(&config, source.as_ref(), precision, &device).unwrap();
        let (stored, dense) = (load(Precision::Stored), load(Precision::Dense(DType::F32)));
        assert_logits_of(name, &stored);
        assert_eq!(stored.num_base_params(), dense.num_base_params());
        // Exported and merged weights are the file's numbers.
        assert!(stored.export().eq(dense.export()));
        let lora = LoraConfig::default();
        let merged = stored.with_lora(&lora, 0).unwrap().merged();
        assert!(merged.export().eq(dense.export()));
    }
}

/// Every GGUF file of the fixtures.
const GGUF_FILES: [&str; 8] = [
    "llama_gguf",
    "qwen3_gguf",
    "qwen2_gguf",
    "mistral_gguf",
    "gemma3_text_gguf",
    "smollm3_gguf",
    "phi3_gguf",
    "olmo2_gguf",
];

#[test]
fn gguf_files_of_every_family() {
    for name in GGUF_FILES {
        assert_logits(name, &fixture(name).join("model.gguf"));
    }
}

#[test]
fn qwen2_with_biases_and_a_sliding_window_in_one_block() {
    assert_logits("qwen2", &fixture("qwen2"));
}

#[test]
fn mistral_with_a_sliding_window() {
    assert_logits("mistral", &fixture("mistral"));
}

#[test]
fn gemma_3_with_local_and_global_blocks() {
    assert_logits("gemma3_text", &fixture("gemma3_text"));
}

#[test]
fn smollm3_with_a_block_without_rotary_positions() {
    assert_logits("smollm3", &fixture("smollm3"));
}

#[test]
fn phi_3_with_fused_layers_partial_rotation_and_longrope() {
    assert_logits("phi3", &fixture("phi3"));
}

#[test]
fn olmo_2_with_norms_behind() {
    assert_logits("olmo2", &fixture("olmo2"));
}

/// A model that a folder or a GGUF file describes is written as a folder that reads back to the same.
#[test]
fn every_model_is_written_as_a_folder_of_the_same_logits() {
    let folders = ["llama", "gptj", "qwen3", "qwen2", "mistral"];
    let more = ["gemma3_text", "smollm3", "phi3", "olmo2"];
    let device = Device::flex();
    for name in folders.into_iter().chain(more).chain(GGUF_FILES) {
        let path = match name.strip_suffix("_gguf") {
            Some(_) => fixture(name).join("model.gguf"),
            None => fixture(name),
        };
        let model = Model::open(&path, &device).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let weights = dir.path().join("model.safetensors");
        model.save_weights(&weights, DType::F32).unwrap();
        let config = model.config().to_hf_json().to_string();
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        assert_logits(name, dir.path());
    }
}

/// What soft tokens may start from is as large as what blocks take in.
#[test]
fn the_vocabulary_is_what_embedding_makes_of_every_token() {
    for name in ["gemma3_text", "llama"] {
        let model = Model::open(&fixture(name), &Device::flex()).unwrap();
        let ids: Vec<u32> = (0..64).collect();
        let embedded = model.embed(support::sequence(&ids, &model.device()));
        assert_eq!(values(model.vocabulary()), values(embedded), "{name}");
    }
    // The stored row times sqrt(32).
    let model = Model::open(&fixture("gemma3_text"), &Device::flex()).unwrap();
    let (_, _, stored) = model.export().next().unwrap();
    let expected = stored[7] * 32f32.sqrt();
    assert!((values(model.vocabulary())[7] - expected).abs() < 1e-6);
}

#[test]
fn gpt_j() {
    assert_logits("gptj", &fixture("gptj"));
}

#[test]
fn qwen3_with_heads_wider_than_the_stream() {
    assert_logits("qwen3", &fixture("qwen3"));
}

#[test]
fn qwen3_with_a_sliding_window_in_one_block() {
    assert_logits("qwen3_window", &fixture("qwen3_window"));
}

#[test]
fn qwen3_in_a_gguf_file_with_a_tied_head() {
    assert_logits("qwen3_gguf", &fixture("qwen3_gguf/model.gguf"));
}

fn assert_lora(name: &str, device: &Device) {
    let device = device.clone().autodiff();
    let expected = expected(name);
    let base = fixture(name).join(expected["base"].as_str().unwrap());
    let model = Model::open(&base, &device).unwrap();
    let (model, _) = model.with_adapters(&fixture(name)).unwrap();
    let ids = ids(&expected["input_ids"], &device);
    let [batch, seq] = ids.dims();
    let logits_found = logits(&model, ids.clone(), (0, seq), None);
    assert_close(
        &values(logits_found.clone()),
        &flatten(&expected["logits"]),
        1e-3,
    );
    let merged = model.clone().merged();
    assert_close(
        &values(logits(&merged, ids, (0, seq), None)),
        &flatten(&expected["logits"]),
        1e-3,
    );

    assert_gradients(&model, logits_found, &expected, batch * seq);
}

/// The loss of these logits, and the gradients of every adapter.
fn assert_gradients(model: &Model, logits: Tensor<2>, expected: &Value, count: usize) {
    let labels: Vec<i32> = flatten(&expected["labels"])
        .iter()
        .map(|v| *v as i32)
        .collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [count]), &logits.device());
    let all = burn::tensor::activation::log_softmax(logits, 1);
    let loss = all.gather(1, labels.reshape([count, 1])).mean().neg();
    let wanted = expected["loss"].as_f64().unwrap();
    assert!((f64::from(loss.clone().into_scalar::<f32>()) - wanted).abs() < 1e-4);
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let wanted = expected["gradients"].as_object().unwrap();
    assert_eq!(
        gradients.len(),
        wanted.len(),
        "only adapters have gradients"
    );
    for (tensor, wanted) in wanted {
        // base_model.model.<module>.lora_A.weight
        let module = tensor
            .trim_start_matches("base_model.model.")
            .trim_end_matches(".weight")
            .replace("lora_embedding_", "lora_");
        let id = stable_id(&module);
        let found = match module.ends_with("lora_magnitude_vector") {
            true => values(gradients.get::<1>(id).unwrap()),
            false => values(gradients.get::<2>(id).unwrap().transpose()),
        };
        assert_close(&found, &flatten(wanted), 1e-3);
    }
}

#[test]
fn lora_on_llama_equals_peft_in_value_and_gradient() {
    assert_lora("lora", &Device::flex());
}

#[test]
fn lora_on_gpt_j_equals_peft_in_value_and_gradient() {
    assert_lora("lora_gptj", &Device::flex());
}

#[test]
fn lora_on_qwen3_equals_peft_in_value_and_gradient() {
    assert_lora("lora_qwen3", &Device::flex());
}

#[test]
fn lora_on_qwen2_equals_peft_in_value_and_gradient() {
    assert_lora("lora_qwen2", &Device::flex());
}

#[test]
fn lora_on_gemma_3_equals_peft_in_value_and_gradient() {
    assert_lora("lora_gemma3_text", &Device::flex());
}

#[test]
fn lora_on_the_fused_layers_of_phi_3_equals_peft_in_value_and_gradient() {
    assert_lora("lora_phi3", &Device::flex());
}

/// Patterns, regular expressions, saved modules, tied and untied embeddings, rows of tokens, biases, `.bin` files, DoRA, PiSSA, adapters
/// of embeddings and heads.
#[test]
fn adapters_of_every_kind_equal_peft_merged_and_saved_again() {
    let device = Device::flex();
    for entry in std::fs::read_dir(fixture("adapters")).unwrap() {
        let name = format!("adapters/{}", entry.unwrap().file_name().display());
        let expected = expected(&name);
        let base = fixture(&name).join(expected["base"].as_str().unwrap());
        let base = Model::open(&base, &device).unwrap();
        let (model, config) = base.clone().with_adapters(&fixture(&name)).unwrap();
        let ids = ids(&expected["input_ids"], &device);
        let [_, seq] = ids.dims();
        let wanted = flatten(&expected["logits"]);
        let assert_equal = |model: &Model| {
            let found = logits(model, ids.clone(), (0, seq), None);
            assert_close(&values(found), &wanted, 1e-3);
        };
        assert_equal(&model);
        if expected["gradients"].is_object() {
            let device = device.clone().autodiff();
            let base = fixture(&name).join(expected["base"].as_str().unwrap());
            let base = Model::open(&base, &device).unwrap();
            let (model, _) = base.with_adapters(&fixture(&name)).unwrap();
            let ids = ids.clone().autodiff();
            let logits = logits(&model, ids, (0, seq), None);
            assert_gradients(&model, logits, &expected, seq);
        }

        // What is written of it is the same adapter, for `peft` and for us.
        let dir = tempfile::tempdir().unwrap();
        model.save_adapters(dir.path(), &config, "base").unwrap();
        let bare = model.clone().without_adapters();
        assert_equal(&bare.with_adapters(dir.path()).unwrap().0);

        // A merged model keeps its logits in a folder of its own.
        let merged = model.merged();
        assert_equal(&merged);
        let dir = tempfile::tempdir().unwrap();
        let weights = dir.path().join("model.safetensors");
        weights::write_safetensors(&weights, merged.export()).unwrap();
        let config = merged.config().to_hf_json().to_string();
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        assert_equal(&Model::open(dir.path(), &device).unwrap());
    }
}

/// The tests above on a GPU.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn assert_all(device: &Device) {
    for name in support::MODELS {
        assert_logits_of(name, &Model::open(&fixture(name), device).unwrap());
    }
    for name in [
        "lora",
        "lora_gptj",
        "lora_qwen3",
        "lora_qwen2",
        "lora_gemma3_text",
        "lora_phi3",
    ] {
        assert_lora(name, device);
    }
}

#[cfg(feature = "cuda")]
#[test]
fn cuda_equals_transformers_and_peft() {
    assert_all(&Device::cuda(0));
}

/// On whatever GPU wgpu finds, a driver in software included (Mesa's `lavapipe`).
#[cfg(feature = "wgpu")]
#[test]
fn wgpu_equals_transformers_and_peft() {
    assert_all(&Device::wgpu(burn::tensor::DeviceKind::DefaultDevice));
}

#[test]
fn exported_adapters_read_back_to_the_same_tensors() {
    let device = Device::flex();
    let (model, config) = Model::open(&fixture("llama"), &device)
        .unwrap()
        .with_adapters(&fixture("lora"))
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    model
        .save_adapters(dir.path(), &config, "somewhere/llama")
        .unwrap();
    let (again, config_again) = Model::open(&fixture("llama"), &device)
        .unwrap()
        .with_adapters(dir.path())
        .unwrap();
    assert_eq!(config, config_again);
    assert_eq!(model.adapter_tensors(), again.adapter_tensors());
}

/// PiSSA's change by rounding alone.
#[test]
fn new_adapters_of_every_kind_change_nothing_and_come_back_to_the_bit() {
    let device = Device::flex();
    let plain = LoraConfig {
        rank: 4,
        targets: Targets::Names(
            ["q_proj", "embed_tokens", "lm_head"]
                .map(String::from)
                .into(),
        ),
        ..Default::default()
    };
    let dora = LoraConfig {
        use_dora: true,
        use_rslora: true,
        ..plain.clone()
    };
    let pissa = LoraConfig {
        init_lora_weights: LoraInit::Pissa,
        ..dora.clone()
    };
    for name in ["llama", "llama_tied"] {
        let base = Model::open(&fixture(name), &device).unwrap();
        let ids = ids(&expected(name)["input_ids"], &device);
        let seq = ids.dims()[1];
        let of = |model: &Model| values(logits(model, ids.clone(), (0, seq), None));
        let before = of(&base);
        for (config, tolerance) in [(&plain, 0.0), (&dora, 1e-6), (&pissa, 1e-5)] {
            let model = base.clone().with_lora(config, 1).unwrap();
            assert_close(&of(&model), &before, tolerance);
            // As a checkpoint keeps them, and as others read them.
            let again = base
                .clone()
                .with_adapter_tensors(config, "again", model.adapter_tensors())
                .unwrap();
            assert_eq!(model.adapter_tensors(), again.adapter_tensors());
            assert_eq!(of(&model), of(&again));
            let dir = tempfile::tempdir().unwrap();
            model.save_adapters(dir.path(), config, "base").unwrap();
            let (read, _) = base.clone().with_adapters(dir.path()).unwrap();
            assert_eq!(model.adapter_tensors(), read.adapter_tensors());
            assert_eq!(of(&model.without_adapters()), before);
        }
    }
}

#[test]
fn new_adapters_change_nothing_and_the_base_stays_frozen() {
    let device = Device::flex().autodiff();
    let base = Model::open(&fixture("gptj"), &device).unwrap();
    let config = LoraConfig {
        targets: Targets::Names(vec!["q_proj".into(), "wte".into()]),
        ..Default::default()
    };
    let model = base.clone().with_lora(&config, 1).unwrap();
    let expected = expected("gptj");
    let ids = ids(&expected["input_ids"], &device);
    let seq = ids.dims()[1];
    let before = values(logits(&base, ids.clone(), (0, seq), None));
    assert_eq!(before, values(logits(&model, ids, (0, seq), None)));

    #[derive(Default)]
    struct Trainable(usize);
    impl ModuleVisitor for Trainable {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.val().is_require_grad() {
                self.0 += param.val().shape().num_elements();
            }
        }
    }
    let mut trainable = Trainable::default();
    model.visit(&mut trainable);
    assert_eq!(trainable.0, model.num_adapter_params());
    // Two layers of q_proj (32 x 8 twice) and wte (64 x 8 and 8 x 32).
    assert_eq!(trainable.0, 2 * (32 * 8 * 2) + 64 * 8 + 8 * 32);
}

/// burn finds weights by going through every field; what is listed by name must be all of them, each once.
#[test]
fn every_weight_is_named_once() {
    for name in [
        "llama",
        "llama_tied",
        "gptj",
        "qwen3",
        "qwen2",
        "mistral",
        "gemma3_text",
        "smollm3",
        "phi3",
        "olmo2",
    ] {
        let model = Model::open(&fixture(name), &Device::flex()).unwrap();
        let (_, source) = weights::open(fixture(name)).unwrap();
        let mut names: Vec<String> = model.export().map(|(name, ..)| name).collect();
        names.sort();
        assert_eq!(names, source.names(), "{name}");
        assert_eq!(model.num_base_params(), model.num_params(), "{name}");
    }
}

#[test]
fn targets_that_match_nothing_are_an_error_that_shows_a_module() {
    let model = Model::open(&fixture("llama"), &Device::flex()).unwrap();
    let config = LoraConfig {
        targets: Targets::Names(vec!["c_attn".into()]),
        ..Default::default()
    };
    let error = model.with_lora(&config, 0).unwrap_err().to_string();
    assert!(
        error.contains("c_attn") && error.contains("down_proj"),
        "{error}"
    );
}

#[test]
fn log_probs_equal_the_full_softmax_in_value_and_gradient() {
    let device = Device::flex().autodiff();
    for name in ["llama_tied", "gptj", "qwen3", "gemma3_text"] {
        let model = Model::open(&fixture(name), &device).unwrap();
        let d = model.d_model();
        let hidden = Tensor::<2>::from_data(
            TensorData::new((0..300 * d).map(|i| (i as f32).sin()).collect(), [300, d]),
            &device,
        )
        .require_grad();
        let targets: Vec<i32> = (0..300).map(|i| i % 64).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [300]), &device);
        let weights = Tensor::<1>::from_data(
            TensorData::new((0..300).map(|i| (i as f32).cos()).collect(), [300]),
            &device,
        );
        let (fused, squares) = model.log_probs_and_squares(hidden.clone(), targets.clone());
        let all = burn::tensor::activation::log_softmax(model.logits(hidden.clone()), 1);
        let expected = all.clone().exp().square().sum_dim(1).log();
        assert_close(&values(squares), &values(expected.reshape([300])), 1e-5);
        assert_eq!(
            values(model.log_probs(hidden.clone(), targets.clone())),
            values(fused.clone())
        );
        let full = all.gather(1, targets.reshape([300, 1])).reshape([300]);
        assert_close(&values(fused.clone()), &values(full.clone()), 1e-5);
        let gradient = |y: Tensor<1>| {
            let grads = (y * weights.clone()).sum().backward();
            values(hidden.grad(&grads).unwrap())
        };
        assert_close(&gradient(fused), &gradient(full), 1e-4);
    }
}

#[test]
fn log_probs_at_a_temperature_are_those_of_divided_logits() {
    let device = Device::flex().autodiff();
    // The head of GPT-J has a bias.
    for name in ["llama_tied", "gptj"] {
        let model = Model::open(&fixture(name), &device).unwrap();
        let d = model.d_model();
        let states = (0..150 * d).map(|i| (i as f32).sin()).collect();
        let hidden = Tensor::<2>::from_data(TensorData::new(states, [150, d]), &device);
        let hidden = hidden.require_grad();
        let targets: Vec<i32> = (0..150).map(|i| i % 64).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [150]), &device);
        let divided = model.logits(hidden.clone()) / 0.7;
        let all = burn::tensor::activation::log_softmax(divided, 1);
        let full = all
            .gather(1, targets.clone().reshape([150, 1]))
            .reshape([150]);
        let found = model.log_probs_at(hidden.clone(), targets, 0.7);
        assert_close(&values(found.clone()), &values(full.clone()), 1e-5);
        let gradient = |y: Tensor<1>| {
            let weights = Tensor::<1, Int>::arange(0..150, &device).float().cos();
            values(hidden.grad(&(y * weights).sum().backward()).unwrap())
        };
        assert_close(&gradient(found), &gradient(full), 1e-4);
    }
}

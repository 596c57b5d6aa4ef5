use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Model;
use crate::model::Precision;
use crate::weights::{self, write_safetensors};

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

fn fixture(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(name)
}

/// A fixture whose tensors and configuration were changed.
fn changed(name: &str, tensors: impl Fn(&mut Tensors), config: impl Fn(&mut Value)) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let (_, source) = weights::open(fixture(name)).expect("a good fixture");
    let all = source.names().into_iter().map(|name| {
        let shape = source.shape(&name).expect("there");
        let values = source.read(&name).expect("there");
        (name, shape, values)
    });
    let mut all: Tensors = all.collect();
    tensors(&mut all);
    write_safetensors(folder.path().join("model.safetensors"), all).expect("a file");
    let text = std::fs::read_to_string(fixture(name).join("config.json")).expect("a file");
    let mut json = serde_json::from_str(&text).expect("JSON");
    config(&mut json);
    std::fs::write(folder.path().join("config.json"), json.to_string()).expect("a file");
    folder
}

fn loaded(folder: &TempDir, precision: Precision) -> Result<Model, weights::WeightError> {
    let (config, source) = weights::open(folder.path())?;
    Model::load(&config, source.as_ref(), precision, &Device::flex())
}

fn error(folder: &TempDir) -> String {
    let error = loaded(folder, Precision::Dense(DType::F32));
    error.expect_err("a refusal").to_string()
}

/// What is told of the tensors that are not read.
fn told(folder: &TempDir) -> Vec<String> {
    let model = loaded(folder, Precision::Dense(DType::F32)).expect("a good model");
    let used = model.weights().into_iter().map(|(name, _)| name).collect();
    let (config, source) = weights::open(folder.path()).expect("a good folder");
    let layers = config.sizes().num_layers;
    super::unread(source.as_ref(), &used, layers).expect("no further layers")
}

fn named(name: &str, shape: &[usize]) -> (String, Vec<usize>, Vec<f32>) {
    let count = shape.iter().product();
    (name.into(), shape.to_vec(), vec![0.5; count])
}

#[test]
fn models_with_another_head_are_refused_by_class_and_by_tensor() {
    for class in [
        "LlamaForSequenceClassification",
        "LlamaForTokenClassification",
        "LlamaModel",
    ] {
        let folder = changed(
            "llama",
            |_| {},
            |json| json["architectures"] = json!([class]),
        );
        let error = error(&folder);
        let says = error.contains("architectures") && error.contains(class);
        assert!(says && error.contains("LlamaForCausalLM"), "{error}");
    }
    for head in ["score.weight", "classifier.weight", "qa_outputs.weight"] {
        for fixture in ["llama", "llama_tied"] {
            let change = |tensors: &mut Tensors| {
                tensors.retain(|(name, ..)| name != "lm_head.weight");
                tensors.push(named(head, &[1, 32]));
            };
            let folder = changed(fixture, change, |json| {
                json.as_object_mut()
                    .expect("an object")
                    .remove("architectures");
            });
            let error = error(&folder);
            assert!(
                error.contains(head) && error.contains("classifies or scores"),
                "{error}"
            );
        }
    }
}

#[test]
fn tensors_of_layers_that_the_configuration_does_not_have_are_refused() {
    let folder = changed("llama", |_| {}, |json| json["num_hidden_layers"] = json!(1));
    let error = error(&folder);
    let first = "`model.layers.1.input_layernorm.weight` and 8 more tensors of layer 1 and above";
    assert!(
        error.contains(first) && error.contains("has 1 layers"),
        "{error}"
    );
}

#[test]
fn unknown_tensors_are_counted_and_known_buffers_pass() {
    let add = |tensors: &mut Tensors| {
        tensors.push(named("model.layers.0.self_attn.rotary_emb.inv_freq", &[4]));
        tensors.push(named("v_head.summary.weight", &[1, 32]));
        tensors.push(named("model.layers.0.self_attn.q_proj.bias", &[32]));
    };
    let told = told(&changed("llama", add, |_| {}));
    assert_eq!(
        told,
        [
            "2 tensor(s) are not read, for this kind of model has no place for them: \
          `model.layers.0.self_attn.q_proj.bias`, `v_head.summary.weight`"
        ]
    );
    assert!(self::told(&changed("llama", |_| {}, |_| {})).is_empty());
}

#[test]
fn a_head_beside_a_tied_embedding_is_told_where_it_differs() {
    let copy = |by: f32| {
        move |tensors: &mut Tensors| {
            let is_embedding =
                |t: &&(String, Vec<usize>, Vec<f32>)| t.0.ends_with("embed_tokens.weight");
            let (_, shape, mut values) = tensors.iter().find(is_embedding).expect("there").clone();
            values[7] += by;
            tensors.push(("lm_head.weight".into(), shape, values));
        }
    };
    assert!(told(&changed("llama_tied", copy(0.0), |_| {})).is_empty());
    let told = told(&changed("llama_tied", copy(1.0), |_| {}));
    assert!(
        told.len() == 1 && told[0].contains("differs from `model.embed_tokens.weight`"),
        "{told:?}"
    );
}

#[test]
fn a_matrix_of_zeros_is_refused_unless_its_block_adds_to_the_stream() {
    let zeros = |wanted: &'static str| {
        move |tensors: &mut Tensors| {
            let tensor = tensors.iter_mut().find(|(name, ..)| name == wanted);
            tensor.expect("there").2.fill(0.0);
        }
    };
    let (q, o) = (
        "model.layers.1.self_attn.q_proj.weight",
        "model.layers.1.self_attn.o_proj.weight",
    );
    for precision in [Precision::Dense(DType::F32), Precision::Stored] {
        let refused = loaded(&changed("llama", zeros(q), |_| {}), precision);
        let error = refused.expect_err("a refusal").to_string();
        assert!(error.contains(q) && error.contains("zeros only"), "{error}");
        loaded(&changed("llama", zeros(o), |_| {}), precision).expect("a block that adds nothing");
    }
}

#[test]
fn adapters_in_the_folder_of_a_model_are_refused() {
    let folder = changed("llama", |_| {}, |_| {});
    std::fs::write(folder.path().join("adapter_config.json"), "{}").expect("a file");
    let error = error(&folder);
    assert!(
        error.contains("a model and adapters (adapter_config.json)"),
        "{error}"
    );
}

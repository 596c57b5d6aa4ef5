//! Tensors of a file that no part of the model takes: those of another model are an error, all others are told.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hasher};

use super::{WeightError, WeightSource};
use crate::model::HEAD;

/// Heads that do not write: what they belong to classifies, scores or marks passages.
const OTHER_HEADS: [&str; 6] = [
    "score",
    "classifier",
    "qa_outputs",
    "regression_head",
    "reward_head",
    "rm_head",
];

/// Ends of names of what some versions of `transformers` saved, and what follows from the configuration.
const BUFFERS: [&str; 7] = [
    ".rotary_emb.inv_freq",
    ".rotary_emb.cos_cached",
    ".rotary_emb.sin_cached",
    ".attn.bias",
    ".attn.masked_bias",
    ".attn.embed_positions",
    ".attention.masked_bias",
];

/// What helps with a model that does not write.
pub(crate) const WRITERS: &str =
    "a language model writes (…ForCausalLM): use the one that this one was made of";

/// Refuses the weights of a model that classifies or scores.
///
/// # Errors
/// Names the head's tensor.
pub(super) fn refuse_other_heads(source: &dyn WeightSource) -> Result<(), WeightError> {
    if source.contains(&format!("{HEAD}.weight")) {
        return Ok(());
    }
    let names = source.names();
    let is_of_head = |name: &&String| name.split('.').any(|part| OTHER_HEADS.contains(&part));
    match names.iter().find(is_of_head) {
        Some(name) => {
            let found = format!(
                "no language model, for `{name}` is the head of one that classifies or scores"
            );
            Err(WeightError::something_else(source.path(), found, WRITERS))
        }
        None => Ok(()),
    }
}

/// Looks at the tensors that are not among `used`: those of layers that the model does not have are an error, those that carry
/// nothing pass, all others are to be told, with their number.
///
/// # Errors
/// Names the first tensor of a further layer.
pub(crate) fn unread(
    source: &dyn WeightSource,
    used: &HashSet<String>,
    layers: usize,
) -> Result<Vec<String>, WeightError> {
    let mut told = Vec::new();
    let names = source.names().into_iter();
    let (mut left, mut further) = (Vec::new(), BTreeSet::new());
    for name in names.filter(|name| !used.contains(name)) {
        match layer_of(&name, used) {
            Some(layer) => {
                further.insert((layer, name));
            }
            None if BUFFERS.iter().any(|end| name.ends_with(end)) => {}
            None if name == format!("{HEAD}.weight") => told.extend(tied_head(source, used)?),
            None => left.push(name),
        }
    }
    if let Some((layer, name)) = further.first() {
        let found = format!(
            "`{name}` and {} more tensors of layer {layer} and above (counted from 0), where the configuration has {layers} layers",
            further.len() - 1
        );
        let next = "config.json and weights are of two models: get both anew";
        return Err(WeightError::something_else(source.path(), found, next));
    }
    if !left.is_empty() {
        // A bias that is left out changes what the model computes: those of known modules come first.
        left.sort_by_key(|name| !is_of_module(name, used));
        told.push(format!(
            "{} tensor(s) are not read, for this kind of model has no place for them: {}",
            left.len(),
            super::error::some_of(&left)
        ));
    }
    Ok(told)
}

fn is_of_module(name: &str, used: &HashSet<String>) -> bool {
    let module = name.rsplit_once('.').map_or(name, |(module, _)| module);
    used.contains(&format!("{module}.weight"))
}

/// The number of the layer that a tensor belongs to, where the model has the same in its first layer.
fn layer_of(name: &str, used: &HashSet<String>) -> Option<u64> {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |at: usize| parts[at].parse::<u64>().ok();
    (0..parts.len()).find_map(|at| {
        let layer = number(at)?;
        let mut first = parts.clone();
        first[at] = "0";
        used.contains(&first.join(".")).then_some(layer)
    })
}

/// A head beside an embedding that is tied to it is most often a copy; what is to be told where it is not.
fn tied_head(
    source: &dyn WeightSource,
    used: &HashSet<String>,
) -> Result<Option<String>, WeightError> {
    let hash = |name: &str| -> Result<u64, WeightError> {
        let mut hasher = DefaultHasher::new();
        let values = source.read(name)?;
        values
            .iter()
            .for_each(|value| hasher.write_u32(value.to_bits()));
        Ok(hasher.finish())
    };
    let head = format!("{HEAD}.weight");
    let mut embeddings = used.iter().filter(|name| is_embedding(name));
    Ok(match embeddings.next() {
        Some(embedding) if hash(&head)? != hash(embedding)? => Some(format!(
            "`{head}` is not read, though it differs from `{embedding}`: the configuration ties the two (`tie_word_embeddings`)"
        )),
        _ => None,
    })
}

fn is_embedding(name: &str) -> bool {
    [".embed_tokens.weight", ".wte.weight"]
        .iter()
        .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
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
        let first =
            "`model.layers.1.input_layernorm.weight` and 8 more tensors of layer 1 and above";
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
                let (_, shape, mut values) =
                    tensors.iter().find(is_embedding).expect("there").clone();
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
            loaded(&changed("llama", zeros(o), |_| {}), precision)
                .expect("a block that adds nothing");
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
}

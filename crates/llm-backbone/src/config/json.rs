//! `config.json` as Hugging Face writes it, old (`rope_theta`, `rope_scaling`) and new (`rope_parameters`).

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ConfigError, GptJConfig, Llama3Scaling, LlamaConfig, ModelConfig};
use super::{SUPPORTED_ARCHITECTURES, key_error};

#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
}

/// One id, several, or none: `eos_token_id` may be any of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Deserialize)]
struct LlamaFile {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    max_position_embeddings: Option<usize>,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    hidden_act: Option<String>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<Ids>,
}

#[derive(Deserialize)]
struct GptJFile {
    vocab_size: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: Option<usize>,
    rotary_dim: usize,
    n_positions: usize,
    layer_norm_epsilon: Option<f64>,
    activation_function: Option<String>,
    #[serde(default)]
    tie_word_embeddings: bool,
    bos_token_id: Option<u32>,
    eos_token_id: Option<Ids>,
}

pub(super) fn model_config(text: &str, file: &Path) -> Result<ModelConfig, ConfigError> {
    let kind: Kind = parse(text, file)?;
    let named = kind.model_type.clone().or_else(|| {
        let first = kind.architectures.as_ref()?.first()?;
        Some(first.trim_end_matches("ForCausalLM").to_lowercase())
    });
    let config = match named.as_deref() {
        Some("llama") => ModelConfig::Llama(llama(parse(text, file)?, file)?),
        Some("gptj") => ModelConfig::GptJ(gptj(parse(text, file)?, file)?),
        other => {
            return Err(ConfigError::Architecture {
                file: file.to_owned(),
                found: other.map_or("no `model_type`".to_owned(), |name| format!("`{name}`")),
                supported: SUPPORTED_ARCHITECTURES.join(", "),
            });
        }
    };
    config.validate(file)?;
    Ok(config)
}

fn parse<T: DeserializeOwned>(text: &str, file: &Path) -> Result<T, ConfigError> {
    serde_json::from_str(text).map_err(|source| ConfigError::Json {
        file: file.to_owned(),
        source,
    })
}

fn llama(raw: LlamaFile, file: &Path) -> Result<LlamaConfig, ConfigError> {
    must_be(file, "attention_bias", raw.attention_bias, false)?;
    must_be(file, "mlp_bias", raw.mlp_bias, false)?;
    let activation = raw.hidden_act.unwrap_or("silu".to_owned());
    must_be(file, "hidden_act", activation.as_str(), "silu")?;
    let (theta, rope_scaling) = rope(&raw.rope_scaling, &raw.rope_parameters, file)?;
    let head_dim = match raw.head_dim {
        Some(width) => width,
        None => default_head_dim(raw.hidden_size, raw.num_attention_heads, file)?,
    };
    Ok(LlamaConfig {
        vocab_size: raw.vocab_size,
        hidden_size: raw.hidden_size,
        intermediate_size: raw.intermediate_size,
        num_hidden_layers: raw.num_hidden_layers,
        num_attention_heads: raw.num_attention_heads,
        num_key_value_heads: raw.num_key_value_heads.unwrap_or(raw.num_attention_heads),
        head_dim,
        rms_norm_eps: raw.rms_norm_eps.unwrap_or(1e-6),
        rope_theta: theta.or(raw.rope_theta).unwrap_or(10_000.0),
        rope_scaling,
        max_position_embeddings: raw.max_position_embeddings.unwrap_or(2048),
        tie_word_embeddings: raw.tie_word_embeddings,
        bos_token_id: raw.bos_token_id,
        eos_token_ids: ids(raw.eos_token_id),
    })
}

fn gptj(raw: GptJFile, file: &Path) -> Result<GptJConfig, ConfigError> {
    let activation = raw.activation_function.unwrap_or("gelu_new".to_owned());
    must_be(file, "activation_function", activation.as_str(), "gelu_new")?;
    Ok(GptJConfig {
        vocab_size: raw.vocab_size,
        n_embd: raw.n_embd,
        n_layer: raw.n_layer,
        n_head: raw.n_head,
        n_inner: raw.n_inner.unwrap_or(raw.n_embd.saturating_mul(4)),
        rotary_dim: raw.rotary_dim,
        n_positions: raw.n_positions,
        layer_norm_epsilon: raw.layer_norm_epsilon.unwrap_or(1e-5),
        tie_word_embeddings: raw.tie_word_embeddings,
        bos_token_id: raw.bos_token_id,
        eos_token_ids: ids(raw.eos_token_id),
    })
}

/// `hidden_size / num_attention_heads`, which must come out even.
pub(super) fn default_head_dim(
    hidden: usize,
    heads: usize,
    file: &Path,
) -> Result<usize, ConfigError> {
    if heads == 0 || !hidden.is_multiple_of(heads) {
        let expected = format!("a divisor of hidden_size {hidden}");
        return Err(key_error(file, "num_attention_heads", heads, expected));
    }
    Ok(hidden / heads)
}

/// The rotary base, where `rope_parameters` or `rope_scaling` names one, and the scaling.
fn rope(
    scaling: &Option<Value>,
    parameters: &Option<Value>,
    file: &Path,
) -> Result<(Option<f64>, Option<Llama3Scaling>), ConfigError> {
    let (key, Some(table)) = (match parameters {
        Some(_) => ("rope_parameters", parameters),
        None => ("rope_scaling", scaling),
    }) else {
        return Ok((None, None));
    };
    let theta = table.get("rope_theta").and_then(Value::as_f64);
    let kind = table.get("rope_type").or_else(|| table.get("type"));
    match kind.and_then(Value::as_str) {
        Some("llama3") => {
            let scaling = Llama3Scaling::deserialize(table)
                .map_err(|error| key_error(file, key, error, "the four numbers of `llama3`"))?;
            Ok((theta, Some(scaling)))
        }
        Some("default") => Ok((theta, None)),
        None if kind.is_none() && key == "rope_parameters" => Ok((theta, None)),
        _ => {
            let found = kind.cloned().unwrap_or(Value::Null);
            let key = format!("{key}.rope_type");
            Err(key_error(file, &key, found, "`default` or `llama3`"))
        }
    }
}

fn must_be<T: PartialEq + std::fmt::Display>(
    file: &Path,
    key: &str,
    found: T,
    only: T,
) -> Result<(), ConfigError> {
    if found == only {
        return Ok(());
    }
    Err(key_error(
        file,
        key,
        found,
        format!("{only} (nothing else is supported)"),
    ))
}

fn ids(raw: Option<Ids>) -> Vec<u32> {
    match raw {
        None => Vec::new(),
        Some(Ids::One(id)) => vec![id],
        Some(Ids::Many(ids)) => ids,
    }
}

/// `eos_token_id` as `config.json` writes it: null, a number, or a list.
pub(super) fn eos_value(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [id] => json!(id),
        _ => json!(ids),
    }
}

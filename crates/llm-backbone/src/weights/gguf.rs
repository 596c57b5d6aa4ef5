//! A Llama in a GGUF file, under Hugging Face names and in the Hugging Face layout.

use std::collections::BTreeMap;
use std::path::Path;

use super::{WeightError, WeightSource};
use crate::config::{Llama3Scaling, LlamaConfig, ModelConfig};
use crate::gguf::{GgufFile, TensorInfo, TensorType};
use crate::stored::StoredMatrix;

/// The tensor that holds the divisors of Llama 3's rotary frequencies.
const ROPE_DIVISORS: &str = "rope_freqs.weight";

/// The tensors of a GGUF file.
#[derive(Debug)]
pub struct GgufWeights {
    file: GgufFile,
    /// Hugging Face name to index in the file's list.
    places: BTreeMap<String, usize>,
    heads: usize,
    kv_heads: usize,
}

impl GgufWeights {
    /// Opens a GGUF file and reads the model's shape from it.
    ///
    /// # Errors
    ///
    /// [`WeightError`] if the file is malformed, or holds a model or a tensor that this crate does not know.
    pub fn open(path: impl AsRef<Path>) -> Result<(ModelConfig, Self), WeightError> {
        let file = GgufFile::open(path)?;
        let ModelConfig::Llama(mut config) = ModelConfig::from_gguf(file.metadata(), file.path())?
        else {
            // invariant: `from_gguf` knows Llama only and fails on everything else.
            return Err(WeightError::unsupported(
                file.path(),
                "model",
                "another",
                "llama",
            ));
        };
        let places = places(&file)?;
        config.tie_word_embeddings = !places.contains_key("lm_head.weight");
        config.rope_scaling = rope_scaling(&file, &config)?;
        let weights = Self {
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            places,
            file,
        };
        Ok((ModelConfig::Llama(config), weights))
    }

    /// The file behind the weights, for its metadata (a tokenizer, a chat template).
    pub fn file(&self) -> &GgufFile {
        &self.file
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, WeightError> {
        match self.places.get(name) {
            Some(index) => Ok(&self.file.tensors()[*index]),
            None => Err(WeightError::missing(self.file.path(), name, self.names())),
        }
    }

    /// A tensor's numbers or bytes with its rows in the Hugging Face order.
    fn in_order<T: Copy>(
        &self,
        name: &str,
        info: &TensorInfo,
        content: Vec<T>,
    ) -> Result<Vec<T>, WeightError> {
        let heads = if name.ends_with("self_attn.q_proj.weight") {
            self.heads
        } else if name.ends_with("self_attn.k_proj.weight") {
            self.kv_heads
        } else {
            return Ok(content);
        };
        let rows = info.shape.first().copied().unwrap_or(0);
        if heads == 0 || !rows.is_multiple_of(2 * heads) {
            let item = format!("tensor `{}`", info.name);
            let expected = format!("{heads} heads of an even width");
            let found = format!("{rows} rows");
            return Err(WeightError::malformed(self.path(), item, found, expected));
        }
        Ok(unpermute(&content, rows, heads))
    }
}

impl WeightSource for GgufWeights {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightError> {
        Ok(self.info(name)?.shape.clone())
    }

    fn storage(&self, name: &str) -> Result<String, WeightError> {
        Ok(self.info(name)?.kind.to_string())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        let info = self.info(name)?;
        let numbers = self.file.read(info)?;
        self.in_order(name, info, numbers)
    }

    fn stored(&self, name: &str) -> Result<Option<StoredMatrix>, WeightError> {
        let info = self.info(name)?;
        let &[rows, columns] = info.shape.as_slice() else {
            return Ok(None);
        };
        if info.kind == TensorType::F32 {
            return Ok(None);
        }
        // Rows are whole blocks, so that they can change places as they are.
        let bytes = self.in_order(name, info, self.file.read_raw(info)?)?;
        Ok(StoredMatrix::new(info.kind, bytes, [rows, columns]))
    }
}

/// Puts the rows of a query or key matrix, of numbers or of bytes, back into the Hugging Face order.
///
/// Hugging Face rotates dimension `j` of a head with dimension `j + width / 2`. The GGUF converter reorders rows so that
/// the two are neighbours: row `2 j + i` of a head in the file is row `i * width / 2 + j` (`i` is 0 or 1).
fn unpermute<T: Copy>(numbers: &[T], rows: usize, heads: usize) -> Vec<T> {
    let columns = numbers.len() / rows;
    let width = rows / heads;
    let mut out = Vec::with_capacity(numbers.len());
    for head in 0..heads {
        for half in 0..2 {
            for j in 0..width / 2 {
                let row = head * width + 2 * j + half;
                out.extend_from_slice(&numbers[row * columns..][..columns]);
            }
        }
    }
    out
}

/// The Hugging Face name of every tensor.
fn places(file: &GgufFile) -> Result<BTreeMap<String, usize>, WeightError> {
    let mut places = BTreeMap::new();
    for (index, tensor) in file.tensors().iter().enumerate() {
        if tensor.name == ROPE_DIVISORS {
            continue;
        }
        let Some(name) = hugging_face_name(&tensor.name) else {
            return Err(WeightError::unsupported(
                file.path(),
                format!("tensor `{}`", tensor.name),
                "a tensor that is no part of a plain Llama",
                "embeddings, norms, attention and MLP weights without biases",
            ));
        };
        places.insert(name, index);
    }
    Ok(places)
}

/// `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`.
fn hugging_face_name(name: &str) -> Option<String> {
    let outside = match name {
        "token_embd.weight" => Some("model.embed_tokens.weight"),
        "output_norm.weight" => Some("model.norm.weight"),
        "output.weight" => Some("lm_head.weight"),
        _ => None,
    };
    if let Some(name) = outside {
        return Some(name.to_owned());
    }
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let number: usize = layer.parse().ok()?;
    let part = match part {
        "attn_norm.weight" => "input_layernorm",
        "attn_q.weight" => "self_attn.q_proj",
        "attn_k.weight" => "self_attn.k_proj",
        "attn_v.weight" => "self_attn.v_proj",
        "attn_output.weight" => "self_attn.o_proj",
        "ffn_norm.weight" => "post_attention_layernorm",
        "ffn_gate.weight" => "mlp.gate_proj",
        "ffn_up.weight" => "mlp.up_proj",
        "ffn_down.weight" => "mlp.down_proj",
        _ => return None,
    };
    // `blk.03` and `blk.3` would be one name: only the plain spelling counts.
    (number.to_string() == layer).then(|| format!("model.layers.{number}.{part}.weight"))
}

/// Llama 3's RoPE scaling, which a GGUF file keeps as a tensor of divisors.
///
/// Every published Llama 3 uses frequency factors 1 and 4 over an original context of 8192; only `factor` differs. So the
/// largest divisor is the factor, and the rest must then agree.
fn rope_scaling(
    file: &GgufFile,
    config: &LlamaConfig,
) -> Result<Option<Llama3Scaling>, WeightError> {
    let Some(tensor) = file
        .tensors()
        .iter()
        .find(|tensor| tensor.name == ROPE_DIVISORS)
    else {
        return Ok(None);
    };
    let stored = file.read(tensor)?;
    let scaling = Llama3Scaling {
        factor: stored.iter().copied().fold(1.0, f32::max).into(),
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let expected = scaling.divisors(config.rope_theta, config.head_dim);
    let agrees = |(stored, expected): (&f32, &f64)| {
        (f64::from(*stored) - expected).abs() <= 1e-3 * expected.abs()
    };
    if stored.len() == expected.len() && stored.iter().zip(&expected).all(agrees) {
        return Ok((scaling.factor > 1.0).then_some(scaling));
    }
    Err(WeightError::unsupported(
        file.path(),
        format!("tensor `{ROPE_DIVISORS}`"),
        format!("other divisors (largest {})", scaling.factor),
        "those of Llama 3 (frequency factors 1 and 4, original context 8192)",
    ))
}

#[cfg(test)]
mod tests;

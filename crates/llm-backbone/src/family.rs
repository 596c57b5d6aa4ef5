//! Model families: what each says of itself, and the list of them.
//!
//! A family is one file, from its `config.json` to its forward pass. To add one, write that file and a line in
//! [`families`]; nothing else knows one family from another.

mod gemma3_text;
mod gptj;
mod llama;
mod mistral;
mod olmo2;
mod phi3;
mod qwen2;
mod qwen3;
mod smollm3;

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde_json::{Map, Value};

use crate::attention::{Context, Sight};
use crate::cache::KvCache;
use crate::config::keys::Keys;
use crate::config::sizes::Spelling;
use crate::config::{ConfigError, Sizes};
use crate::gguf::GgufFile;
use crate::linear::{Embedding, Head};
use crate::loader::Loader;
use crate::parts::{Part, Parts};
use crate::registry::families;
use crate::weights::gguf_names::{GgufNames, Places};
use crate::weights::{WRITERS, WeightError};

families! {
    /// Mistral. In front of Llama, whose architecture its GGUF files name.
    Mistral(mistral::MistralConfig),
    /// Llama and everything built like it (SmolLM2, TinyLlama, Llama 2 and 3).
    Llama(llama::LlamaConfig),
    /// GPT-J 6B and its fine-tunes.
    GptJ(gptj::GptJConfig),
    /// Qwen2 and Qwen2.5, dense.
    Qwen2(qwen2::Qwen2Config),
    /// Qwen3, dense.
    Qwen3(qwen3::Qwen3Config),
    /// Gemma 3, text.
    Gemma3(gemma3_text::Gemma3Config),
    /// SmolLM3.
    SmolLm3(smollm3::SmolLm3Config),
    /// Phi-3 and Phi-4.
    Phi3(phi3::Phi3Config),
    /// OLMo 2.
    Olmo2(olmo2::Olmo2Config),
}

/// The family of models made from scratch, which most programs read.
pub(crate) fn from_scratch(sizes: Sizes, intermediate_size: usize) -> FamilyConfig {
    FamilyConfig::Llama(llama::LlamaConfig::from_scratch(sizes, intermediate_size))
}

/// The shape of a model of one family, and what can be said of it without weights.
pub(crate) trait DecoderConfig {
    /// The model.
    type Decoder: Decoder
    where
        Self: Sized;

    /// What names the family.
    fn facts() -> Facts
    where
        Self: Sized;

    /// Reads a `config.json`.
    fn from_hf(keys: &Keys<'_>) -> Result<Self, ConfigError>
    where
        Self: Sized;

    /// How a GGUF file holds such a model; none where there is no convention.
    fn gguf() -> Option<GgufNames<Self>>
    where
        Self: Sized,
    {
        None
    }

    /// Reads the weights.
    fn load(&self, weights: &Loader<'_>) -> Result<Self::Decoder, WeightError>
    where
        Self: Sized;

    /// The sizes that all families have.
    fn sizes(&self) -> &Sizes;

    /// The same, to be changed.
    fn sizes_mut(&mut self) -> &mut Sizes;

    /// The keys of a `config.json` beside the sizes.
    fn to_hf(&self) -> Map<String, Value>;

    /// Refuses what makes no model, beside the sizes; `file` appears in errors only.
    fn validate(&self, file: &Path) -> Result<(), ConfigError>;

    /// Numbers that the graph keeps of each token and block for the backward pass: what norms, products with adapters, attention and
    /// activations look at again.
    fn activations_per_token(&self) -> usize;
}

/// A decoder-only model: blocks between an embedding and a head.
pub(crate) trait Decoder: Parts {
    /// Token ids to the stream.
    fn embedding(&self) -> &Embedding;

    /// The stream to logits; none where that is the embedding's matrix.
    fn head(&self) -> Option<&Head>;

    /// The same, to be changed.
    fn head_mut(&mut self) -> &mut Option<Head>;

    /// The kinds of attention that its blocks have.
    fn sights(&self) -> &[Sight];

    /// Which of them the block of index `i` has.
    fn sight_of(&self, _i: usize) -> usize {
        0
    }

    /// The device of the weights.
    fn device(&self) -> Device;

    /// The block of index `i`, `[batch * seq, d]` to the same.
    fn block(
        &self,
        i: usize,
        x: Tensor<2>,
        context: &Context,
        cache: Option<&mut KvCache>,
    ) -> Tensor<2>;

    /// The final norm, `[n, d]` to the same.
    fn norm(&self, x: Tensor<2>) -> Tensor<2>;

    /// Weights of all blocks that a token meets in products: two operations each.
    fn weights_per_token(&self) -> usize {
        let weights = |part: &Part<'_>| match part {
            Part::Linear(linear) => linear.weight.shape().iter().product(),
            _ => 0,
        };
        self.all_parts().iter().map(weights).sum()
    }
}

/// What names a family.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    /// `model_type` in `config.json`.
    pub(crate) model_type: &'static str,
    /// Its class in `transformers`.
    pub(crate) class: &'static str,
    /// How `config.json` spells the sizes.
    pub(crate) spelling: &'static Spelling,
}

impl Facts {
    /// Whether a `config.json` is of this family: by its `model_type`, or else by the first of `architectures`.
    fn names(&self, keys: &Keys<'_>) -> bool {
        match keys.json_value("model_type") {
            Some(model_type) => model_type == self.model_type,
            None => first_class(keys) == Some(self.class),
        }
    }
}

fn first_class<'a>(keys: &Keys<'a>) -> Option<&'a str> {
    let classes = keys.json_value("architectures")?;
    classes.get(0)?.as_str()
}

/// Refuses a model of a known family that does not write: one that classifies or scores, or one without a head.
fn refuse_other_class(keys: &Keys<'_>, class: &str) -> Result<(), ConfigError> {
    match first_class(keys) {
        Some(found) if !found.contains("ForCausalLM") && !found.contains("LMHead") => {
            let expected = format!("`{class}`: {WRITERS}");
            Err(keys.error("architectures", format!("`{found}`"), expected))
        }
        _ => Ok(()),
    }
}

/// What a `config.json` says of its family, for messages.
fn found_in(keys: &Keys<'_>) -> String {
    let model_type = keys.json_value("model_type").and_then(Value::as_str);
    match model_type.or_else(|| first_class(keys)) {
        Some(name @ ("gemma3" | "Gemma3ForConditionalGeneration")) => format!(
            "`{name}`, which reads images too (a GGUF file of it holds the text model alone, and is read)"
        ),
        Some(name) => format!("`{name}`"),
        None => "no `model_type`".to_owned(),
    }
}

fn unknown(file: &Path, found: String, known: &[&str]) -> ConfigError {
    ConfigError::Architecture {
        file: file.to_owned(),
        found,
        supported: known.join(", "),
    }
}

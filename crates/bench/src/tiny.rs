//! A tiny model made in the run: a BPE tokenizer and a model from scratch, both trained on the training posts.
//!
//! It stands in for a pre-trained model where nothing is to be downloaded. It is written as a Hugging Face directory, so
//! that the adapters trained on it mean something.

use std::path::Path;

use trainer::burn::tensor::Device;
use trainer::config::Dtype;
use trainer::dataset::Dataset;
use trainer::llm_backbone::Model;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::llm_backbone::weights::{WeightError, write_safetensors};
use trainer::pref_data::{Comparison, Prompt};
use trainer::source::{self, BaseModel};
use trainer::tokenise::{Formatter, PromptConfig};
use trainer::{TrainError, files, sft};

use crate::config::TinyConfig;
use crate::experiment::stage;

const BOS: &str = "<|startoftext|>";
const EOS: &str = "<|endoftext|>";

/// Makes the model in `dir` unless it is there, made with the same settings from the same data, and opens it.
///
/// # Errors
/// Sizes that make no model, a comparison longer than its context, a folder that cannot be written, or training that
/// diverges.
pub fn make(
    dir: &Path,
    config: &TinyConfig,
    prompt: &PromptConfig,
    user_tokens: usize,
    (train, data_key): (&[Comparison], &str),
    seed: u64,
    device: &Device,
) -> Result<BaseModel, TrainError> {
    let name = dir.display().to_string();
    let settings = serde_json::json!({
        "tiny": config, "prompt": prompt, "user_tokens": user_tokens, "data": data_key, "seed": seed,
    });
    if !stage::is_done(dir, &settings) {
        std::fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, e))?;
        let tokenizer = Tokenizer::train_bpe(texts(train), config.vocab_size, &[BOS, EOS])?
            .with_bos(BOS)?
            .with_eos(EOS)?
            .with_bos_in_front()?;
        tokenizer.save(dir)?;
        let shape = model_shape(config, &tokenizer);
        shape
            .validate(&dir.join("config.json"))
            .map_err(WeightError::from)?;
        let formatter = Formatter::new(tokenizer, prompt.clone(), user_tokens)?;
        let dataset = Dataset::new(train, &formatter)?;
        dataset.check_context(user_tokens, shape.max_positions())?;
        let model = Model::random(&shape, seed, device)?.trainable();
        let (model, loss) = sft::fine_tune(model, &dataset, &config.sft, seed)?;
        tracing::info!("tiny model: {loss:.3} nats per token at the end of fine-tuning");
        write_safetensors(dir.join("model.safetensors"), model.export())?;
        let path = dir.join("config.json");
        let text = serde_json::to_string_pretty(&shape.to_hf_json())
            .map_err(|e| TrainError::format(&path, e))?;
        files::replace_file(&path, text)?;
        stage::mark_done(dir, &settings)?;
    }
    source::open(&name, Dtype::F32, device)
}

fn texts(train: &[Comparison]) -> impl Iterator<Item = String> + '_ {
    train.iter().flat_map(|c| {
        let prompt = match &c.prompt {
            Prompt::Text(text) => text.clone(),
            Prompt::Chat(messages) => messages.iter().map(|m| m.content.as_str()).collect(),
        };
        [prompt, c.chosen.clone(), c.rejected.clone()]
    })
}

fn model_shape(config: &TinyConfig, tokenizer: &Tokenizer) -> ModelConfig {
    ModelConfig::from_scratch(
        Sizes {
            vocab_size: tokenizer.vocab_size(),
            hidden_size: config.hidden_size,
            num_layers: config.num_hidden_layers,
            num_heads: config.num_attention_heads,
            num_kv_heads: config.num_key_value_heads,
            head_dim: config
                .hidden_size
                .checked_div(config.num_attention_heads)
                .unwrap_or(0),
            max_positions: config.max_position_embeddings,
            ties_embeddings: true,
            bos_token_id: tokenizer.bos(),
            eos_token_ids: tokenizer.eos().into_iter().collect(),
        },
        config.intermediate_size,
    )
}

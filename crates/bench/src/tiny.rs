//! A tiny model made in the run: a BPE tokenizer and a model from scratch, both trained on the training posts.
//!
//! It stands in for a pre-trained model where nothing is to be downloaded. It is written as a Hugging Face directory, so
//! that the adapters trained on it mean something.

use std::path::Path;

use trainer::burn::tensor::Device;
use trainer::config::{Dtype, SftConfig, TrainingSection};
use trainer::dataset::Dataset;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::llm_backbone::weights::{WeightError, write_safetensors};
use trainer::llm_backbone::{LoraConfig, Model};
use trainer::monitor::Monitor;
use trainer::policy::Policy;
use trainer::pref_data::{Comparison, Message, Prompt};
use trainer::session::{Session, SessionConfig};
use trainer::source::{self, BaseModel};
use trainer::task::{Language, Responses};
use trainer::tokenise::{Formatter, PromptConfig};
use trainer::{TrainError, files};

use crate::config::TinyConfig;
use crate::experiment::stage::{self, Stage};

const BOS: &str = "<|startoftext|>";
const EOS: &str = "<|endoftext|>";
/// The bytes and the two special tokens, without which there is no tokenizer.
pub const LEAST_VOCABULARY: usize = 258;

/// Makes the model in `dir` unless it is there, made with the same settings from the same data, and opens it.
///
/// # Errors
/// Sizes that make no model, a comparison longer than its context, a folder that cannot be written, or training that
/// diverges.
pub fn make(
    stage: Stage<'_>,
    config: &TinyConfig,
    prompt: &PromptConfig,
    user_tokens: usize,
    (train, data_key): (&[Comparison], &str),
    device: &Device,
    monitor: &mut dyn Monitor,
) -> Result<BaseModel, TrainError> {
    let Stage { dir, seed, .. } = stage;
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
        dataset.validate_context(user_tokens, shape.max_positions())?;
        let model = Model::random(&shape, seed, device)?.trainable();
        let key = settings.to_string();
        let model = fine_tune(model, &dataset, &config.sft, stage, &key, monitor)?;
        write_safetensors(dir.join("model.safetensors"), model.export())?;
        let path = dir.join("config.json");
        let text = serde_json::to_string_pretty(&shape.to_hf_json())
            .map_err(|e| TrainError::format(&path, e))?;
        files::replace_file(&path, text)?;
        stage::mark_done(dir, &settings)?;
    }
    source::open(dir, Dtype::F32, device)
}

/// A model of that shape without a tokenizer, to try settings on.
///
/// # Errors
/// Sizes that make no model.
pub fn sketch(config: &TinyConfig, device: &Device) -> Result<Model, TrainError> {
    let shape = shape_of(config, config.vocab_size, None, Vec::new());
    let valid = shape.validate(Path::new("[tiny]"));
    valid.map_err(WeightError::from)?;
    Ok(Model::random(&shape, 0, device)?)
}

/// Trains all weights on both responses.
fn fine_tune(
    model: Model,
    dataset: &Dataset,
    sft: &SftConfig,
    stage: Stage<'_>,
    model_key: &str,
    monitor: &mut dyn Monitor,
) -> Result<Model, TrainError> {
    let task = Language {
        responses: Responses::Both,
        prompts_too: sft.prompts_too,
    };
    let whole = TrainingSection {
        micro_rows: sft.batch,
        ..TrainingSection::default()
    };
    let session = SessionConfig {
        dir: stage.dir.join("training"),
        base: "tiny".into(),
        model_key: model_key.into(),
        seed: stage.seed,
        lora: LoraConfig::default(),
        training: sft.training(&whole, dataset.items.len()),
        section: "tiny.sft",
        sources: serde_json::Value::Null,
        further_devices: Vec::new(),
        clock: None,
    };
    let start = (Policy::plain(model), None);
    let data = (dataset.examples(None), Vec::new());
    let outcome = Session::new(session, task, start, data, stage.resume)?.run(monitor)?;
    Ok(outcome.policy.model)
}

fn texts(train: &[Comparison]) -> impl Iterator<Item = String> + '_ {
    train.iter().flat_map(|c| {
        let prompt = match &c.prompt {
            Prompt::Text(text) => text.clone(),
            Prompt::Chat(messages) => messages.iter().map(Message::content).collect(),
        };
        [prompt, c.chosen.clone(), c.rejected.clone()]
    })
}

fn model_shape(config: &TinyConfig, tokenizer: &Tokenizer) -> ModelConfig {
    let eos = tokenizer.eos().into_iter().collect();
    shape_of(config, tokenizer.vocab_size(), tokenizer.bos(), eos)
}

fn shape_of(
    config: &TinyConfig,
    vocab_size: usize,
    bos_token_id: Option<u32>,
    eos_token_ids: Vec<u32>,
) -> ModelConfig {
    ModelConfig::from_scratch(
        Sizes {
            vocab_size,
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
            bos_token_id,
            eos_token_ids,
        },
        config.intermediate_size,
    )
}

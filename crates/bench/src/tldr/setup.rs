//! What all systems of one split share: the SFT model, tokenised comparisons, reference log-probs.

use std::cell::RefCell;
use std::path::Path;

use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::dataset::Dataset;
use trainer::llm_backbone::Model;
use trainer::pref_data::Comparison;
use trainer::reference::ReferenceCache;
use trainer::sft;
use trainer::source::{self, BaseModel};
use trainer::step::Example;
use trainer::tokenise::Formatter;
use trainer::user_model::UserTable;

use super::data::TldrSplit;
use crate::config::ExperimentConfig;
use crate::measure::Users;
use crate::tiny;

/// Shared by the systems of one split.
pub struct Prepared {
    /// The SFT model: what every system starts from, and the reference.
    pub model: Model,
    /// Its name, for adapters.
    pub base: String,
    /// How it came about.
    pub sft_note: String,
    /// Text to ids.
    pub formatter: Formatter,
    /// Training comparisons.
    pub train: Dataset,
    /// Validation comparisons.
    pub validation: Dataset,
    /// Test comparisons.
    pub test: Dataset,
    /// Posts that responses are sampled for.
    pub posts: Vec<Comparison>,
    /// Seen workers and their groups.
    pub users: Users,
    /// `--seed`
    pub seed: u64,
    micro_rows: usize,
    cache: RefCell<ReferenceCache>,
}

impl Prepared {
    /// Loads or makes the model, fine-tunes it where the preset says so, tokenises.
    ///
    /// # Errors
    /// From any of these.
    pub fn new(
        config: &ExperimentConfig,
        split: &TldrSplit,
        dir: &Path,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let BaseModel {
            mut model,
            tokenizer,
            source,
            mut key,
        } = base_model(config, split, dir, seed, device)?;
        let formatter = Formatter::new(tokenizer, config.prompt.clone(), config.user_tokens())?;
        let train = Dataset::new(split.train(), &formatter)?;
        let validation = Dataset::new(split.validation(), &formatter)?;
        let test = Dataset::new(split.test(), &formatter)?;
        for side in [&train, &validation, &test] {
            side.check_context(config.user_tokens(), model.config().max_positions())?;
        }
        let mut sft_note = match &config.tiny {
            Some(_) => "made in the run: tokenizer and weights from scratch, fine-tuned on both responses of the training comparisons".into(),
            None => "skipped: the base model serves as SFT model".to_string(),
        };
        if let Some(sft) = &config.sft {
            let adapters = dir.join("sft");
            if !adapters.join("adapter_config.json").exists() {
                let adapted = model.clone().with_lora(&config.lora, seed)?;
                let (adapted, _) = sft::fine_tune(adapted, &train, sft, seed)?;
                adapted.save_adapters(&adapters, &config.lora, &source)?;
            }
            model = model.with_adapters(&adapters)?.0.merged();
            key += &format!("+{}", source::weights_hash(&adapters)?);
            sft_note = format!("LoRA fine-tuning for {} steps, merged", sft.steps);
        }
        let posts = split.test_posts(config.evaluation.prompts);
        Ok(Self {
            model: model.frozen(),
            base: source,
            sft_note,
            formatter,
            train,
            validation,
            test,
            posts: posts.into_iter().cloned().collect(),
            users: split.users.clone(),
            seed,
            micro_rows: config.training.micro_rows,
            cache: RefCell::new(ReferenceCache::open(&dir.join("reference"), &key)?),
        })
    }

    /// A side as examples: reference log-probs from the cache, computed where missing.
    ///
    /// # Errors
    /// A cache that cannot be written.
    pub fn examples(
        &self,
        side: &Dataset,
        table: Option<&UserTable>,
    ) -> Result<Vec<Example>, TrainError> {
        let mut cache = self.cache.borrow_mut();
        side.examples(table, &self.model, &mut cache, self.micro_rows)
    }
}

fn base_model(
    config: &ExperimentConfig,
    split: &TldrSplit,
    dir: &Path,
    seed: u64,
    device: &Device,
) -> Result<BaseModel, TrainError> {
    match &config.tiny {
        Some(tiny) => tiny::make(
            &dir.join("model"),
            tiny,
            &config.prompt,
            config.user_tokens(),
            split.train(),
            seed,
            device,
        ),
        None => source::open_section(&config.model, device),
    }
}

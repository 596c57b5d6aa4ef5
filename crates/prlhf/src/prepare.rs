//! From a configuration to everything that training starts from.

use terminal::hub;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::{Config, UsersSection};
use trainer::dataset::Dataset;
use trainer::llm_backbone::Model;
use trainer::pref_data::{Audit, Comparison};
use trainer::source::BaseModel;
use trainer::tokenise::{Formatter, PromptConfig};

use crate::data::{self, Sides};

/// Model and data, tokenised.
pub struct Prepared {
    /// The frozen base model, which is the reference too.
    pub model: Model,
    /// Its name.
    pub source: String,
    /// The key of its reference log-probs.
    pub key: String,
    /// Text to ids.
    pub formatter: Formatter,
    /// Training comparisons.
    pub train: Dataset,
    /// Validation comparisons; none where nothing is held out.
    pub validation: Option<Dataset>,
    /// What the comparisons are like.
    pub audit: Audit,
}

impl Prepared {
    /// Reads data, then model (data is the quicker to be wrong), and tokenises.
    ///
    /// # Errors
    /// Settings out of range, broken data, or a model that cannot be opened.
    pub fn new(config: &Config, device: &Device) -> Result<Self, TrainError> {
        config.validate()?;
        let Sides {
            train,
            validation,
            skipped,
        } = data::sides(&config.data)?;
        let audit = Audit::of(train.iter().chain(&validation), &skipped);
        if audit.per_user.len() < 2 && config.users.is_some() {
            tracing::warn!(
                "the data names {} user(s): there is nothing to personalise; without [users] this is plain DPO",
                audit.per_user.len()
            );
        }
        let BaseModel {
            model,
            tokenizer,
            source,
            key,
        } = hub::open_section(&config.model, device)?;
        let positions = model.config().max_positions();
        let prompt = fit(
            &config.prompt,
            positions,
            config.prompt.max_response_length,
            "prompt.max_response_length",
        )?;
        let formatter = Formatter::new(tokenizer, prompt, soft_tokens(config.users.as_ref()))?;
        let side = |comparisons: &[Comparison]| {
            let dataset = Dataset::new(comparisons, &formatter)?;
            dataset.check_context(soft_tokens(config.users.as_ref()), positions)?;
            Ok::<_, TrainError>(dataset)
        };
        let train = side(&train)?;
        let validation = match validation.is_empty() {
            true => None,
            false => Some(side(&validation)?),
        };
        Ok(Self {
            model: model.frozen(),
            source,
            key,
            formatter,
            train,
            validation,
            audit,
        })
    }

    /// Both sides.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        std::iter::once(&self.train).chain(&self.validation)
    }

    /// Comparisons of both sides.
    pub fn comparisons(&self) -> usize {
        self.datasets().map(|d| d.items.len()).sum()
    }

    /// What was cut, as a sentence.
    pub fn cuts(&self) -> String {
        cuts(self.datasets(), self.formatter.config())
    }
}

/// What was cut in some data, as a sentence.
pub fn cuts<'a>(datasets: impl Iterator<Item = &'a Dataset>, limits: &PromptConfig) -> String {
    let (mut prompts, mut user_texts, mut responses, mut all) = (0, 0, 0, 0);
    for dataset in datasets {
        prompts += dataset.cut_prompts;
        user_texts += dataset.cut_user_texts;
        responses += dataset.cut_responses;
        all += dataset.items.len();
    }
    let user_texts = match user_texts {
        0 => String::new(),
        some => format!(", {some} user texts their end"),
    };
    format!(
        "{prompts} of {all} prompts above {} tokens lost their beginning{user_texts}, {responses} comparisons with a response above {} its end",
        limits.max_prompt_length, limits.max_response_length
    )
}

/// Soft tokens per sequence.
pub fn soft_tokens(users: Option<&UsersSection>) -> usize {
    users.map_or(0, |users| users.user_tokens)
}

/// Limits under which prompt and response fit a context of `positions`: the response keeps its room, the prompt gives
/// way.
///
/// # Errors
/// A response that leaves no room; `key` names its limit.
pub fn fit(
    prompt: &PromptConfig,
    positions: usize,
    response: usize,
    key: &str,
) -> Result<PromptConfig, TrainError> {
    if response >= positions {
        let expected = format!("less than the model's context of {positions} tokens");
        return Err(TrainError::config(key, response, expected));
    }
    let room = positions - response;
    if prompt.max_prompt_length > room {
        tracing::warn!(
            "prompts are limited to {room} tokens instead of {}: the model's context has {positions}, a response may take {response}",
            prompt.max_prompt_length
        );
    }
    Ok(PromptConfig {
        max_prompt_length: prompt.max_prompt_length.min(room),
        ..prompt.clone()
    })
}

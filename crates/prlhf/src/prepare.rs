//! From a configuration to everything that training starts from.

use terminal::hub;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::{Config, UsersSection};
use trainer::dataset::Dataset;
use trainer::inference::Engine;
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
    /// Reads data, then model (data is the quicker to be wrong), and tokenises; `clock` is the time that a chat template tells,
    /// where it is not that of the call.
    ///
    /// # Errors
    /// Settings out of range, broken data, or a model that cannot be opened.
    pub fn new(config: &Config, device: &Device, clock: Option<u64>) -> Result<Self, TrainError> {
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
        let soft = soft_tokens(config.users.as_ref());
        let formatter = fitted(
            Formatter::new(tokenizer, config.prompt.clone(), soft)?,
            positions,
            config.prompt.max_response_length,
            "prompt.max_response_length",
        )?;
        let formatter = match clock {
            Some(clock) => formatter.with_clock(clock),
            None => formatter,
        };
        let side = |comparisons: &[Comparison]| {
            let dataset = Dataset::new(comparisons, &formatter)?;
            dataset.check_context(soft, positions)?;
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

/// The formatter with prompts that leave a response of up to `response` tokens room; warns where they give way.
///
/// # Errors
/// A response that leaves no room; `key` names its limit.
pub fn fitted(
    formatter: Formatter,
    positions: usize,
    response: usize,
    key: &str,
) -> Result<Formatter, TrainError> {
    let asked = formatter.config().max_prompt_length;
    let fitted = formatter.fitted(positions, response, key)?;
    let room = fitted.config().max_prompt_length;
    if room < asked {
        tracing::warn!(
            "prompts are limited to {room} tokens instead of {asked}: the model's context has {positions}, a response may take {response}"
        );
    }
    Ok(fitted)
}

/// The formatter of an engine for comparisons; warns where prompts give way.
///
/// # Errors
/// As [`fitted`].
pub fn fit_responses(engine: &Engine) -> Result<Formatter, TrainError> {
    let formatter = engine.formatter().clone();
    let (positions, most) = (context(engine), formatter.config().max_response_length);
    fitted(formatter, positions, most, "prompt.max_response_length")
}

/// The formatter of an engine for responses of up to `room` new tokens; warns where prompts give way.
///
/// # Errors
/// As [`fitted`].
pub fn fit_prompts(engine: &Engine, room: usize) -> Result<Formatter, TrainError> {
    let formatter = engine.formatter().clone();
    fitted(formatter, context(engine), room, "sampling.max_new_tokens")
}

fn context(engine: &Engine) -> usize {
    engine.policy().model.config().max_positions()
}

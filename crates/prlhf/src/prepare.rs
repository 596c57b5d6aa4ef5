//! From a configuration to everything that training starts from.

use terminal::hub;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::Config;
use trainer::dataset::Dataset;
use trainer::inference::Engine;
use trainer::pref_data::Audit;
use trainer::sides::Sides;
use trainer::tokenise::{Formatter, PromptConfig};
use trainer::training::Training;

/// Reads data, then model (data is the quicker to be wrong), and tokenises; with the comparisons themselves, and what they are
/// like. `clock` is the time that a chat template tells, where it is not that of the call.
///
/// # Errors
/// Settings out of range, broken data, or a model that cannot be opened.
pub fn prepare(
    config: &Config,
    device: &Device,
    clock: Option<u64>,
) -> Result<(Training, Sides, Audit), TrainError> {
    config.validate()?;
    config.model.validate()?;
    let mut sides = Sides::read(&hub::located(&config.data)?)?;
    sides.validate()?;
    let base = hub::open_section(&config.model, device, &config.training)?;
    let training = Training::new(config, base, &mut sides, clock)?;
    let audit = Audit::of(sides.train.iter().chain(&sides.validation), &sides.skipped);
    if audit.per_user.len() < 2 && config.users.is_some() {
        tracing::warn!(
            "the data names {} user(s): there is nothing to personalise; without [users] this is plain DPO",
            audit.per_user.len()
        );
    }
    Ok((training, sides, audit))
}

/// What was cut in some data, as a sentence.
pub fn cuts<'a>(datasets: impl Iterator<Item = &'a Dataset>, limits: &PromptConfig) -> String {
    let (mut prompts, mut user_texts, mut responses, mut all) = (0, 0, 0, 0);
    let (mut equal, mut first) = (0, None);
    for dataset in datasets {
        prompts += dataset.cut_prompts;
        user_texts += dataset.cut_user_texts;
        responses += dataset.cut_responses;
        all += dataset.items.len();
        equal += dataset.equal_after_cut;
        first = first.or(dataset.first_equal.as_deref());
    }
    let equal = match first {
        Some(first) => format!(
            "; {equal} comparisons have equal responses as tokens and teach nothing (first: {})",
            printable::line(first)
        ),
        None => String::new(),
    };
    let user_texts = match user_texts {
        0 => String::new(),
        some => format!(", {some} user texts their end"),
    };
    format!(
        "{prompts} of {all} prompts above {} tokens lost their beginning{user_texts}, {responses} comparisons with a response above {} its end{equal}",
        limits.max_prompt_length, limits.max_response_length
    )
}

/// The formatter of an engine for comparisons; warns where prompts give way.
///
/// # Errors
/// A longest response that leaves no room.
pub fn fit_responses(engine: &Engine) -> Result<Formatter, TrainError> {
    let most = engine.formatter().config().max_response_length;
    fitted(engine, most, "prompt.max_response_length")
}

/// The formatter of an engine for responses of up to `room` new tokens; warns where prompts give way.
///
/// # Errors
/// As [`fit_responses`].
pub fn fit_prompts(engine: &Engine, room: usize) -> Result<Formatter, TrainError> {
    fitted(engine, room, "sampling.max_new_tokens")
}

fn fitted(engine: &Engine, room: usize, key: &str) -> Result<Formatter, TrainError> {
    let positions = engine.policy().model.config().max_positions();
    let formatter = engine.formatter().clone();
    formatter.fitted_with_warning(positions, room, key)
}

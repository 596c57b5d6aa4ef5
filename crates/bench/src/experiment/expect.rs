//! What a run will take, counted before it starts, and refused where the device has no room.

use std::rc::Rc;

use terminal::Expectation;
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::{Dtype, UserTokens, UsersSection};
use trainer::dataset::Dataset;
use trainer::estimate::{Memory, Sketch, Step, Work};
use trainer::llm_backbone::config::ModelConfig;
use trainer::pdpo_loss::PairLoss;
use trainer::task::Preference;

use super::reward;
use super::setup::Sides;
use crate::config::{ExperimentConfig, ORACLE, SystemConfig, SystemSettings};

/// Model and device of a run.
pub struct Place<'a> {
    /// The shape of the base model.
    pub model: &'a ModelConfig,
    /// The type of its weights.
    pub dtype: Dtype,
    /// Where it is trained.
    pub device: &'a Device,
}

/// What the systems of a run take: the memory of the largest, the work of all. Comparisons are counted as systems see them
/// that are told the users' own texts.
///
/// # Errors
/// Adapters that the model has no place for, or a system that does not fit.
pub fn expectation<D>(
    config: &ExperimentConfig<D>,
    place: &Place<'_>,
    splits: &[Rc<Sides>],
) -> Result<Expectation, TrainError> {
    let mut found = Expectation {
        memory: Memory::default(),
        step: Step {
            rows: 0,
            longest: 0,
            prefix: 0,
            checkpointing: config.training.gradient_checkpointing,
        },
        work: Work::default(),
    };
    let sketch = |settings: &SystemSettings| {
        Sketch::new(place.model, place.dtype, &settings.lora, place.device)
    };
    for system in config.systems.iter().filter(|s| s.is_trained()) {
        let sketch = match system.is_reward_model() {
            true => sketch(&system.settings)?.that_rewards(),
            false => sketch(&system.settings)?,
        };
        let training = &system.settings.training;
        let sizes = (tokens(system), system.objective()?.rows_each());
        let step = |train: &Dataset| -> Result<Step, TrainError> {
            let users = sizes.0;
            Ok(match system.is_reward_model() {
                true => Step::of(training, train, (&reward::task(system)?, users)),
                false => {
                    let objective = &system.settings.objective;
                    let task = Preference::from_config(objective, system.users.is_some(), None)?;
                    Step::of(training, train, (&task, users))
                }
            })
        };
        for sides in splits.iter().flat_map(|sides| trained_on(system, sides)) {
            let step = step(&sides.train)?;
            let texts = match system.is_reward_model() {
                true => (0, 0),
                false => sampled(config, system, place.model),
            };
            let memory = sketch.memory(step, texts, training);
            sketch.validate(&memory, step, training)?;
            if memory.total() > found.memory.total() {
                (found.memory, found.step) = (memory, step);
            }
            let both = (&sides.train, Some(&sides.validation));
            found.work += sketch.training_work(both, sizes, training);
        }
    }
    let plain = sketch(&SystemSettings {
        lora: config.lora.clone(),
        ..SystemSettings::default()
    })?;
    for sides in splits {
        found.work += of_split(config, &plain, sides);
    }
    Ok(found)
}

/// The positions that sequences have for their users.
fn tokens(system: &SystemConfig) -> UserTokens {
    let users = system.users.as_ref();
    match system.is_reward_model() {
        true => system.settings.reward.tokens(users),
        false => users.map_or(UserTokens::default(), UsersSection::tokens),
    }
}

/// What each policy of a system is trained on: all, or one user's.
fn trained_on(system: &SystemConfig, sides: &Rc<Sides>) -> Vec<Rc<Sides>> {
    if !system.adapter_per_user {
        return vec![sides.clone()];
    }
    let users = sides.train.users().into_iter();
    users.map(|user| Rc::new(sides.of_user(user))).collect()
}

/// What the systems share, and their measurements on test comparisons.
fn of_split<D>(config: &ExperimentConfig<D>, plain: &Sketch, sides: &Sides) -> Work {
    let forward = |side| plain.forward_work(side, UserTokens::default());
    let test = forward(&sides.test);
    let trained = || config.systems.iter().filter(|s| s.is_trained());
    let needs_reference =
        |s: &SystemConfig| !s.is_reward_model() && s.settings.objective.loss.needs_reference();
    let reference = match trained().any(needs_reference) {
        true => forward(&sides.train) + forward(&sides.validation) + test,
        // The oracle is measured against what is not told.
        false if config.systems.iter().any(|s| s.name == ORACLE) => test,
        false => 0.0,
    };
    // The KL divergence takes a pass of the system and one of the SFT model.
    let comparisons = sides.test.items.len().max(1) as f64;
    let some = config.evaluation.quality_comparisons as f64 / comparisons;
    let writers = config.systems.iter().filter(|s| !s.is_reward_model());
    let measured = 2.0 * some.min(1.0) * writers.count() as f64;
    let sft = config.sft.as_ref().map(|sft| {
        let training = sft.training(&config.training, sides.train.items.len());
        plain.training_work((&sides.train, None), (UserTokens::default(), 1), &training)
    });
    Work {
        training: sft.map_or(0.0, |work| work.training),
        reference,
        scoring: test * (trained().count() as f64 + measured),
        ..Work::default()
    }
}

/// Texts sampled at a time, and the tokens of the longest.
fn sampled<D>(
    config: &ExperimentConfig<D>,
    system: &SystemConfig,
    model: &ModelConfig,
) -> (usize, usize) {
    let tokens = config.prompt.max_prompt_length + system.settings.sampling.max_new_tokens;
    (config.evaluation.batch, tokens.min(model.max_positions()))
}

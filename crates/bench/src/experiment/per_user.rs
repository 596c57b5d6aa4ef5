//! A system with an adapter for each seen user, trained on that user's comparisons alone.

use std::fs;
use std::path::Path;

use trainer::endings::Endings;
use trainer::eval::TextQuality;
use trainer::monitor::Monitor;
use trainer::policy::Policy;
use trainer::{TrainError, files};

use super::collect::with_origin;
use super::measured::{Measured, SampledText};
use super::sampling::sampled;
use super::setup::Sides;
use super::system::{Trainer, engine, preference, rewards, text_quality};

/// What one user's adapter adds.
struct Share {
    weights: u64,
    steps: usize,
    seconds: f64,
    comparisons: usize,
    rewards: Vec<Option<[f32; 2]>>,
    texts: Vec<SampledText>,
    quality: Option<TextQuality>,
    metrics: String,
}

/// Trains one adapter after the other, each in a folder `user-N` of `dir`. Comparisons of users without one have no rewards.
///
/// # Errors
/// From training; [`TrainError::Empty`] where no user has a comparison to train on.
pub fn trained<D>(
    trainer: &Trainer<'_, D>,
    dir: &Path,
    monitor: &mut dyn Monitor,
) -> Result<Measured, TrainError> {
    let sides = trainer.prepared.sides(trainer.system.text)?;
    let test = &sides.test.items;
    let mut scored = vec![None; test.len()];
    let mut all = Measured::default();
    let (mut comparisons, mut metrics) = (0, String::new());
    let mut quality = Vec::new();
    let users = &trainer.prepared.data.users;
    for (number, user) in users.keys().enumerate() {
        let dir = dir.join(format!("user-{number}"));
        tracing::info!(
            "{}: adapter of user {user} in user-{number}, {} of {}",
            trainer.system.name,
            number + 1,
            users.len()
        );
        let Some(share) = of_user(trainer, (user, sides.of_user(user)), &dir, monitor)? else {
            let name = &trainer.system.name;
            tracing::warn!("{name}: no comparison to train on for user {user}, who has no adapter");
            continue;
        };
        *all.trainable.llm.get_or_insert_default() += share.weights;
        all.steps += share.steps;
        all.train_seconds += share.seconds;
        comparisons += share.comparisons;
        let places = (0..test.len()).filter(|&place| test[place].user.as_ref() == Some(user));
        for (place, reward) in places.zip(share.rewards) {
            scored[place] = reward;
        }
        all.texts.extend(share.texts);
        quality.extend(share.quality);
        metrics += &share.metrics;
    }
    if all.trainable.llm.is_none() {
        let after = format!("to train an adapter of {} on", trainer.system.name);
        return Err(TrainError::Empty { after });
    }
    files::replace_file(&dir.join("metrics.jsonl"), metrics)?;
    let mean = |value: fn(&TextQuality) -> f64| {
        let values: Vec<f64> = quality.iter().map(value).collect();
        statistics::mean(&values)
    };
    let rate = comparisons as f64 / all.train_seconds;
    Ok(Measured {
        rewards: Some(scored),
        comparisons_per_second: rate.is_finite().then_some(rate),
        kl: mean(|quality| quality.kl),
        nll: mean(|quality| quality.nll),
        ..all
    })
}

/// Trains the adapter of one user on her sides of the comparisons; `None` where there is nothing to train it on.
fn of_user<D>(
    trainer: &Trainer<'_, D>,
    (user, sides): (&str, Sides),
    dir: &Path,
    monitor: &mut dyn Monitor,
) -> Result<Option<Share>, TrainError> {
    let Trainer {
        system,
        config,
        prepared,
        ..
    } = *trainer;
    if sides.train.items.is_empty() {
        return Ok(None);
    }
    let lora = &system.settings.lora;
    let start = Policy::start(prepared.model.clone(), lora, None, 0, prepared.seed)?;
    let weights = start.0.model.num_adapter_params() as u64;
    let data = (sides.train.examples(None), sides.validation.examples(None));
    let task = preference(system, prepared)?;
    let learnt = (task.clone(), Endings::default());
    let outcome = trainer.train(dir, learnt, start, data, monitor)?;
    let path = dir.join("metrics.jsonl");
    let lines = fs::read_to_string(&path).map_err(|e| TrainError::io(&path, e))?;
    let engine = engine(system, prepared, (outcome.policy, None))?;
    let test = sides.test.examples(None);
    let some = config.evaluation.quality_comparisons;
    let some = some.div_ceil(prepared.data.users.len());
    let quality = match test.is_empty() {
        true => None,
        false => Some(text_quality(system, prepared, &engine, &test, some)?),
    };
    let mut tasks = prepared.data.tasks_for(system.text, true);
    tasks.retain(|task| task.user.as_deref() == Some(user));
    Ok(Some(Share {
        weights,
        steps: outcome.state.step,
        seconds: outcome.state.train_seconds,
        comparisons: outcome.comparisons,
        rewards: rewards(&engine, &task, &test)?,
        texts: sampled(system, config, prepared, &engine, tasks)?,
        quality,
        metrics: with_origin(&lines, &serde_json::json!({ "adapter_of": user })),
    }))
}

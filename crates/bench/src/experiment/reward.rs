//! A system that ranks responses and writes none: a reward model on comparisons, and what the responses of others are worth to it.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use terminal::Bars;
use trainer::TrainError;
use trainer::endings::Endings;
use trainer::inference::Engine;
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::monitor::Monitor;
use trainer::pref_data::Comparison;
use trainer::task::Reward;
use trainer::user_model::UserRef;

use super::measured::{Candidates, Measured, SampledText};
use super::sampling::of_task;
use super::system::{Trainer, rewards};
use crate::config::{ExperimentConfig, SystemConfig};

/// Trains a reward model, and lets it judge what the systems before it wrote.
///
/// # Errors
/// From training.
pub fn trained<D>(
    trainer: &Trainer<'_, D>,
    others: &[Measured],
    dir: &Path,
    monitor: &mut dyn Monitor,
) -> Result<Measured, TrainError> {
    let (system, prepared) = (trainer.system, trainer.prepared);
    let task = task(system)?;
    let sides = prepared.sides(system.text)?;
    let (policy, table) = trainer.start(&sides.train)?;
    let start = (policy.with_head(system.settings.reward.head), table);
    let learnt = (task.clone(), Endings::default());
    let data = (&sides.train, &sides.validation);
    let (engine, learnt) = trainer.learn(dir, learnt, start, data, monitor)?;
    let test = sides.test.examples(engine.table());
    let mut measured = Measured {
        rewards: Some(rewards(&engine, &task, &test)?),
        ..learnt
    };
    for writer in writers(trainer.config, others) {
        measured
            .candidates
            .extend(judged(trainer, (&engine, &task), writer)?);
    }
    Ok(measured)
}

/// What it learns.
///
/// # Errors
/// Settings out of range.
pub fn task(system: &SystemConfig) -> Result<Reward, TrainError> {
    let settings = &system.settings;
    Reward::new(
        &settings.reward,
        &settings.objective,
        system.users.is_some(),
    )
}

/// The systems of which responses are chosen, as far as they were run.
fn writers<'a, D>(
    config: &'a ExperimentConfig<D>,
    others: &'a [Measured],
) -> impl Iterator<Item = &'a Measured> {
    let from = config.evaluation.best_of.iter().flat_map(|of| &of.from);
    from.filter_map(|name| others.iter().find(|other| other.name == *name))
}

/// A hash of the texts of each system of which responses are chosen, by its name.
pub fn read<D>(config: &ExperimentConfig<D>, others: &[Measured]) -> Value {
    let of_texts = |writer: &Measured| {
        let text = json!(writer.texts).to_string();
        (
            writer.name.clone(),
            format!("{:x}", Sha256::digest(text)).into(),
        )
    };
    Value::Object(writers(config, others).map(of_texts).collect())
}

/// What a system's responses are worth to each user whom responses are sampled for. One that answers everyone alike has the same
/// candidates for all.
fn judged<D>(
    trainer: &Trainer<'_, D>,
    (engine, task): (&Engine, &Reward),
    writer: &Measured,
) -> Result<Vec<Candidates>, TrainError> {
    let texts = writer.texts.iter();
    let texts: HashMap<(Option<&str>, &str), &SampledText> = texts
        .map(|text| ((text.user.as_deref(), text.source.as_str()), text))
        .collect();
    let (mut found, mut judged): (Vec<Candidates>, Vec<Comparison>) = Default::default();
    for task in trainer.prepared.data.tasks_for(trainer.system.text, true) {
        let (user, key) = (task.user.as_deref(), task.key.as_str());
        let own = texts.get(&(user, key)).or_else(|| texts.get(&(None, key)));
        let Some(own) = own else {
            continue;
        };
        let mut job = of_task(&task, SamplingConfig::default());
        job.user = user.map_or(UserRef::Generic, UserRef::id);
        let texts: Vec<String> = [&own.text]
            .into_iter()
            .chain(&own.further)
            .cloned()
            .collect();
        judged.extend(texts.iter().map(|text| job.text(text)));
        found.push(Candidates {
            writer: writer.name.clone(),
            user: task.user,
            source: task.key,
            texts,
            rewards: Vec::new(),
        });
    }
    if judged.is_empty() {
        return Ok(found);
    }
    let judged = engine.dataset(&judged)?;
    let mut rewards = engine.rewards(task, &judged, &Bars::default())?.into_iter();
    for candidates in &mut found {
        candidates.rewards = rewards.by_ref().take(candidates.texts.len()).collect();
    }
    Ok(found)
}

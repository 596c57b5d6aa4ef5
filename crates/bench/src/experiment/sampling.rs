//! Responses of a system.

use std::iter;

use terminal::Bars;
use trainer::TrainError;
use trainer::inference::{Engine, Job};
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::user_model::UserRef;

use super::SamplingTask;
use super::measured::SampledText;
use super::setup::SplitSetup;
use crate::config::{ExperimentConfig, SystemConfig};

/// A response to each task, and as many further ones as reward models ask for.
pub fn sampled<D>(
    system: &SystemConfig,
    config: &ExperimentConfig<D>,
    prepared: &SplitSetup,
    engine: &Engine,
    tasks: Vec<SamplingTask>,
) -> Result<Vec<SampledText>, TrainError> {
    let table = engine.table();
    let samples = config.samples_of(&system.name);
    let sampling = |sample: usize| SamplingConfig {
        // Far from the run's other seeds.
        seed: prepared.seed.wrapping_add((sample as u64) << 32),
        ..system.settings.sampling.clone()
    };
    let job = |task: &SamplingTask, sample| Job {
        user: task.user.as_deref().map_or(UserRef::Generic, |user| {
            // Without a table the name only tells this draw from another user's.
            match table.is_none_or(|table| table.contains(user)) {
                true => UserRef::id(user),
                false => UserRef::Generic,
            }
        }),
        key: task.key.clone(),
        ..of_task(task, sampling(sample))
    };
    let jobs = tasks.iter();
    let jobs: Vec<Job> = jobs
        .flat_map(|task| (0..samples).map(move |sample| (task, sample)))
        .map(|(task, sample)| job(task, sample))
        .collect();
    let responses = engine.respond(&jobs, config.evaluation.batch, &Bars::default())?;
    let mut texts = responses.into_iter().map(|response| response.text);
    let texts = iter::from_fn(|| Some((texts.next()?, texts.by_ref().take(samples - 1).collect())));
    let texts = tasks.into_iter().zip(texts);
    Ok(texts
        .map(|(task, (text, further))| SampledText {
            user: task.user,
            source: task.key,
            text,
            further,
        })
        .collect())
}

/// The job of a task for the generic user.
pub fn of_task(task: &SamplingTask, sampling: SamplingConfig) -> Job {
    Job {
        user_text: task.user_text.clone(),
        ..Job::new(task.prompt.clone(), UserRef::Generic, sampling)
    }
}

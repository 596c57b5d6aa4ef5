//! One system of the experiment on one split: trained, scored, sampled from.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use trainer::eval::{self, Scored};
use trainer::generation::{self, Job};
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::memory;
use trainer::metrics::Line;
use trainer::policy::Policy;
use trainer::session::{Monitor, Session, SessionConfig};
use trainer::step::Example;
use trainer::user_model::{UserRef, UserTable};
use trainer::{TrainError, files};

use super::setup::Prepared;
use crate::config::{ExperimentConfig, SFT, SystemConfig};
use crate::measure;
use crate::report::{CurvePoint, Trainable};

/// Everything measured of a system on one split; kept beside its adapters, so that a resumed run needs not repeat it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// The system.
    pub name: String,
    /// Rewards of the test comparisons, chosen and rejected; none for the SFT model, whose rewards are 0 by definition.
    pub rewards: Option<Vec<[f32; 2]>>,
    /// Sampled responses: user (none: generic), prompt, text.
    pub texts: Vec<SampledText>,
    /// Trainable weights.
    pub trainable: Trainable,
    /// Optimiser steps.
    pub steps: usize,
    /// Seconds of training, evaluation excluded.
    pub train_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
    /// Training comparisons per second.
    pub comparisons_per_second: Option<f64>,
    /// Peak resident memory.
    pub peak_rss_bytes: Option<u64>,
    /// Mean KL to the reference per response token, in nats.
    pub kl: f64,
    /// Mean negative log-likelihood per response token of held-out text, in nats.
    pub nll: f64,
    /// Accuracies on validation over training.
    pub curve: Vec<CurvePoint>,
}

/// A sampled response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SampledText {
    /// For whom; none: the generic user, or everyone.
    pub user: Option<String>,
    /// The post.
    pub source: String,
    /// The response.
    pub text: String,
}

impl Measured {
    /// The scored test comparisons.
    pub fn scored(&self) -> Option<Vec<Scored>> {
        let row = |r: &[f32; 2]| Scored {
            reward_chosen: r[0],
            reward_rejected: r[1],
            loss: f32::NAN,
        };
        self.rewards
            .as_ref()
            .map(|rows| rows.iter().map(row).collect())
    }
}

/// Trains (or goes on, or reads the result of) one system in `dir`.
///
/// # Errors
/// From training; [`TrainError::Interrupted`] where the monitor said stop.
pub fn run(
    system: &SystemConfig,
    config: &ExperimentConfig,
    prepared: &Prepared,
    dir: &Path,
    resume: bool,
    monitor: &mut dyn Monitor,
) -> Result<Measured, TrainError> {
    let result = dir.join("result.json");
    if resume && let Ok(text) = fs::read(&result) {
        return serde_json::from_slice(&text).map_err(|e| TrainError::format(&result, e));
    }
    memory::reset_peak();
    let start = Instant::now();
    let mut measured = match system.name.as_str() {
        SFT => untrained(config, prepared)?,
        _ => trained(system, config, prepared, dir, resume, monitor)?,
    };
    measured.name = system.name.clone();
    measured.seconds = start.elapsed().as_secs_f64();
    measured.peak_rss_bytes = memory::peak_bytes();
    fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, e))?;
    let text = serde_json::to_vec_pretty(&measured).map_err(|e| TrainError::format(&result, e))?;
    files::replace_file(&result, text)?;
    Ok(measured)
}

/// The SFT model as it is.
fn untrained(config: &ExperimentConfig, prepared: &Prepared) -> Result<Measured, TrainError> {
    let policy = Policy::plain(prepared.model.clone());
    let test = prepared.examples(&prepared.test, None)?;
    finish(&policy, None, config, prepared, &test, Measured::default())
}

fn trained(
    system: &SystemConfig,
    config: &ExperimentConfig,
    prepared: &Prepared,
    dir: &Path,
    resume: bool,
    monitor: &mut dyn Monitor,
) -> Result<Measured, TrainError> {
    let (policy, table) = Policy::start(
        prepared.model.clone(),
        &config.lora,
        system.users.as_ref(),
        &prepared.train,
        prepared.seed,
    )?;
    let trainable = Trainable {
        llm: Some(policy.model.num_adapter_params() as u64),
        users: policy
            .users
            .as_ref()
            .zip(table.as_ref())
            .map(|(users, table)| users.config().parameter_counts(table.len()).total() as u64),
    };
    let train = prepared.examples(&prepared.train, table.as_ref())?;
    let validation = prepared.examples(&prepared.validation, table.as_ref())?;
    let test = prepared.examples(&prepared.test, table.as_ref())?;
    let training = system.training(&config.training);
    let batch = training.batch;
    let session = SessionConfig {
        dir: dir.into(),
        base: prepared.base.clone(),
        seed: prepared.seed,
        lora: config.lora.clone(),
        objective: system.objective(&config.objective),
        training,
    };
    let session = Session::new(session, policy, table, (&train, &validation), resume)?;
    let outcome = session.run(monitor)?;
    let lines = read_metrics(&dir.join("metrics.jsonl"))?;
    let (steps, train_seconds) = (outcome.state.step, outcome.state.train_seconds);
    let measured = Measured {
        trainable,
        steps,
        train_seconds,
        comparisons_per_second: Some((steps * batch) as f64 / train_seconds),
        curve: measure::curve(&lines, &prepared.users),
        ..Measured::default()
    };
    let table = outcome.table.as_ref();
    let objective = system.objective(&config.objective).preference_loss()?;
    let rows = eval::score(
        &outcome.policy,
        table,
        &objective,
        &test,
        config.training.micro_rows,
    )?;
    let rewards = rows
        .iter()
        .map(|r| [r.reward_chosen, r.reward_rejected])
        .collect();
    let measured = Measured {
        rewards: Some(rewards),
        ..measured
    };
    finish(&outcome.policy, table, config, prepared, &test, measured)
}

/// KL, held-out loss and samples.
fn finish(
    policy: &Policy,
    table: Option<&UserTable>,
    config: &ExperimentConfig,
    prepared: &Prepared,
    test: &[Example],
    measured: Measured,
) -> Result<Measured, TrainError> {
    let some = &test[..test.len().min(config.evaluation.quality_comparisons)];
    let rows = config.training.micro_rows;
    let quality = eval::text_quality(policy, table, &prepared.model, some, rows)?;
    let mut users = vec![UserRef::Generic];
    if table.is_some() {
        users.extend(prepared.users.keys().map(UserRef::id));
    }
    let jobs: Vec<Job> = prepared
        .posts
        .iter()
        .flat_map(|post| {
            users.iter().map(|user| Job {
                user: user.clone(),
                prompt: post.prompt.clone(),
                user_text: post.user_text.clone(),
                key: post.source.clone(),
            })
        })
        .collect();
    let sampling = SamplingConfig {
        seed: prepared.seed,
        ..config.sampling.clone()
    };
    let batch = config.evaluation.batch;
    let texts = generation::responses(policy, table, &prepared.formatter, &sampling, &jobs, batch)?;
    let texts = jobs.into_iter().zip(texts).map(|(job, text)| SampledText {
        user: match job.user {
            UserRef::Generic => None,
            UserRef::Id(id) => Some(id),
        },
        source: job.key,
        text,
    });
    Ok(Measured {
        texts: texts.collect(),
        kl: quality.kl,
        nll: quality.nll,
        ..measured
    })
}

fn read_metrics(path: &Path) -> Result<Vec<Line>, TrainError> {
    let text = fs::read_to_string(path).map_err(|e| TrainError::io(path, e))?;
    let parse = |line| serde_json::from_str(line).map_err(|e| TrainError::format(path, e));
    text.lines().map(parse).collect()
}

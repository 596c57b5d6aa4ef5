//! One system of an experiment on one split: trained, scored, sampled from.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use terminal::Bars;
use trainer::burn::module::Module;
use trainer::dataset::Dataset;
use trainer::endings::Endings;
use trainer::eval;
use trainer::example::{Example, Item};
use trainer::inference::Engine;
use trainer::memory;
use trainer::monitor::Monitor;
use trainer::pdpo_loss::ScoredRow;
use trainer::policy::Policy;
use trainer::session::{Outcome, Session, SessionConfig};
use trainer::task::{Preference, Task};
use trainer::user_model::UserTable;
use trainer::{TrainError, files, metrics};

use super::measured::Measured;
use super::sampling::sampled;
use super::setup::SplitSetup;
use super::stage;
use super::{adapted, per_user, reward};
use crate::config::{EvaluationConfig, ExperimentConfig, ORACLE, SystemConfig, UserText};
use crate::measure;
use crate::newcomers::{Scorer, Served, Trained};
use crate::report::Trainable;

/// Trains (or goes on, or reads the result of) one system in `dir`, after others; true where it was not there yet. A result is read only if it was made
/// with the same settings.
///
/// # Errors
/// From training; [`TrainError::Interrupted`] where the monitor said stop.
pub fn run<D>(
    system: &SystemConfig,
    config: &ExperimentConfig<D>,
    (prepared, others): (&SplitSetup, &[Measured]),
    dir: &Path,
    resume: bool,
    monitor: &mut dyn Monitor,
) -> Result<(Measured, bool), TrainError> {
    let result = dir.join("result.json");
    let settings = settings(system, config, (prepared, others));
    if resume && stage::is_done(dir, &settings) {
        let text = fs::read(&result).map_err(|e| TrainError::io(&result, e))?;
        let measured = serde_json::from_slice(&text);
        return Ok((measured.map_err(|e| TrainError::format(&result, e))?, false));
    }
    memory::give_back();
    memory::reset_peak();
    let start = Instant::now();
    let trainer = Trainer {
        system,
        config,
        prepared,
        resume,
    };
    let mut measured = if !system.is_trained() {
        untrained(system, config, prepared)?
    } else if system.is_reward_model() {
        reward::trained(&trainer, others, dir, monitor)?
    } else if system.adapter_per_user {
        per_user::trained(&trainer, dir, monitor)?
    } else {
        trained(&trainer, dir, monitor)?
    };
    measured.name = system.name.clone();
    measured.seconds = start.elapsed().as_secs_f64();
    measured.peak_rss_bytes = memory::peak_bytes();
    fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, e))?;
    let text = serde_json::to_vec_pretty(&measured).map_err(|e| TrainError::format(&result, e))?;
    files::replace_file(&result, text)?;
    stage::mark_done(dir, &settings)?;
    Ok((measured, true))
}

/// Everything that a result depends on.
fn settings<D>(
    system: &SystemConfig,
    config: &ExperimentConfig<D>,
    (prepared, others): (&SplitSetup, &[Measured]),
) -> serde_json::Value {
    let sections = system.with_learnt(serde_json::json!({
        "lora": system.settings.lora,
        "training": system.settings.training.without_ways(),
        "sampling": system.settings.sampling,
    }));
    let mut of_system =
        serde_json::json!({ "name": system.name, "text": system.text, "users": system.users });
    for (key, says) in [
        ("adapter_per_user", system.adapter_per_user),
        ("newcomers", system.newcomers),
    ] {
        if says {
            of_system[key] = true.into();
        }
    }
    let evaluation = EvaluationConfig {
        best_of: None,
        ..config.evaluation.clone()
    };
    let mut settings = serde_json::json!({
        "model": prepared.key,
        "data": prepared.data_key,
        "seed": prepared.seed,
        "system": of_system,
        "settings": sections,
        "prompt": config.prompt,
        "user_tokens": config.user_tokens(),
        "evaluation": evaluation,
    });
    if system.is_reward_model() {
        settings["system"]["mode"] = serde_json::json!(system.mode);
        settings["candidates"] = reward::read(config, others);
    }
    let samples = config.samples_of(&system.name);
    if samples > 1 {
        settings["samples"] = samples.into();
    }
    settings
}

/// The SFT model as it is, or with the user's preference in the prompt: then its implicit reward is measured against
/// itself without.
fn untrained<D>(
    system: &SystemConfig,
    config: &ExperimentConfig<D>,
    prepared: &SplitSetup,
) -> Result<Measured, TrainError> {
    let policy = Policy::plain(prepared.model.clone());
    let engine = engine(system, prepared, (policy, None))?;
    let sides = prepared.sides(system.text)?;
    let test = sides.test.examples(None);
    let task = preference(system, prepared)?;
    let mut measured = Measured::default();
    if system.name == ORACLE {
        let plain = prepared.sides(Default::default())?.test.examples(None);
        let untold: Vec<&Example> = plain.iter().collect();
        prepared.reference.fill(&untold, &Bars::default())?;
        let informed: Vec<Example> = test.iter().zip(&plain).map(measured_against).collect();
        measured.rewards = Some(rewards(&engine, &task, &informed)?);
    } else {
        measured.newcomers = newcomers(system, prepared, (&engine, &task), Trained::Not)?;
    }
    finish(system, config, prepared, &engine, &test, measured)
}

/// An example whose reference log-probs are those of another, of the same responses.
fn measured_against((example, other): (&Example, &Example)) -> Example {
    let item = Item {
        reference: other.item.reference.clone(),
        ..Item::clone(&example.item)
    };
    Example {
        item: Arc::new(item),
        ..example.clone()
    }
}

fn trained<D>(
    trainer: &Trainer<'_, D>,
    dir: &Path,
    monitor: &mut dyn Monitor,
) -> Result<Measured, TrainError> {
    let Trainer {
        system,
        config,
        prepared,
        ..
    } = *trainer;
    let sides = prepared.sides(system.text)?;
    let (learnt, train) = match (system.newcomers, system.text) {
        (true, text) => {
            let newcomers = prepared.newcomers(text)?;
            let answers = newcomers.iter().map(|user| &user.answers);
            (Trained::OnThem, joined(&sides.train, answers))
        }
        (false, UserText::Profile) => (Trained::OnProfiles, sides.train.clone()),
        (false, _) => (Trained::OnOthers, sides.train.clone()),
    };
    let start = trainer.start(&train)?;
    let endings = endings(system, config, prepared, &sides.validation);
    let task = preference(system, prepared)?;
    let data = (&train, &sides.validation);
    let of_training = (task.clone(), endings);
    let (engine, measured) = trainer.learn(dir, of_training, start, data, monitor)?;
    let test = sides.test.examples(engine.table());
    let mut served = newcomers(system, prepared, (&engine, &task), learnt)?;
    if engine.table().is_none() && learnt == Trained::OnOthers {
        served.extend(adapted::newcomers(trainer, dir, monitor)?);
    }
    let measured = Measured {
        rewards: Some(rewards(&engine, &task, &test)?),
        newcomers: served,
        ..measured
    };
    finish(system, config, prepared, &engine, &test, measured)
}

/// How it serves users whom nobody was trained on.
fn newcomers(
    system: &SystemConfig,
    prepared: &SplitSetup,
    (engine, task): (&Engine, &Preference),
    trained: Trained,
) -> Result<Vec<Served>, TrainError> {
    let tokenised = prepared.newcomers(system.text)?;
    let bars = Bars::default();
    Scorer::new((engine, task), trained, &bars).serve(&prepared.data.newcomers, &tokenised)
}

/// Several datasets as one.
fn joined<'a>(first: &Dataset, more: impl Iterator<Item = &'a Dataset>) -> Dataset {
    let mut all = first.clone();
    for one in more {
        all.items.extend(one.items.iter().cloned());
        all.thumbs += one.thumbs;
    }
    all
}

/// Trains policies of a system.
pub(super) struct Trainer<'a, D> {
    pub(super) system: &'a SystemConfig,
    pub(super) config: &'a ExperimentConfig<D>,
    pub(super) prepared: &'a SplitSetup,
    pub(super) resume: bool,
}

/// What a session begins with.
type Begun = (Policy, Option<UserTable>);

impl<D> Trainer<'_, D> {
    /// The system's policy at step 0, whose users are those of the data.
    pub(super) fn start(&self, train: &Dataset) -> Result<Begun, TrainError> {
        let (system, prepared) = (self.system, self.prepared);
        let (lora, users) = (&system.settings.lora, system.users.as_ref());
        train.start_policy(prepared.model.clone(), lora, users, prepared.seed)
    }

    /// Trains on these data in `dir`, or goes on there; with the engine, what is known of the training.
    pub(super) fn learn<T: Task>(
        &self,
        dir: &Path,
        task: (T, Endings),
        start: Begun,
        (train, validation): (&Dataset, &Dataset),
        monitor: &mut dyn Monitor,
    ) -> Result<(Engine, Measured), TrainError> {
        let (policy, table) = &start;
        let head = policy.head.as_ref().map_or(0, Module::num_params);
        let trainable = Trainable {
            llm: Some((policy.model.num_adapter_params() + head) as u64),
            users: policy
                .users
                .as_ref()
                .zip(table.as_ref())
                .map(|(users, table)| users.config().parameter_counts(table.len()).total() as u64),
        };
        let examples = |side: &Dataset| side.examples(table.as_ref());
        let data = (examples(train), examples(validation));
        let outcome = self.train(dir, task, start, data, monitor)?;
        let lines = metrics::read(&dir.join("metrics.jsonl"))?;
        let (steps, train_seconds) = (outcome.state.step, outcome.state.train_seconds);
        let learnt = Measured {
            trainable,
            steps,
            train_seconds,
            comparisons_per_second: Some(outcome.comparisons as f64 / train_seconds),
            curve: measure::curve(&lines, &self.prepared.data.users),
            ..Measured::default()
        };
        let policy = (outcome.policy, outcome.table);
        Ok((engine(self.system, self.prepared, policy)?, learnt))
    }

    /// In `dir`, or goes on there.
    pub(super) fn train<T: Task>(
        &self,
        dir: &Path,
        (task, endings): (T, Endings),
        start: Begun,
        data: (Vec<Example>, Vec<Example>),
        monitor: &mut dyn Monitor,
    ) -> Result<Outcome, TrainError> {
        let (config, prepared) = (self.config, self.prepared);
        let session = SessionConfig {
            dir: dir.into(),
            base: prepared.lineage.clone(),
            model_key: prepared.key.clone(),
            seed: prepared.seed,
            lora: self.system.settings.lora.clone(),
            training: self.system.settings.training.clone(),
            section: "training",
            sources: serde_json::json!({ "model": config.model, "prompt": config.prompt }),
            further_devices: prepared.further_devices.clone(),
            clock: None,
        };
        let resume = self.resume && dir.exists();
        let session = Session::new(session, task, start, data, resume)?;
        session.with_endings(endings).run(monitor)
    }
}

/// Of the first prompts of validation, how likely a response is to end at once.
fn endings<D>(
    system: &SystemConfig,
    config: &ExperimentConfig<D>,
    prepared: &SplitSetup,
    validation: &Dataset,
) -> Endings {
    let mut seen = HashSet::new();
    let prompts = validation.items.iter().map(|item| &item.pair.prompt);
    let prompts = prompts.filter(|prompt| seen.insert(&prompt.ids));
    let mut stop_ids = prepared.formatter.stop_ids();
    stop_ids.extend(&system.settings.sampling.stop_ids);
    stop_ids.sort_unstable();
    stop_ids.dedup();
    Endings {
        prompts: prompts
            .take(config.evaluation.ending_prompts)
            .cloned()
            .collect(),
        users: prepared.data.users.keys().cloned().collect(),
        stop_ids,
    }
}

/// What a system that writes learns.
pub(super) fn preference(
    system: &SystemConfig,
    prepared: &SplitSetup,
) -> Result<Preference, TrainError> {
    let objective = &system.settings.objective;
    let reference = Some(prepared.reference.clone());
    Preference::from_config(objective, system.users.is_some(), reference)
}

/// What a system has learnt, ready to score and to write.
pub(super) fn engine(
    system: &SystemConfig,
    prepared: &SplitSetup,
    (policy, table): (Policy, Option<UserTable>),
) -> Result<Engine, TrainError> {
    let engine = Engine::new(policy, table, prepared.formatter_of(system.text)?);
    Ok(engine.with_micro_rows(system.settings.training.micro_rows))
}

/// Rewards by what was learnt, chosen and rejected; implicit ones of a system that writes.
pub(super) fn rewards<T: Task<Report = ScoredRow>>(
    engine: &Engine,
    task: &T,
    test: &[Example],
) -> Result<Vec<Option<[f32; 2]>>, TrainError> {
    let rows = engine.score(task, test, &Bars::default())?;
    Ok(rows
        .iter()
        .map(|r| Some([r.reward_chosen, r.reward_rejected]))
        .collect())
}

/// KL, held-out loss and samples.
fn finish<D>(
    system: &SystemConfig,
    config: &ExperimentConfig<D>,
    prepared: &SplitSetup,
    engine: &Engine,
    test: &[Example],
    measured: Measured,
) -> Result<Measured, TrainError> {
    let some = config.evaluation.quality_comparisons;
    let quality = text_quality(system, prepared, engine, test, some)?;
    let tasks = prepared
        .data
        .tasks_for(system.text, engine.table().is_some());
    Ok(Measured {
        texts: sampled(system, config, prepared, engine, tasks)?,
        kl: Some(quality.kl),
        nll: Some(quality.nll),
        ..measured
    })
}

/// KL and held-out loss on the first test comparisons.
pub(super) fn text_quality(
    system: &SystemConfig,
    prepared: &SplitSetup,
    engine: &Engine,
    test: &[Example],
    some: usize,
) -> Result<eval::TextQuality, TrainError> {
    let (policy, table) = (engine.policy(), engine.table());
    let some = &test[..test.len().min(some)];
    let rows = system.settings.training.micro_rows;
    eval::text_quality(policy, table, &prepared.model, some, rows, &Bars::default())
}

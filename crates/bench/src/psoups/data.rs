//! The comparisons of the P-SOUPS experiment, for one split.

use std::collections::{BTreeMap, HashSet};

use trainer::TrainError;
use trainer::pref_data::psoups::{PsoupsData, SplitBy};
use trainer::pref_data::{Comparison, Prompt, read_prompts};
use trainer::tokenise::Template;

use super::{PsoupsConfig, newcomers};
use crate::config::EvaluationConfig;
use crate::experiment::{ExperimentData, JudgingTask, RawForm, SamplingTask, thin};
use crate::measure::{Case, Users};
use crate::report::{Data, SplitCounts, UserInfo};

/// Loads one split.
///
/// # Errors
/// Broken input, or nothing left.
pub fn load(
    config: &PsoupsConfig,
    split_seed: u64,
    template: Template,
    evaluation: &EvaluationConfig,
) -> Result<ExperimentData, TrainError> {
    let mut data = PsoupsData::load(&config.paths, &config.options(split_seed))?;
    thin(&mut data.split.train, config.train_limit);
    thin(&mut data.split.test, config.test_limit);
    let profiles = data.profiles();
    let users: Users = profiles
        .iter()
        .map(|p| (p.user.to_string(), p.id.to_string()))
        .collect();
    let instructions = match &config.prompts {
        Some(path) => read_prompts(path)?,
        None => held_out(&data),
    };
    let preferences: BTreeMap<String, String> = profiles
        .iter()
        .filter_map(|p| Some((p.user.to_string(), p.preference.clone()?)))
        .collect();
    let newcomers = match &config.newcomers {
        Some(section) => newcomers::of(section, &data)?,
        None => Default::default(),
    };
    Ok(ExperimentData {
        newcomers,
        judged: judged(&instructions, &preferences, evaluation.prompts),
        cases: data.split.test.iter().map(|c| Case::new(c, true)).collect(),
        tasks: tasks(&instructions, &users, evaluation.prompts),
        preferences,
        raw: match template {
            Template::Raw => RawForm::Around(config.around.clone()),
            Template::Chat => RawForm::AsIs,
        },
        facts: facts(config, &data),
        users,
        train: data.split.train,
        validation: data.split.validation,
        test: data.split.test,
        ..ExperimentData::default()
    })
}

/// Distinct test instructions, in order of appearance.
fn held_out(data: &PsoupsData) -> Vec<String> {
    let mut seen = HashSet::new();
    let sources = data.split.test.iter().map(|c| c.source.clone());
    sources
        .filter(|source| seen.insert(source.clone()))
        .collect()
}

/// The generic user and every user get a response to each of the first instructions.
fn tasks(instructions: &[String], users: &Users, count: usize) -> Vec<SamplingTask> {
    let people = || std::iter::once(None).chain(users.keys().map(Some));
    instructions
        .iter()
        .take(count)
        .flat_map(|instruction| {
            people().map(|user| SamplingTask {
                key: instruction.clone(),
                prompt: Prompt::Text(instruction.clone()),
                user: user.cloned(),
                user_text: None,
            })
        })
        .collect()
}

/// The fields of `configs/judge/psoups.toml`.
fn judged(
    instructions: &[String],
    preferences: &BTreeMap<String, String>,
    count: usize,
) -> Vec<JudgingTask> {
    let task = |instruction: &String, (user, preference): (&String, &String)| JudgingTask {
        key: instruction.clone(),
        user: user.clone(),
        fields: [("instruction", instruction), ("preference", preference)]
            .map(|(key, value)| (key.to_string(), judge::Value::from(value.as_str())))
            .into(),
        chosen: None,
    };
    instructions
        .iter()
        .take(count)
        .flat_map(|instruction| preferences.iter().map(move |one| task(instruction, one)))
        .collect()
}

/// The id of whoever judged.
pub fn owner(comparison: &Comparison) -> &str {
    comparison.user.as_ref().map_or("", |u| u.as_str())
}

fn facts(config: &PsoupsConfig, data: &PsoupsData) -> Data {
    let split = &data.split;
    let count =
        |side: &[Comparison], user: &str| side.iter().filter(|c| owner(c) == user).count() as u64;
    let side = |name: &str, side: &[Comparison]| SplitCounts {
        name: name.into(),
        total: side.len() as u64,
        ..SplitCounts::default()
    };
    let mut notes = vec![format!("Left out: {}.", data.skipped)];
    if config.split_by == SplitBy::Row {
        notes.push(
            "Split by row, as in the released code: the same instruction is on several sides."
                .into(),
        );
    }
    Data {
        source: config.paths.join(", "),
        train: split.train.len() as u64,
        validation: Some(split.validation.len() as u64),
        eval: split.test.len() as u64,
        workers: data.profiles().len() as u64,
        split_by: Some(
            match config.split_by {
                SplitBy::Instruction => "instruction",
                SplitBy::Row => "row",
            }
            .into(),
        ),
        splits: vec![
            side("train", &split.train),
            side("validation", &split.validation),
            side("eval", &split.test),
        ],
        users: data
            .profiles()
            .iter()
            .map(|p| UserInfo {
                id: p.user.to_string(),
                group: Some(p.id.into()),
                train: count(&split.train, p.user.as_str()),
                eval: count(&split.test, p.user.as_str()),
            })
            .collect(),
        notes,
        ..Data::default()
    }
}

//! The comparisons of the PRISM experiment, for one split.

use std::collections::HashSet;

use trainer::TrainError;
use trainer::pref_data::prism::{PrismData, UserProfile};
use trainer::pref_data::{Comparison, Prompt, UserId};
use trainer::tokenise::Template;

use super::{PrismConfig, judging, newcomers};
use crate::config::EvaluationConfig;
use crate::experiment::{ExperimentData, JudgingTask, RawForm, SamplingTask, thin};
use crate::measure::Case;
use crate::report::{Data, SplitCounts, UserInfo};

/// Loads one split.
///
/// # Errors
/// Broken input, or nothing left.
pub fn load(
    config: &PrismConfig,
    split_seed: u64,
    template: Template,
    evaluation: &EvaluationConfig,
) -> Result<ExperimentData, TrainError> {
    let mut data = PrismData::load(&config.paths, &config.options(split_seed))?;
    let newcomers = match &config.newcomers {
        Some(section) => newcomers::of(section, &data)?,
        None => Default::default(),
    };
    thin(&mut data.split.train, config.train_limit);
    thin_test(&mut data, config.test_limit);
    let prompts = prompts(&data, evaluation.prompts);
    Ok(ExperimentData {
        newcomers,
        cases: data.split.test.iter().map(|c| case(&data, c)).collect(),
        tasks: tasks(&data, &prompts, config.other_users),
        judged: prompts
            .iter()
            .filter_map(|c| judge_task(&data, c))
            .collect(),
        raw: match template {
            Template::Raw => RawForm::Dialogue,
            Template::Chat => RawForm::AsIs,
        },
        facts: facts(config, &data),
        users: data
            .seen
            .iter()
            .map(|user| (user.to_string(), String::new()))
            .collect(),
        train: data.split.train,
        validation: data.split.validation,
        test: data.split.test,
        ..ExperimentData::default()
    })
}

/// The comparisons of seen users, and those of the others.
fn by_seen(
    data: &PrismData,
    comparisons: impl IntoIterator<Item = Comparison>,
) -> (Vec<Comparison>, Vec<Comparison>) {
    comparisons.into_iter().partition(|c| case(data, c).seen)
}

/// Keeps `limit` test comparisons, half of them of seen users, each half evenly spaced; 0 keeps all.
fn thin_test(data: &mut PrismData, limit: usize) {
    let test = std::mem::take(&mut data.split.test);
    let (mut seen, mut unseen) = by_seen(data, test);
    thin(&mut seen, limit.div_ceil(2));
    thin(&mut unseen, limit.div_ceil(2));
    data.split.test = seen.into_iter().chain(unseen).collect();
}

fn case(data: &PrismData, comparison: &Comparison) -> Case {
    let user = comparison.user.as_ref();
    Case::new(
        comparison,
        user.is_some_and(|user| data.seen.contains(user)),
    )
}

/// One comparison for each of the first distinct test prompts, evenly spaced over seen and over unseen users.
fn prompts(data: &PrismData, count: usize) -> Vec<Comparison> {
    let mut known = HashSet::new();
    let distinct = data.split.test.iter().filter(|c| known.insert(key(c)));
    let (mut seen, mut unseen) = by_seen(data, distinct.cloned());
    let half = count / 2;
    thin(&mut seen, (count - half).max(1));
    thin(&mut unseen, half.max(1));
    seen.into_iter().chain(unseen).take(count).collect()
}

/// A turn of a dialogue.
pub(super) fn key(comparison: &Comparison) -> String {
    format!("{} turn {}", comparison.source, turn(comparison))
}

fn turn(comparison: &Comparison) -> usize {
    match &comparison.prompt {
        Prompt::Chat(messages) => messages.len() / 2,
        Prompt::Text(_) => 0,
    }
}

/// Each prompt is answered for the user who wrote it and for some others, spread over all seen users.
fn tasks(data: &PrismData, prompts: &[Comparison], others: usize) -> Vec<SamplingTask> {
    let seen: Vec<&UserId> = data.seen.iter().collect();
    let mut tasks = Vec::new();
    for (number, comparison) in prompts.iter().enumerate() {
        let owner = comparison.user.as_ref();
        let step = (seen.len() / (others + 1)).max(1);
        let spread = (0..seen.len()).map(|i| seen[(number + i * step) % seen.len()]);
        let mut others_left: Vec<&UserId> = Vec::new();
        for user in spread {
            if others_left.len() < others && Some(user) != owner && !others_left.contains(&user) {
                others_left.push(user);
            }
        }
        for user in owner.into_iter().chain(others_left) {
            tasks.push(SamplingTask {
                key: key(comparison),
                prompt: comparison.prompt.clone(),
                user: Some(user.to_string()),
                user_text: data.profile(user).map(UserProfile::text),
            });
        }
    }
    tasks
}

fn judge_task(data: &PrismData, comparison: &Comparison) -> Option<JudgingTask> {
    let user = comparison.user.as_ref()?;
    let side = data.split.test.iter();
    let earlier = side.filter(|c| c.source == comparison.source && turn(c) < turn(comparison));
    let earlier: Vec<&Comparison> = earlier.collect();
    Some(JudgingTask {
        key: key(comparison),
        user: user.to_string(),
        fields: judging::fields(data.profile(user), &comparison.prompt, &earlier),
        chosen: Some(comparison.chosen.clone()),
    })
}

fn facts(config: &PrismConfig, data: &PrismData) -> Data {
    let split = &data.split;
    let count = |side: &[Comparison], user: &UserId| {
        side.iter()
            .filter(|c| c.user.as_ref() == Some(user))
            .count() as u64
    };
    let side = |name: &str, side: &[Comparison]| SplitCounts {
        name: name.into(),
        total: side.len() as u64,
        seen: Some(side.iter().filter(|c| case(data, c).seen).count() as u64),
        unseen: Some(side.iter().filter(|c| !case(data, c).seen).count() as u64),
        ..SplitCounts::default()
    };
    Data {
        source: config.paths.join(", "),
        train: split.train.len() as u64,
        validation: Some(split.validation.len() as u64),
        eval: split.test.len() as u64,
        workers: data.seen.len() as u64,
        split_by: Some("dialogue".into()),
        splits: vec![
            side("train", &split.train),
            side("validation", &split.validation),
            side("eval", &split.test),
        ],
        users: data
            .seen
            .iter()
            .map(|user| UserInfo {
                id: user.to_string(),
                group: None,
                train: count(&split.train, user),
                eval: count(&split.test, user),
            })
            .collect(),
        notes: vec![
            format!(
                "Dialogues read: {}. Left out: {}.",
                data.dialogues, data.skipped
            ),
            format!(
                "{} seen users, {} unseen ones, whose dialogues are all for evaluation.",
                data.seen.len(),
                data.unseen.len()
            ),
        ],
        ..Data::default()
    }
}

//! Win rates: a judge compares what the personalised systems wrote with what others wrote, for the same user.

use std::path::Path;

use judge::{Item, JudgeClient, JudgeConfig, JudgeError, Position, PromptFile, judge_all};
use trainer::TrainError;

use super::{Experiment, Measured, Run, SplitResult, judge_file};
use crate::config::SystemConfig;
use crate::report::Duel;

/// The name of the opponent that is the data's chosen response.
const CHOSEN: &str = "chosen response";

/// The judge of a run, if one is named; its answers are kept in the run's folder.
pub fn judge_config(config: Option<&JudgeConfig>, out: &Path) -> Option<JudgeConfig> {
    let mut config = config.cloned()?;
    if config.url.is_empty() || config.model.is_empty() {
        return None;
    }
    config.cache_dir.get_or_insert_with(|| out.join("judge"));
    Some(config)
}

/// Lets every personalised system meet every other kind of system, and the chosen response where there is one.
///
/// # Errors
/// A judge that cannot be set up, or prompts that do not fit the items. A judge that fails on the way ends the judging; what
/// it judged is returned.
pub fn win_rates<E: Experiment>(
    run: &Run<E>,
    config: JudgeConfig,
    results: &[SplitResult],
) -> Result<Vec<Duel>, TrainError> {
    let file = judge_file(E::NAME);
    let failed = |error: JudgeError| TrainError::format(&file, error);
    let prompt = PromptFile::load(&file).map_err(failed)?;
    let model = config.model.clone();
    let client = JudgeClient::new(config).map_err(failed)?;
    let (ours, others): (Vec<_>, Vec<_>) =
        run.config.systems.iter().partition(|s| s.users.is_some());
    let mut opponents: Vec<&str> = others
        .iter()
        .map(|s: &&SystemConfig| s.name.as_str())
        .collect();
    opponents.push(CHOSEN);
    let mut duels = Vec::new();
    for system in ours {
        for opponent in &opponents {
            let items = items(results, &system.name, opponent);
            if items.is_empty() {
                continue;
            }
            tracing::info!(
                "judge: {} against {opponent}, {} items",
                system.name,
                items.len()
            );
            let position = Position::default();
            let outcome = judge_all(&client, &prompt, &items, position, &mut |done, all| {
                if done % 50 == 0 {
                    tracing::info!("judge: {done} of {all}");
                }
                true
            })
            .map_err(failed)?;
            duels.push(Duel {
                system: system.name.clone(),
                opponent: opponent.to_string(),
                judge: model.clone(),
                rates: outcome.win_rates(&items),
                unparsable: outcome.unparsable.len() as u64,
                unjudged: outcome.unjudged.len() as u64,
            });
            if let Some(reason) = outcome.stopped {
                tracing::warn!("judge: {reason}; go on with --resume");
                return Ok(duels);
            }
        }
    }
    Ok(duels)
}

fn items(results: &[SplitResult], ours: &str, theirs: &str) -> Vec<Item> {
    let mut items = Vec::new();
    for (number, split) in results.iter().enumerate() {
        let find = |name: &str| split.systems.iter().find(|s| s.name == name);
        let Some(our_system) = find(ours) else {
            continue;
        };
        for task in &split.data.judged {
            let other = match theirs {
                CHOSEN => task.chosen.clone(),
                name => find(name).and_then(|s| text(s, &task.key, &task.user)),
            };
            let (Some(ours), Some(theirs)) = (text(our_system, &task.key, &task.user), other)
            else {
                continue;
            };
            items.push(Item {
                id: format!("{number} {}", task.key),
                user: task.user.clone(),
                fields: task.fields.clone(),
                ours,
                theirs,
            });
        }
    }
    items
}

/// What a system wrote for a user, or for everyone.
fn text(system: &Measured, key: &str, user: &str) -> Option<String> {
    let own = system
        .texts
        .iter()
        .find(|t| t.source == key && t.user.as_deref() == Some(user));
    let everyone = || {
        let mut texts = system.texts.iter();
        texts.find(|t| t.source == key && t.user.is_none())
    };
    own.or_else(everyone).map(|t| t.text.clone())
}

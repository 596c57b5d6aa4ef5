//! What values keys may have, where the crates that they belong to do not know their sections.

use std::path::Path;

use llm_backbone::sampling::{SamplingConfig, SamplingError};
use llm_backbone::{LoraConfig, LoraError};
use pdpo_loss::{LossError, Objective, ObjectiveConfig, PairLoss, PreferenceLoss};
use pref_data::Columns;

use super::training::{Checkpointing, LARGEST, TrainingSection};
use crate::error::TrainError;

/// Refuses a path that names nothing.
///
/// # Errors
/// Names the key.
pub fn validate_named(key: &str, path: &Path, expected: &str) -> Result<(), TrainError> {
    match path.to_string_lossy().trim().is_empty() {
        true => Err(TrainError::config(key, "an empty path", expected)),
        false => Ok(()),
    }
}

/// Refuses columns without a name, and one column for both responses.
pub(super) fn validate_columns(columns: &Columns) -> Result<(), TrainError> {
    let named = [
        ("prompt", &columns.prompt),
        ("chosen", &columns.chosen),
        ("rejected", &columns.rejected),
        ("user", &columns.user),
        ("user_text", &columns.user_text),
        ("source", &columns.source),
        ("group", &columns.group),
    ];
    for (key, name) in named {
        if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            let expected = "the name of a column, or no such key";
            return Err(TrainError::config(
                &format!("data.columns.{key}"),
                "empty",
                expected,
            ));
        }
    }
    match (&columns.chosen, &columns.rejected) {
        (Some(chosen), Some(rejected)) if chosen == rejected => Err(TrainError::config(
            "data.columns.rejected",
            rejected,
            "another column than data.columns.chosen",
        )),
        _ => Ok(()),
    }
}

/// Refuses sampling settings out of range, though nothing is sampled yet.
///
/// # Errors
/// Names the key.
pub fn validate_sampling(sampling: &SamplingConfig) -> Result<(), TrainError> {
    sampling.validate().map_err(|error| match error {
        SamplingError::Setting {
            key,
            found,
            expected,
        } => TrainError::config(&format!("sampling.{key}"), found, expected),
        other => other.into(),
    })?;
    match sampling.max_new_tokens {
        0 => Err(TrainError::config(
            "sampling.max_new_tokens",
            0,
            "at least 1",
        )),
        _ => Ok(()),
    }
}

/// Refuses ids that end a response and that no model of so many tokens ever writes.
///
/// # Errors
/// Names the key.
pub fn validate_stop_ids(sampling: &SamplingConfig, vocabulary: usize) -> Result<(), TrainError> {
    let unknown = |id: &&u32| usize::try_from(**id).map_or(true, |id| id >= vocabulary);
    match sampling.stop_ids.iter().find(unknown) {
        Some(id) => Err(TrainError::config(
            "sampling.stop_ids",
            format!("{:?}, with {id}", sampling.stop_ids),
            format!("ids below {vocabulary}, the size of the model's vocabulary"),
        )),
        None => Ok(()),
    }
}

/// Refuses settings of adapters out of range.
///
/// # Errors
/// Names the key.
pub fn validate_lora(lora: &LoraConfig) -> Result<(), TrainError> {
    if !(lora.alpha > 0.0 && lora.alpha <= LARGEST) {
        let expected = "a number above 0, at most 1e6";
        return Err(TrainError::config("lora.alpha", lora.alpha, expected));
    }
    lora.validate().map_err(|error| match error {
        LoraError::Config {
            key,
            found,
            expected,
        } => TrainError::config(&format!("lora.{key}"), found, expected),
        other => other.into(),
    })
}

/// Refuses a ratio of LoRA+ that makes more than 1 of the rate that is the value of `key`.
///
/// # Errors
/// Names the ratio.
pub fn validate_loraplus(lora: &LoraConfig, key: &str, rate: f64) -> Result<(), TrainError> {
    let ratio = lora.loraplus_lr_ratio;
    match ratio * rate <= 1.0 {
        true => Ok(()),
        false => Err(TrainError::config(
            "lora.loraplus_lr_ratio",
            ratio,
            format!(
                "at most {}: times {key}, which is {rate}, it is a rate",
                1.0 / rate
            ),
        )),
    }
}

/// Refuses to compute blocks again whose adapters drop inputs.
///
/// # Errors
/// Names the key.
pub fn validate_dropout(how: Checkpointing, has_dropout: bool) -> Result<(), TrainError> {
    match how == Checkpointing::Blocks && has_dropout {
        true => Err(TrainError::config(
            "training.gradient_checkpointing",
            "blocks, with dropout in the adapters",
            "none or operations, or lora.dropout = 0: a block that runs again draws anew",
        )),
        false => Ok(()),
    }
}

/// Refuses an objective out of range, and one that looks at whole batches where these are cut up.
///
/// # Errors
/// Names the key.
pub fn validate_objective(
    config: &ObjectiveConfig,
    has_users: bool,
    training: &TrainingSection,
) -> Result<(), TrainError> {
    let objective = objective(config, has_users)?;
    match objective.needs_batch_statistics() {
        true => validate_whole_batch(training, objective.branches().len()),
        false => Ok(()),
    }
}

/// Refuses thumbs, of which there are so many, for a loss that compares two responses.
///
/// # Errors
/// Names the key and the losses that take them.
pub fn validate_thumbs(config: &ObjectiveConfig, thumbs: usize) -> Result<(), TrainError> {
    if thumbs == 0 || objective(config, true)?.takes_thumbs() {
        return Ok(());
    }
    let all = PreferenceLoss::all();
    let names = all.iter().filter(|loss| loss.takes_thumbs());
    let names: Vec<&str> = names.map(PreferenceLoss::name).collect();
    let expected = format!(
        "a loss for single responses, as {thumbs} of the data are ({}), without ld_alpha",
        names.join(", ")
    );
    let found = config.loss.name();
    Err(TrainError::config("objective.loss", found, expected))
}

/// The objective of a section; without a user model only its generic branch.
///
/// # Errors
/// A number out of range, by its key.
pub fn objective(config: &ObjectiveConfig, has_users: bool) -> Result<Objective, TrainError> {
    config.init(has_users).map_err(|error| match error {
        LossError::Setting {
            key,
            found,
            expected,
        } => TrainError::config(&format!("objective.{key}"), found, expected),
        other => other.into(),
    })
}

/// Refuses to cut a batch up whose loss looks at all of it.
///
/// # Errors
/// Names the key.
pub fn validate_whole_batch(training: &TrainingSection, branches: usize) -> Result<(), TrainError> {
    let rows = training.batch.saturating_mul(branches);
    if training.micro_rows < rows {
        return Err(TrainError::config(
            "training.micro_rows",
            training.micro_rows,
            format!("at least {rows}: this loss looks at all rows of a batch at once"),
        ));
    }
    if training.replicas > 1 {
        return Err(TrainError::config(
            "training.replicas",
            training.replicas,
            "0 or 1: this loss looks at all rows of a batch at once",
        ));
    }
    Ok(())
}

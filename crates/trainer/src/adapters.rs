//! A trained policy on disk: a PEFT directory with the user model beside it.

use std::path::Path;

use burn::tensor::Device;
use llm_backbone::{LoraConfig, Model};
use user_model::{MANIFEST_FILE, Moments, UserTable, Vocabulary};

use crate::error::TrainError;
use crate::policy::Policy;

/// Writes adapters and user model. `base` names the model that they belong to.
///
/// # Errors
/// A folder that cannot be written.
pub fn save(
    dir: &Path,
    policy: &Policy,
    table: Option<&UserTable>,
    lora: &LoraConfig,
    base: &str,
) -> Result<(), TrainError> {
    policy.model.save_adapters(dir, lora, base)?;
    if let (Some(users), Some(table)) = (&policy.users, table) {
        user_model::save(dir, users, table, Moments::Drop)?;
    }
    Ok(())
}

/// Reads adapters and, where there is one, the user model, onto `base`.
///
/// # Errors
/// Missing or broken files, or tensors that do not fit `base`.
pub fn load(
    dir: &Path,
    base: Model,
    device: &Device,
) -> Result<(Policy, Option<UserTable>, LoraConfig), TrainError> {
    let vocabulary = Vocabulary::new(base.vocabulary());
    let (model, lora) = base.with_adapters(dir)?;
    if !dir.join(MANIFEST_FILE).exists() {
        return Ok((Policy::plain(model), None, lora));
    }
    let (users, table) = user_model::load(dir, device)?;
    let found = users.config().d_model;
    if found != model.d_model() {
        let problem = format!("`d_model` is {found}, the model's is {}", model.d_model());
        return Err(TrainError::format(&dir.join(MANIFEST_FILE), problem));
    }
    let policy = Policy {
        model,
        users: Some(users),
    };
    Ok((policy, Some(table.with_vocabulary(vocabulary)), lora))
}

//! A trained policy on disk: a PEFT directory with the user model beside it.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use llm_backbone::stable_id;
use llm_backbone::weights::{SafetensorsFile, WeightSource, write_safetensors};
use llm_backbone::{LoraConfig, Model};
use user_model::{MANIFEST_FILE, Moments, UserTable, Vocabulary};

use crate::error::TrainError;
use crate::lineage::Lineage;
use crate::policy::Policy;

/// Writes adapters and user model. `base` is the model that they belong to.
///
/// # Errors
/// A folder that cannot be written.
pub fn save(
    dir: &Path,
    policy: &Policy,
    table: Option<&UserTable>,
    lora: &LoraConfig,
    base: &Lineage,
) -> Result<(), TrainError> {
    policy.model.save_adapters(dir, lora, &base.name)?;
    base.write(dir)?;
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

/// Writes what is trained of `model`: its adapters, or where it has none, all weights.
pub(crate) fn write_trained(path: &Path, model: &Model) -> Result<(), TrainError> {
    match model.num_adapter_params() {
        0 => write_safetensors(path, model.export())?,
        _ => write_safetensors(path, model.adapter_tensors())?,
    }
    Ok(())
}

/// Reads what [`write_trained`] wrote into `model`, which has the same parts.
pub(crate) fn read_trained(
    path: &Path,
    model: Model,
    lora: &LoraConfig,
) -> Result<Model, TrainError> {
    let file = SafetensorsFile::open(path)?;
    if model.num_adapter_params() == 0 {
        let device = model.device();
        let read = Model::load(model.config(), &file, model.dtype(), &device)?;
        return Ok(with_stable_ids(read.trainable()));
    }
    let mut tensors = Vec::new();
    for name in file.names() {
        tensors.push((name.clone(), file.shape(&name)?, file.read(&name)?));
    }
    Ok(model.with_adapter_tensors(lora, &path.display().to_string(), tensors)?)
}

/// The model with parameter ids that are hashes of their paths where it has no adapters (whose ids are so already): an
/// optimiser's states find their parameters in another process.
pub(crate) fn with_stable_ids(model: Model) -> Model {
    struct Paths(Vec<String>);
    impl ModuleMapper for Paths {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.into());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (_, value, mapper) = param.consume();
            Param::from_mapped_value(stable_id(&self.0.join(".")), value, mapper)
        }
    }
    match model.num_adapter_params() {
        0 => model.map(&mut Paths(Vec::new())),
        _ => model,
    }
}

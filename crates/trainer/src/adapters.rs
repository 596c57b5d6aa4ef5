//! A trained policy on disk: a PEFT directory with the user model beside it, and the head of a reward model.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use llm_backbone::stable_id;
use llm_backbone::weights::{SafetensorsFile, WeightSource, write_safetensors};
use llm_backbone::{LoraConfig, Model};
use user_model::{FITTED_FOLDER, MANIFEST_FILE, Moments, UserModel, UserTable, Vocabulary};

use crate::config::Widths;
use crate::error::TrainError;
use crate::files::replace_folder;
use crate::head::{self, RewardHead};
use crate::lineage::Lineage;
use crate::policy::{Policy, rows_start_from_vocabulary, with_rows_from};

/// The folder of the adapters in that of their run.
pub(crate) const FOLDER: &str = "adapters";
/// Its files, all of them; the last is the mark of an experiment's finished stage, which is void with the adapters.
pub(crate) const FILES: [&str; 8] = [
    "adapter_config.json",
    "adapter_model.safetensors",
    "lineage.json",
    "user_model.json",
    "user_model.safetensors",
    head::REWARD,
    head::WEIGHTS,
    "made-with.json",
];

/// Writes adapters, user model and head in the place of those in `dir`, as a whole. `base` names the model that they belong to. Users who
/// were fitted beside those that were there go with them: beside others their rows mean nothing.
///
/// # Errors
/// A folder that cannot be written; what was there is then as it was.
pub fn save(
    dir: &Path,
    policy: &Policy,
    table: Option<&UserTable>,
    lora: &LoraConfig,
    base: &Lineage,
) -> Result<(), TrainError> {
    replace_folder(dir, &FILES, |new| {
        policy.model.save_adapters(new, lora, &base.name)?;
        base.write(new)?;
        if let (Some(users), Some(table)) = (&policy.users, table) {
            user_model::save(new, users, table, Moments::Drop)?;
        }
        policy.head.iter().try_for_each(|head| head.save(new))?;
        // Once all else is written: a full disk takes nobody away.
        let fitted = dir.join(FITTED_FOLDER);
        match std::fs::remove_dir_all(&fitted) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(TrainError::io(&fitted, e)),
            _ => Ok(()),
        }
    })
}

/// Writes a user model in the place of the one beside the adapters in `dir`, as a whole with these. Its fitted users stay.
///
/// # Errors
/// A folder that cannot be written; what was there is then as it was.
pub fn save_users(dir: &Path, users: &UserModel, table: &UserTable) -> Result<(), TrainError> {
    let dir = dir.canonicalize().map_err(|e| TrainError::io(dir, e))?;
    replace_folder(&dir, &FILES, |new| {
        user_model::save(new, users, table, Moments::Drop)?;
        copy_missing(&dir, new, FILES.iter())
    })
}

/// Copies those of some files that are not in the new folder.
pub(crate) fn copy_missing<'a>(
    old: &Path,
    new: &Path,
    names: impl Iterator<Item = &'a &'a str>,
) -> Result<(), TrainError> {
    for name in names {
        let (old, copy) = (old.join(name), new.join(name));
        if old.exists() && !copy.exists() {
            std::fs::copy(&old, &copy).map_err(|e| TrainError::io(&copy, e))?;
        }
    }
    Ok(())
}

/// Reads adapters and, where there are such, user model and head, onto `base`. A run that replaces them meanwhile has no influence: they
/// are read again.
///
/// # Errors
/// Missing or broken files, or tensors that do not fit `base`.
pub fn load(
    dir: &Path,
    base: Model,
    device: &Device,
) -> Result<(Policy, Option<UserTable>, LoraConfig), TrainError> {
    loop {
        let before = identity_of(dir);
        let loaded = load_once(dir, base.clone(), device);
        if identity_of(dir) == before {
            return loaded;
        }
    }
}

/// What tells a folder from the one that takes its place.
#[cfg(unix)]
fn identity_of(dir: &Path) -> Option<impl PartialEq> {
    use std::os::unix::fs::MetadataExt;
    let about = dir.metadata().ok()?;
    Some((about.ino(), about.ctime(), about.ctime_nsec()))
}

#[cfg(not(unix))]
fn identity_of(_: &Path) -> Option<impl PartialEq> {
    None::<()>
}

fn load_once(
    dir: &Path,
    base: Model,
    device: &Device,
) -> Result<(Policy, Option<UserTable>, LoraConfig), TrainError> {
    let head = RewardHead::load(dir, base.d_model(), device)?;
    if !dir.join(MANIFEST_FILE).exists() {
        let (model, lora) = base.with_adapters(dir)?;
        let policy = Policy {
            head,
            ..Policy::plain(model)
        };
        return Ok((policy, None, lora));
    }
    let (users, table) = user_model::load(dir, device)?;
    let starts = rows_start_from_vocabulary(table.config());
    let vocabulary = starts.then(|| Vocabulary::new(base.vocabulary()));
    let (model, lora) = base.with_adapters(dir)?;
    let Widths { d_model, cached } = model.config().into();
    let config = users.config();
    let width = if config.kind.is_prefix() {
        cached
    } else {
        d_model
    };
    for (key, found, expected) in [
        ("d_model", config.d_model, d_model),
        ("width", config.width(), width),
    ] {
        if found != expected {
            let problem = format!("`{key}` is {found}, the model's is {expected}");
            return Err(TrainError::format(&dir.join(MANIFEST_FILE), problem));
        }
    }
    let policy = Policy {
        model,
        users: Some(users),
        head,
    };
    Ok((policy, Some(with_rows_from(table, vocabulary)), lora))
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

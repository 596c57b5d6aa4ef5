//! What makes a reward of a state: a shared linear head, or the user's own vector (the two aggregators of P-RM, arXiv 2402.05133,
//! appendix F.2).
//!
//! On disk it is beside the adapters:
//!
//! ```text
//! reward.json                {"version": 1, "head": "scalar"}, or "user": these adapters rank texts, and write none
//! reward_head.safetensors    of a shared head: score.weight, [1, d_model] in f32, as transformers calls that of a
//!                            model for sequence classification with one label and no bias
//! ```

use std::fs;
use std::path::Path;

use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};
use llm_backbone::weights::{SafetensorsFile, WeightSource, write_safetensors};
use serde::{Deserialize, Serialize};
use user_model::{RowBatch, UserModel};

use crate::config::Head;
use crate::error::TrainError;
use crate::host::host;
use crate::pack::DeviceBatch;

/// What tells adapters of a reward model from others.
pub(crate) const REWARD: &str = "reward.json";
/// The weights of a shared head.
pub(crate) const WEIGHTS: &str = "reward_head.safetensors";

/// The name of the tensor.
const TENSOR: &str = "score.weight";
const VERSION: u32 = 1;

/// The same in every process, so that saved optimiser states find their parameter ("reward" in ASCII).
const WEIGHTS_ID: u64 = 0x7265_7761_7264;

/// The parameters of a shared head.
pub(crate) fn group() -> ParamGroup {
    ParamGroup::from_ids(vec![ParamId::from(WEIGHTS_ID)])
}

/// What makes a reward of the state of a response's last token.
#[derive(Module, Debug)]
pub struct RewardHead {
    /// `[d]` in f32, shared by all users; none where a user's own vector is the head.
    weights: Option<Param<Tensor<1>>>,
}

/// The content of [`REWARD`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    head: Head,
}

impl RewardHead {
    /// A head before the first step: a shared one is zero, so that nothing is preferred to anything and the loss is `log 2`.
    pub fn new(head: Head, d_model: usize, device: &Device) -> Self {
        let zeros = || Self::of(vec![0.0; d_model], device);
        match head {
            Head::Scalar => zeros(),
            Head::User => Self { weights: None },
        }
    }

    /// A shared head of these numbers.
    pub fn of(weights: Vec<f32>, device: &Device) -> Self {
        let shape = [weights.len()];
        let tensor = Tensor::from_data(TensorData::new(weights, shape), (device, DType::F32));
        let weights = Param::initialized(ParamId::from(WEIGHTS_ID), tensor);
        Self {
            weights: Some(weights.set_require_grad(true)),
        }
    }

    /// Which it is.
    pub fn kind(&self) -> Head {
        match self.weights {
            Some(_) => Head::Scalar,
            None => Head::User,
        }
    }

    /// Rewards of the responses whose last tokens have these states, `[scored, d]`: `[scored]` in f32. `None` where users' vectors are
    /// the heads, and there are none.
    pub(crate) fn rewards(
        &self,
        states: Tensor<2>,
        batch: &DeviceBatch,
        users: Option<(&UserModel, &RowBatch)>,
    ) -> Option<Tensor<1>> {
        let states = states.cast(DType::F32);
        let [scored, d] = states.dims();
        if let Some(weights) = &self.weights {
            return Some(
                states
                    .matmul(weights.val().reshape([d, 1]))
                    .reshape([scored]),
            );
        }
        let (model, rows) = users?;
        let heads = model.soft_prompt(rows).reshape([rows.len(), d]);
        // The row that a state is of: it meets the head of its own user.
        let [_, seq] = batch.positions.dims();
        let heads = heads.select(0, batch.predictors.clone().div_scalar(seq as i32));
        Some((states * heads).sum_dim(1).reshape([scored]))
    }

    /// Writes it into a folder.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), TrainError> {
        let path = dir.join(REWARD);
        let manifest = Manifest {
            version: VERSION,
            head: self.kind(),
        };
        let text = serde_json::to_vec(&manifest).map_err(|e| TrainError::format(&path, e))?;
        fs::write(&path, text).map_err(|e| TrainError::io(&path, e))?;
        if let Some(weights) = &self.weights {
            let numbers = host(weights.val().without_autodiff())?;
            let tensor = (TENSOR.to_owned(), vec![1, numbers.len()], numbers);
            write_safetensors(dir.join(WEIGHTS), [tensor])?;
        }
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote, for states of `d_model` numbers; none where there is none.
    pub(crate) fn load(
        dir: &Path,
        d_model: usize,
        device: &Device,
    ) -> Result<Option<Self>, TrainError> {
        let Some(head) = Self::kind_in(dir)? else {
            return Ok(None);
        };
        if head == Head::User {
            return Ok(Some(Self { weights: None }));
        }
        let path = dir.join(WEIGHTS);
        let file = SafetensorsFile::open(&path)?;
        let (found, expected) = (file.shape(TENSOR)?, [1, d_model]);
        if found != expected {
            let problem = format!("`{TENSOR}` is of the shape {found:?}, expected {expected:?}");
            return Err(TrainError::format(&path, problem));
        }
        Ok(Some(Self::of(file.read(TENSOR)?, device)))
    }

    /// Refuses the adapters in a folder where something else than their own head is to make use of them, as of weights that they are
    /// merged into.
    ///
    /// # Errors
    /// Names the folder; or a broken file.
    pub fn validate_without(dir: &Path) -> Result<(), TrainError> {
        match Self::kind_in(dir)? {
            None => Ok(()),
            Some(_) => {
                let problem = "these adapters are a reward model's, expected adapters that write: merged without its head they would rank nothing";
                Err(TrainError::format(dir, problem))
            }
        }
    }

    /// Which head the adapters in a folder have; none where they are no reward model's.
    ///
    /// # Errors
    /// A broken file.
    pub fn kind_in(dir: &Path) -> Result<Option<Head>, TrainError> {
        let path = dir.join(REWARD);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
        let found: Manifest =
            serde_json::from_slice(&text).map_err(|e| TrainError::format(&path, e))?;
        match found.version {
            VERSION => Ok(Some(found.head)),
            other => {
                let problem = format!("`version` is {other}, expected {VERSION}");
                Err(TrainError::format(&path, problem))
            }
        }
    }
}

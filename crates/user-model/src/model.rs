//! The shared, trainable part of a user model.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};

use sha2::{Digest, Sha256};

use crate::{RowBatch, TableError, UserModelConfig};

/// The tensors that all users share, and the function from a user's row to a soft prompt.
///
/// Its only parameter is `e_0`, `[1, T_u, width]`, or `V`, `[K, T_u, width]`, in f32, where `width` is `d_model` but for a
/// prefix; the
/// individual model without `e_0` and every model with `T_u` 0 have none. The users' own rows are
/// not in it: see [`UserTable`](crate::UserTable).
///
/// Built by [`UserModelConfig::init`] or [`load`](crate::load). On an autodiff device it trains;
/// `.valid()` gives the same model without gradients.
#[derive(Module, Debug)]
pub struct UserModel {
    shared: Option<Param<Tensor<3>>>,
    #[module(skip)]
    config: UserModelConfig,
}

/// The same in every process, so that saved optimiser states find their parameter ("shared" in ASCII).
const SHARED_ID: u64 = 0x7368_6172_6564;

impl UserModel {
    /// From the numbers of the shared tensors; none means that there are none.
    pub(crate) fn from_shared(config: UserModelConfig, shared: Vec<f32>, device: &Device) -> Self {
        let shape = Self::shared_shape(&config);
        let shared = (config.shared_tensors() > 0).then(|| {
            let data = TensorData::new(shared, shape);
            let tensor = Tensor::from_data(data, (device, DType::F32));
            Param::initialized(ParamId::from(SHARED_ID), tensor).set_require_grad(true)
        });
        Self { shared, config }
    }

    /// `[1 or K, T_u, width]`.
    pub(crate) fn shared_shape(config: &UserModelConfig) -> [usize; 3] {
        [config.shared_tensors(), config.user_tokens, config.width()]
    }

    /// The form of this user model.
    pub fn config(&self) -> &UserModelConfig {
        &self.config
    }

    /// `e_0` or `V`, `[1 or K, T_u, width]`, if the model has one.
    pub fn shared(&self) -> Option<Tensor<3>> {
        self.shared.as_ref().map(Param::val)
    }

    /// A hash of what all users share, of its form and numbers: what a row means something beside.
    ///
    /// # Errors
    /// [`TableError::Device`].
    pub fn shared_sha256(&self) -> Result<String, TableError> {
        let mut hash = Sha256::new();
        for size in Self::shared_shape(&self.config) {
            hash.update((size as u64).to_le_bytes());
        }
        if let Some(shared) = self.shared() {
            let values = shared.try_into_vec_as::<f32>();
            for value in values.map_err(|e| TableError::Device(e.to_string()))? {
                hash.update(value.to_le_bytes());
            }
        }
        Ok(format!("{:x}", hash.finalize()))
    }

    /// The soft prompts of a batch of users, `[batch, T_u, width]` in f32; of the kind `prefix` their keys and values, layer by
    /// layer.
    ///
    /// Differentiable in the shared tensors and in the leaf of `rows`. With `T_u` 0 the result is
    /// `[batch, 0, width]`. `rows` must come from a table of the same configuration.
    pub fn soft_prompt(&self, rows: &RowBatch) -> Tensor<3> {
        let (tokens, width) = (self.config.user_tokens, self.config.width());
        let shape = [rows.len(), tokens, width];
        let (kind, device) = (self.config.kind, rows.index.device());
        kind.soft_prompt(self.shared(), rows.gather(), shape, &device)
    }
}

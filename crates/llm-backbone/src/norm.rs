//! Norms over the last dimension.

use burn::module::{Module, Param};
use burn::nn;
use burn::tensor::{DType, Device, Tensor};

use crate::fused::rms_norm;
use crate::matrix::cast_if_needed;

/// `x / sqrt(mean(x^2) + epsilon) * gamma`, computed in f32.
#[derive(Module, Debug)]
pub(crate) struct RmsNorm {
    /// Its Hugging Face name.
    #[module(skip)]
    pub(crate) name: String,
    /// `[d]`.
    pub(crate) gamma: Param<Tensor<1>>,
    pub(crate) epsilon: f64,
    /// Whether `1 + gamma` stands in the place of `gamma`.
    pub(crate) above_one: bool,
}

impl RmsNorm {
    /// `[n, d]` to the same.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let dtype = x.dtype();
        let [x, gamma] = [x, self.gamma.val().unsqueeze()].map(|t| cast_if_needed(t, DType::F32));
        let gamma = match self.above_one {
            true => gamma.add_scalar(1.0),
            false => gamma,
        };
        cast_if_needed(rms_norm(x, gamma, self.epsilon), dtype)
    }

    /// The numbers of a row.
    pub(crate) fn width(&self) -> usize {
        let [width] = self.gamma.val().dims();
        width
    }

    pub(crate) fn device(&self) -> Device {
        self.gamma.val().device()
    }
}

/// burn's layer norm, which subtracts the mean first and adds a bias.
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    /// Its Hugging Face name.
    #[module(skip)]
    pub(crate) name: String,
    pub(crate) norm: nn::LayerNorm,
}

impl LayerNorm {
    /// `[n, d]` to the same.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.norm.forward(x)
    }

    pub(crate) fn device(&self) -> Device {
        self.norm.gamma.val().device()
    }
}

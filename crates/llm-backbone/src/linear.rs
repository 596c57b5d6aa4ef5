//! The two layers that can carry an adapter: [`Linear`] and [`Embedding`].

use burn::module::{Module, Param, ParamId};
use burn::tensor::{DType, Int, Tensor};

use crate::fused::product;
use crate::lora::Lora;

/// A frozen parameter: costs no gradient and no autodiff node. `train()` and `valid()` keep it frozen.
pub(crate) fn frozen<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), value).set_require_grad(false)
}

/// `y = x W + b`, plus the low-rank path `scale * (x A) B` where an adapter is attached.
///
/// The adapter is added to the *output*: composing `W + scale * A B` first would cost a full weight gradient.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[d_in, d_out]`: the transpose of the Hugging Face layout.
    pub weight: Param<Tensor<2>>,
    /// `[d_out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// The adapter; its factors are `[d_in, r]` and `[r, d_out]`.
    pub lora: Option<Lora>,
}

impl Linear {
    /// A layer with frozen weights. `weight` is `[d_in, d_out]`.
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self {
            weight: frozen(weight),
            bias: bias.map(frozen),
            lora: None,
        }
    }

    /// `[n, d_in]` to `[n, d_out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = product(x.clone(), self.weight.val());
        if let Some(bias) = &self.bias {
            y = y + bias.val().unsqueeze();
        }
        match &self.lora {
            Some(lora) => y + lora.forward(x),
            None => y,
        }
    }

    /// `[d_in, d_out]`.
    pub fn shape(&self) -> [usize; 2] {
        self.weight.val().dims()
    }

    /// The same layer with the adapter folded into its weight.
    pub fn merged(mut self) -> Self {
        if let Some(lora) = self.lora.take() {
            // As in files, `[d_out, d_in]`, which is the order that products read.
            let weight = self.weight.val().transpose();
            let delta = lora.delta().transpose().cast(weight.dtype());
            self.weight = frozen((weight + delta).detach().transpose());
        }
        self
    }
}

/// Rows of a table, plus the low-rank path `scale * A[ids] B` where an adapter is attached.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocab, d]`.
    pub weight: Param<Tensor<2>>,
    /// The adapter; its factors are `[vocab, r]` and `[r, d]`.
    pub lora: Option<Lora>,
}

impl Embedding {
    /// A table with frozen rows. `weight` is `[vocab, d]`.
    pub fn new(weight: Tensor<2>) -> Self {
        Self {
            weight: frozen(weight),
            lora: None,
        }
    }

    /// `[batch, seq]` token ids to `[batch, seq, d]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, seq] = ids.dims();
        let flat = ids.reshape([batch * seq]);
        let weight = self.weight.val();
        let [_, d] = weight.dims();
        let mut rows = weight.select(0, flat.clone());
        if let Some(lora) = &self.lora {
            rows = rows + lora.rows(flat);
        }
        rows.reshape([batch, seq, d])
    }

    /// The same table with the adapter folded in.
    pub fn merged(mut self) -> Self {
        if let Some(lora) = self.lora.take() {
            let weight = self.weight.val();
            let delta = lora.delta().cast(weight.dtype());
            self.weight = frozen((weight + delta).detach());
        }
        self
    }
}

/// Casts unless the tensor has that type already.
pub(crate) fn cast_if_needed<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if x.dtype() == dtype { x } else { x.cast(dtype) }
}

/// A layer that can carry an adapter.
pub(crate) enum Layer<'a> {
    /// A linear layer.
    Linear(&'a mut Linear),
    /// An embedding.
    Embedding(&'a mut Embedding),
}

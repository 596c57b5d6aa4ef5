//! Layers that can carry an adapter, [`Linear`] and [`Embedding`], and the [`Head`], which carries none.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use crate::lora::Lora;
use crate::matrix::Matrix;

/// `y = x W^T + b`, plus the low-rank path `scale * (x A) B` where an adapter is attached.
///
/// The adapter is added to the *output*: composing `W + scale * A B` first would cost a full weight gradient.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    /// Its Hugging Face name.
    #[module(skip)]
    pub(crate) name: String,
    /// `[d_out, d_in]`.
    pub(crate) weight: Matrix,
    /// `[d_out]`.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    /// The adapter; its factors are `[d_in, r]` and `[r, d_out]`.
    pub(crate) lora: Option<Lora>,
}

impl Linear {
    /// `[n, d_in]` to `[n, d_out]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut y = self.weight.product(x.clone());
        if let Some(bias) = &self.bias {
            y = y + bias.val().unsqueeze();
        }
        match &self.lora {
            Some(lora) => y + lora.forward(x),
            None => y,
        }
    }

    /// Folds the adapter into the weight, if there is one; returns the new weight.
    pub(crate) fn merge(&mut self) -> Option<&mut Matrix> {
        let lora = self.lora.take()?;
        self.weight = self.weight.plus(lora.delta().transpose());
        Some(&mut self.weight)
    }
}

/// Rows of a table, plus the low-rank path `scale * A[ids] B` where an adapter is attached.
#[derive(Module, Debug)]
pub(crate) struct Embedding {
    /// Its Hugging Face name.
    #[module(skip)]
    pub(crate) name: String,
    /// `[vocab, d]`.
    pub(crate) weight: Matrix,
    /// The adapter; its factors are `[vocab, r]` and `[r, d]`.
    pub(crate) lora: Option<Lora>,
}

impl Embedding {
    /// `[batch, seq]` token ids to `[batch, seq, d]`.
    pub(crate) fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, seq] = ids.dims();
        let flat = ids.reshape([batch * seq]);
        let mut rows = self.weight.rows(flat.clone());
        if let Some(lora) = &self.lora {
            let dtype = rows.dtype();
            rows = rows + lora.rows(flat, dtype);
        }
        let [_, d] = rows.dims();
        rows.reshape([batch, seq, d])
    }

    /// Folds the adapter into the table, if there is one; returns the new table.
    pub(crate) fn merge(&mut self) -> Option<&mut Matrix> {
        let lora = self.lora.take()?;
        self.weight = self.weight.plus(lora.delta());
        Some(&mut self.weight)
    }
}

/// The matrix from the stream to logits, `[vocab, d]`, where it is not the embedding's.
#[derive(Module, Debug)]
pub(crate) struct Head {
    /// Its Hugging Face name.
    #[module(skip)]
    pub(crate) name: String,
    /// `[vocab, d]`.
    pub(crate) weight: Matrix,
    /// `[vocab]`.
    pub(crate) bias: Option<Param<Tensor<1>>>,
}

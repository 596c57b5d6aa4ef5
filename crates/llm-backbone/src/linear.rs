//! Layers that can carry an adapter: [`Linear`], [`Embedding`], and the [`Head`].

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use crate::lora::{Kind, Lora};
use crate::matrix::Matrix;

/// `y = x W^T + b`, with what an adapter makes of the product where one is attached ([`Lora::output`]).
///
/// The adapter acts on the *output*: composing `W + scale * A B` first would cost a full weight gradient.
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
        let y = match &self.lora {
            Some(lora) => lora.output(self.weight.product(x.clone()), x, &self.weight),
            None => self.weight.product(x),
        };
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }

    /// Folds the adapter into the weight, if there is one; returns the new weight.
    pub(crate) fn merge(&mut self) -> Option<&mut Matrix> {
        let lora = self.lora.take()?;
        self.weight = lora.merged(&self.weight, Kind::Linear);
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
            rows = lora.embedded(rows, flat, &self.weight);
        }
        let [_, d] = rows.dims();
        rows.reshape([batch, seq, d])
    }

    /// Folds the adapter into the table, if there is one; returns the new table.
    pub(crate) fn merge(&mut self) -> Option<&mut Matrix> {
        let lora = self.lora.take()?;
        self.weight = lora.merged(&self.weight, Kind::Embedding);
        Some(&mut self.weight)
    }
}

/// The matrix from the stream to logits, `[vocab, d]`, where it is not the embedding's or carries an adapter.
#[derive(Module, Debug)]
pub(crate) struct Head {
    /// Its Hugging Face name.
    #[module(skip)]
    pub(crate) name: String,
    /// `[vocab, d]`; none where it is the embedding's.
    pub(crate) weight: Option<Matrix>,
    /// `[vocab]`.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    /// The adapter; its factors are `[d, r]` and `[r, vocab]`.
    pub(crate) lora: Option<Lora>,
}

impl Head {
    /// Folds the adapter into the weight, if there are both; returns the new weight.
    pub(crate) fn merge(&mut self) -> Option<&mut Matrix> {
        let weight = self.weight.as_mut()?;
        let lora = self.lora.take()?;
        *weight = lora.merged(weight, Kind::Head);
        Some(weight)
    }
}

//! Layers that can carry an adapter: [`Linear`], [`Embedding`], and the [`Head`].

use burn::module::{Module, Param};
use burn::tensor::{DType, Int, Tensor};

use crate::loader::Loader;
use crate::lora::{Kind, Lora};
use crate::matrix::{Matrix, cast_if_needed};
use crate::packed::SharedInput;
use crate::parts::parts;
use crate::weights::WeightError;

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
        self.forward_of(x, &SharedInput::default())
    }

    /// The same of what goes into other layers as well.
    pub(crate) fn forward_of(&self, x: Tensor<2>, input: &SharedInput) -> Tensor<2> {
        let y = match &self.lora {
            Some(lora) => lora.product(x, &self.weight, input),
            None => self.weight.product_of(x, input),
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

/// Layers of the same input: each by itself, or all of them as one matrix, whose outputs lie side by side.
#[derive(Module, Debug)]
pub(crate) struct SideBySide {
    layers: Vec<Linear>,
    /// Numbers of each output.
    #[module(skip)]
    widths: Vec<usize>,
}

parts!(SideBySide: layers);

impl SideBySide {
    /// Reads a layer for each name, or one of all `widths` together where there is one name; `biased` says whether they have
    /// biases.
    pub(crate) fn load(
        weights: &Loader<'_>,
        names: &[&str],
        d: usize,
        widths: &[usize],
        biased: bool,
    ) -> Result<Self, WeightError> {
        let load = |name: &str, width: usize| match biased {
            true => weights.linear_with_bias(name, [d, width]),
            false => weights.linear(name, [d, width]),
        };
        let layers = match names {
            [all] => vec![load(all, widths.iter().sum())?],
            names => {
                let each = names.iter().zip(widths);
                each.map(|(name, width)| load(name, *width))
                    .collect::<Result<_, _>>()?
            }
        };
        Ok(Self {
            layers,
            widths: widths.to_vec(),
        })
    }

    /// `[n, d]` to an output `[n, width]` of each width, of which there are `N`.
    pub(crate) fn forward<const N: usize>(&self, x: Tensor<2>) -> [Tensor<2>; N] {
        match self.layers.as_slice() {
            [all] => {
                let y = all.forward(x);
                let from = |i: usize| self.widths[..i].iter().sum();
                std::array::from_fn(|i| y.clone().narrow(1, from(i), self.widths[i]))
            }
            layers => {
                let input = SharedInput::default();
                std::array::from_fn(|i| layers[i].forward_of(x.clone(), &input))
            }
        }
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
    /// What rows are multiplied with, adapter and all, on their way into the first block.
    #[module(skip)]
    pub(crate) scale: Option<f32>,
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
        self.scaled(rows).reshape([batch, seq, d])
    }

    /// Rows of the table as blocks take them.
    pub(crate) fn scaled(&self, rows: Tensor<2>) -> Tensor<2> {
        let Some(scale) = self.scale else {
            return rows;
        };
        // Rounded to the type of the rows first, as `transformers` does.
        let scale = Tensor::<2>::from_data([[scale]], (&rows.device(), DType::F32));
        let scale = cast_if_needed(scale, rows.dtype());
        rows * scale
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

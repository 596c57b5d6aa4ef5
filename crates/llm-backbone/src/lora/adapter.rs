//! One adapter: its factors, its magnitude, and what it makes of a layer's output.

use burn::module::{Module, Param, ParamId};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::rules::{Kind, Shape};
use super::stable_id;
use crate::fused::product;
use crate::matrix::{Matrix, cast_if_needed, frozen};
use crate::packed::SharedInput;

/// The least square of a norm that is divided by: a row of zeros has none to speak of.
const LEAST_SQUARE: f64 = 1e-24;

/// The adapter of one module.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[d_in, r]`.
    pub a: Param<Tensor<2>>,
    /// `[r, d_out]`.
    pub b: Param<Tensor<2>>,
    /// Frozen factors of the same shapes that act beside the others: what PiSSA takes away of the weight. The weight stays as
    /// it was, so that it may be one of a file's blocks, and is still the reference's.
    taken: Option<Factors>,
    magnitude: Option<Magnitude>,
    scale: f64,
    dropout: Dropout,
}

/// Two factors, `[d_in, r]` and `[r, d_out]`.
#[derive(Module, Debug)]
struct Factors {
    a: Param<Tensor<2>>,
    b: Param<Tensor<2>>,
}

/// The magnitudes of DoRA (arXiv 2402.09353, equation 5).
#[derive(Module, Debug)]
struct Magnitude {
    /// `[d_out]`, trained.
    value: Param<Tensor<1>>,
    /// The squared norm of the frozen weights of each output, `[d_out]`.
    squares: Param<Tensor<1>>,
    /// What outputs are multiplied with, `[d_out]`, where it was computed once for good.
    share: Option<Param<Tensor<1>>>,
}

/// The numbers of an adapter: factors as `[d_in, r]` and `[r, d_out]`.
pub(super) struct Numbers {
    pub(super) factors: [Vec<f32>; 2],
    /// What PiSSA takes away, the second factor with the other sign.
    pub(super) taken: Option<[Vec<f32>; 2]>,
    /// Magnitudes; new ones where DoRA has none yet.
    pub(super) magnitude: Option<Option<Vec<f32>>>,
}

/// What an adapter is made for.
pub(super) struct Place<'a> {
    pub(super) module: &'a str,
    pub(super) kind: Kind,
    pub(super) weight: &'a Matrix,
    pub(super) device: &'a Device,
}

impl Lora {
    /// The adapter of `shape` for a module.
    pub(super) fn new(place: &Place<'_>, shape: Shape, numbers: Numbers) -> Self {
        let [d_in, d_out] = place.kind.sides(place.weight.shape());
        let tensor = |values: Vec<f32>, shape: [usize; 2]| {
            let data = TensorData::new(values, shape);
            Tensor::<2>::from_data(data, (place.device, DType::F32))
        };
        let id = |name: &str| stable_id(&format!("{}.{name}", place.module));
        let pair = |[a, b]: [Vec<f32>; 2]| {
            [
                tensor(a, [d_in, shape.rank]),
                tensor(b, [shape.rank, d_out]),
            ]
        };
        let [a, b] = pair(numbers.factors);
        let taken = numbers.taken.map(|taken| {
            let [a, b] = pair(taken).map(frozen);
            Factors { a, b }
        });
        let magnitude = numbers.magnitude.map(|values| {
            let squares = squares(place);
            let value = match values {
                Some(values) => tensor(values, [1, d_out]).reshape([d_out]),
                None => squares.clone().sqrt(),
            };
            Magnitude {
                value: trained(id("lora_magnitude_vector"), value),
                squares: frozen(squares),
                share: None,
            }
        });
        Self {
            a: trained(id("lora_A"), a),
            b: trained(id("lora_B"), b),
            taken,
            magnitude,
            scale: shape.scale,
            dropout: DropoutConfig::new(shape.dropout).init(),
        }
    }

    /// What a linear layer or head of this `weight` puts out of `x`: see [`output`](Self::output). In one operation where nothing but `scale (x A) B` is
    /// added and [`Matrix::adapted_product`] can do it.
    pub(crate) fn product(&self, x: Tensor<2>, weight: &Matrix, input: &SharedInput) -> Tensor<2> {
        let drops = self.drops() && x.device().is_autodiff();
        let at_once = match drops || self.magnitude.is_some() {
            true => None,
            false => weight.adapted_product(&x, || self.factors(), self.scale, input),
        };
        at_once.unwrap_or_else(|| {
            let y = weight.product_of(x.clone(), input);
            self.output(y, x, weight)
        })
    }

    /// What a linear layer or head puts out: of `x`, `[n, d_in]`, and `y = x W^T`, `[n, d_out]`,
    ///
    /// - `y + scale (dropout(x) A) B`
    /// - with a magnitude `m`, `m / |W + scale (A B)^T|` times that, where the norm of each row is no part of the gradient. Dropped
    ///   inputs are dropped in both products then, but for the part of `y` that no magnitude changes: as in `peft`,
    ///   `y + (share - 1) dropout(x) W^T + share scale (dropout(x) A) B`.
    ///
    /// Where PiSSA took something of the weight, `W` is what it left. The low-rank path is in f32; the result has the type of `y`.
    fn output(&self, y: Tensor<2>, x: Tensor<2>, weight: &Matrix) -> Tensor<2> {
        let dtype = y.dtype();
        let drops = self.drops() && x.device().is_autodiff();
        let x = cast_if_needed(x, DType::F32);
        let (y, x, factors) = match drops {
            false => (y, x, self.factors()),
            true => {
                let dropped = self.dropout.forward(x.clone());
                (self.left_of(y, x), dropped, [self.a.val(), self.b.val()])
            }
        };
        let low = self.low(x.clone(), factors);
        let Some(magnitude) = &self.magnitude else {
            return y + cast_if_needed(low, dtype);
        };
        let share = self.share(magnitude, weight, Kind::Linear).unsqueeze();
        let y = cast_if_needed(y, DType::F32);
        let sum = match drops {
            false => (y + low) * share,
            true => {
                let product = weight.product(cast_if_needed(x.clone(), dtype));
                let dropped = self.left_of(cast_if_needed(product, DType::F32), x);
                y - dropped.clone() + (dropped + low) * share
            }
        };
        cast_if_needed(sum, dtype)
    }

    /// `scale (x A) B`
    fn low(&self, x: Tensor<2>, [a, b]: [Tensor<2>; 2]) -> Tensor<2> {
        product(product(x, a).mul_scalar(self.scale), b)
    }

    /// What PiSSA leaves of a product with the weight, `y = x W^T`.
    fn left_of(&self, y: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
        let Some(taken) = &self.taken else {
            return y;
        };
        let dtype = y.dtype();
        y + cast_if_needed(self.low(x, [taken.a.val(), taken.b.val()]), dtype)
    }

    /// What an embedding puts out: `rows` of the table, `[n, d]`, plus `scale A[ids] B`; with a magnitude as [`output`](Self::output),
    /// where columns of the table have norms.
    pub(crate) fn embedded(
        &self,
        rows: Tensor<2>,
        ids: Tensor<1, Int>,
        table: &Matrix,
    ) -> Tensor<2> {
        let dtype = rows.dtype();
        let [a, b] = self.factors();
        let low = a.select(0, ids).mul_scalar(self.scale).matmul(b);
        let Some(magnitude) = &self.magnitude else {
            return rows + cast_if_needed(low, dtype);
        };
        let share = self.share(magnitude, table, Kind::Embedding).unsqueeze();
        cast_if_needed((cast_if_needed(rows, DType::F32) + low) * share, dtype)
    }

    /// The weight with the adapter folded into it.
    pub(crate) fn merged(&self, weight: &Matrix, kind: Kind) -> Matrix {
        let [a, b] = self.factors();
        let delta = a.matmul(b).mul_scalar(self.scale);
        let of_weight = |x: Tensor<2>| match kind {
            Kind::Embedding => x,
            Kind::Linear | Kind::Head => x.transpose(),
        };
        let share = (self.magnitude.as_ref())
            .map(|magnitude| of_weight(self.share(magnitude, weight, kind).unsqueeze()));
        weight.plus(of_weight(delta), share)
    }

    /// A and B with what PiSSA takes away beside them: `[d_in, R]` and `[R, d_out]`.
    pub(crate) fn factors(&self) -> [Tensor<2>; 2] {
        let [a, b] = [self.a.val(), self.b.val()];
        match &self.taken {
            None => [a, b],
            Some(taken) => [
                Tensor::cat(vec![a, taken.a.val()], 1),
                Tensor::cat(vec![b, taken.b.val()], 0),
            ],
        }
    }

    /// `m / |W + scale (A B)^T|`, `[d_out]`; the norm gets no gradient.
    ///
    /// The sum is never made: the square of the norm of row `j` is `|W_j|^2 + 2 scale (W A B)_jj + scale^2 |(A B)_j|^2`, of which
    /// `W A` has as many columns as there are ranks.
    fn share(&self, magnitude: &Magnitude, weight: &Matrix, kind: Kind) -> Tensor<1> {
        if let Some(share) = &magnitude.share
            && !magnitude.value.val().is_require_grad()
        {
            return share.val();
        }
        let [a, b] = self.factors().map(Tensor::detach);
        let rows = a.clone().transpose();
        let cross = match kind {
            Kind::Embedding => {
                let product = |(first, block): (usize, Tensor<2>)| {
                    let [count, _] = block.dims();
                    rows.clone().narrow(1, first, count).matmul(block)
                };
                let zeros = Tensor::zeros_like(&b);
                (weight.blocks(&a.device()).map(product)).fold(zeros, |sum, next| sum + next)
            }
            Kind::Linear | Kind::Head => {
                let product = weight.product(cast_if_needed(rows.clone(), weight.dtype()));
                cast_if_needed(product, DType::F32)
            }
        };
        let own = rows.matmul(a).matmul(b.clone());
        let added = cross.mul_scalar(2.0 * self.scale) + own.mul_scalar(self.scale * self.scale);
        let squares = magnitude.squares.val() + (b * added).sum_dim(0).flatten(0, 1);
        magnitude.value.val() / squares.clamp_min(LEAST_SQUARE).sqrt()
    }

    /// Computes the norms once: they are the same for every token as long as nothing is trained.
    pub(super) fn keep_share(&mut self, weight: &Matrix, kind: Kind) {
        let Some(magnitude) = &self.magnitude else {
            return;
        };
        let share = self.share(magnitude, weight, kind).detach();
        if let Some(magnitude) = &mut self.magnitude {
            magnitude.share = Some(frozen(share));
        }
    }

    /// The magnitudes, `[d_out]`.
    pub(super) fn magnitude(&self) -> Option<&Param<Tensor<1>>> {
        self.magnitude.as_ref().map(|magnitude| &magnitude.value)
    }

    /// The rank as it is written, and the scale.
    pub(crate) fn rank_and_scale(&self) -> (usize, f64) {
        let [_, rank] = self.a.val().dims();
        let taken = usize::from(self.taken.is_some());
        (rank * (1 + taken), self.scale)
    }

    pub(super) fn drops(&self) -> bool {
        self.dropout.prob > 0.0
    }

    /// Numbers that are trained.
    pub(crate) fn num_trained(&self) -> usize {
        let count = |factor: &Param<Tensor<2>>| factor.val().shape().num_elements();
        let magnitude = self.magnitude().map_or(0, |value| value.val().dims()[0]);
        count(&self.a) + count(&self.b) + magnitude
    }

    /// Numbers of frozen factors.
    pub(crate) fn num_taken(&self) -> usize {
        match &self.taken {
            Some(_) => {
                let [[d_in, rank], [_, d_out]] = [&self.a, &self.b].map(|f| f.val().dims());
                rank * (d_in + d_out)
            }
            None => 0,
        }
    }

    /// Whether it has magnitudes.
    pub(crate) fn has_magnitude(&self) -> bool {
        self.magnitude.is_some()
    }
}

fn trained<const D: usize>(id: ParamId, value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(id, value.detach()).set_require_grad(true)
}

/// The squared norm of the weights of each output, `[d_out]`.
fn squares(place: &Place<'_>) -> Tensor<1> {
    let blocks = place.weight.blocks(place.device);
    let blocks = blocks.map(|(_, block)| block.detach().square());
    let sums: Vec<Tensor<2>> = match place.kind {
        Kind::Embedding => blocks.map(|block| block.sum_dim(0)).collect(),
        Kind::Linear | Kind::Head => blocks.map(|block| block.sum_dim(1)).collect(),
    };
    let all = Tensor::cat(sums, 0);
    match place.kind {
        Kind::Embedding => all.sum_dim(0).flatten(0, 1),
        Kind::Linear | Kind::Head => all.flatten(0, 1),
    }
}

#[cfg(test)]
mod tests;

//! Rotary position embeddings looked up by position ids.
//!
//! burn's own `RotaryEncoding` takes one contiguous range and rotates adjacent pairs. Packed rows need arbitrary
//! positions (they restart after the shared prefix), and families pair the dimensions differently.
//!
//! A model may claim millions of positions. Beyond [`WHOLE`], a position is taken apart, `p = a b + c` with a fixed `b`, and the
//! rotation by `p` is that by `a b` after that by `c` (the angles add up): two small tables in place of a large one.

pub(crate) mod stretch;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::fused::rotate_halves;
use crate::matrix::cast_if_needed;

/// Which dimensions form a rotated pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// `(i, i + d/2)`, the two halves of a head.
    HalfSplit,
    /// `(2i, 2i + 1)`, neighbours.
    Interleaved,
}

/// More positions than this have no table of all of them.
const WHOLE: usize = 1 << 16;

/// Cosines and sines, `[positions, rotary_dim]`, one column per dimension (pairs share their value).
#[derive(Module, Debug)]
struct Table {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

/// Tables of the positions that a model knows.
#[derive(Module, Debug)]
pub(crate) struct Rope {
    /// Of the first positions: all, or those of one stride.
    fine: Table,
    /// Of the multiples of the stride; only where `fine` has not all positions.
    coarse: Option<Table>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    pairing: Pairing,
}

/// Cosines and sines of one batch, `[batch, 1, seq, rotary_dim]`: gathered once, used by every layer.
#[derive(Clone, Debug)]
pub(crate) struct RopeRows {
    cos: Tensor<4>,
    sin: Tensor<4>,
    pairing: Pairing,
}

/// Inverse frequencies `theta^(-2i/d)`, `[d/2]`.
pub(crate) fn inverse_frequencies(rotary_dim: usize, theta: f64) -> Vec<f64> {
    (0..rotary_dim / 2)
        .map(|i| theta.powf(-2.0 * i as f64 / rotary_dim as f64))
        .collect()
}

impl Rope {
    /// Tables for positions `0..positions`. `frequencies` has one entry per rotated pair.
    pub(crate) fn new(
        frequencies: &[f64],
        positions: usize,
        pairing: Pairing,
        device: &Device,
    ) -> Self {
        let stride = match positions <= WHOLE {
            true => positions,
            false => positions.isqrt().next_power_of_two(),
        };
        let table =
            |steps: usize, step: usize| Table::new(frequencies, (steps, step), pairing, device);
        Self {
            fine: table(stride, 1),
            coarse: (stride < positions).then(|| table(positions.div_ceil(stride), stride)),
            stride,
            pairing,
        }
    }

    /// The same with longer rows: cosines and sines times `factor`.
    pub(crate) fn stretched(mut self, factor: f64) -> Self {
        // The coarse rotation turns what the fine one has stretched already.
        self.fine.cos = self.fine.cos.mul_scalar(factor);
        self.fine.sin = self.fine.sin.mul_scalar(factor);
        self
    }

    /// Looks the positions of a batch up: `[batch, seq]`.
    pub(crate) fn rows(&self, positions: Tensor<2, Int>) -> RopeRows {
        let [batch, seq] = positions.dims();
        let flat = positions.reshape([batch * seq]);
        let [cos, sin] = match &self.coarse {
            None => self.fine.rows(flat),
            Some(coarse) => {
                // invariant: a stride fits an `i32`.
                let stride = i32::try_from(self.stride).unwrap_or(i32::MAX);
                let steps = flat.clone().div_scalar(stride);
                let [fine_cos, fine_sin] = self.fine.rows(flat - steps.clone().mul_scalar(stride));
                let [cos, sin] = coarse.rows(steps);
                [
                    fine_cos.clone() * cos.clone() - fine_sin.clone() * sin.clone(),
                    fine_sin * cos + fine_cos * sin,
                ]
            }
        };
        let [_, dim] = cos.dims();
        let [cos, sin] = [cos, sin].map(|rows| rows.reshape([batch, 1, seq, dim]));
        RopeRows {
            cos,
            sin,
            pairing: self.pairing,
        }
    }
}

impl Table {
    /// Of the positions `0, step, 2 step, ...`.
    fn new(
        frequencies: &[f64],
        (steps, step): (usize, usize),
        pairing: Pairing,
        device: &Device,
    ) -> Self {
        let half = frequencies.len();
        let column = |dimension: usize| match pairing {
            Pairing::HalfSplit => dimension % half,
            Pairing::Interleaved => dimension / 2,
        };
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..steps)
                .flat_map(|at| (0..2 * half).map(move |d| (at * step, d)))
                .map(|(p, d)| f(p as f64 * frequencies[column(d)]) as f32)
                .collect();
            Tensor::from_data(TensorData::new(values, [steps, 2 * half]), device)
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
        }
    }

    /// The rows at some places, `[places, rotary_dim]`.
    fn rows(&self, places: Tensor<1, Int>) -> [Tensor<2>; 2] {
        [&self.cos, &self.sin].map(|table| table.clone().select(0, places.clone()))
    }
}

impl RopeRows {
    /// Rotates the first `rotary_dim` dimensions of `x`, `[batch, heads, seq, head_dim]`; the rest pass through.
    pub(crate) fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, _, head_dim] = x.dims();
        let [_, _, _, rotary_dim] = self.cos.dims();
        let dtype = x.dtype();
        if self.pairing == Pairing::HalfSplit && rotary_dim == head_dim {
            let [cos, sin] = [&self.cos, &self.sin].map(|t| cast_if_needed(t.clone(), dtype));
            return rotate_halves(x, cos, sin);
        }
        let (part, rest) = if rotary_dim == head_dim {
            (x, None)
        } else {
            let rest = x.clone().narrow(3, rotary_dim, head_dim - rotary_dim);
            (x.narrow(3, 0, rotary_dim), Some(rest))
        };
        let cos = cast_if_needed(self.cos.clone(), dtype);
        let sin = cast_if_needed(self.sin.clone(), dtype);
        let rotated = part.clone() * cos + self.quarter_turn(part) * sin;
        match rest {
            Some(rest) => Tensor::cat(vec![rotated, rest], 3),
            None => rotated,
        }
    }

    /// `(a, b) -> (-b, a)` for every pair.
    fn quarter_turn(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, heads, seq, dim] = x.dims();
        match self.pairing {
            Pairing::HalfSplit => {
                let a = x.clone().narrow(3, 0, dim / 2);
                let b = x.narrow(3, dim / 2, dim / 2);
                Tensor::cat(vec![-b, a], 3)
            }
            Pairing::Interleaved => {
                let pairs = x.reshape([batch, heads, seq, dim / 2, 2]);
                let a = pairs.clone().narrow(4, 0, 1);
                let b = pairs.narrow(4, 1, 1);
                Tensor::<5>::cat(vec![-b, a], 4).reshape([batch, heads, seq, dim])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_pairs_dimensions_as_each_family_does() {
        let device = Device::flex();
        let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0]]]], &device);
        let turned = |pairing| {
            let rope = Rope::new(&[1.0, 0.5], 1, pairing, &device);
            let rows = rope.rows(Tensor::from_data([[0]], &device));
            rows.quarter_turn(x.clone())
                .into_data()
                .try_to_vec::<f32>()
                .unwrap()
        };
        assert_eq!(turned(Pairing::HalfSplit), [-3.0, -4.0, 1.0, 2.0]);
        assert_eq!(turned(Pairing::Interleaved), [-2.0, 1.0, -4.0, 3.0]);
    }

    #[test]
    fn rotation_depends_on_the_given_position_only() {
        let device = Device::flex();
        let rope = Rope::new(
            &inverse_frequencies(4, 10000.0),
            16,
            Pairing::HalfSplit,
            &device,
        );
        let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]]], &device);
        let y = rope.rows(Tensor::from_data([[7, 7]], &device)).rotate(x);
        let y = y.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(y[..4], y[4..]);
        // cos 7 - 3 sin 7, by hand.
        let expected = 7f64.cos() - 3.0 * 7f64.sin();
        assert!((f64::from(y[0]) - expected).abs() < 1e-5);
    }

    #[test]
    fn millions_of_positions_cost_no_memory_and_rotate_and_stretch_as_they_should() {
        let device = Device::flex();
        let frequencies = inverse_frequencies(4, 10000.0);
        let rope = Rope::new(&frequencies, 1 << 24, Pairing::HalfSplit, &device);
        assert_eq!(rope.fine.cos.dims(), [4096, 4]);
        let rope = rope.stretched(1.25);
        let places = [0, 7, 4095, 4096, 123_456, (1 << 24) - 1];
        let rows = rope.rows(Tensor::from_data([places], &device));
        for (table, f) in [(rows.cos, f64::cos as fn(f64) -> f64), (rows.sin, f64::sin)] {
            let found = table.into_data().try_to_vec::<f32>().unwrap();
            let angles = places.iter().flat_map(|p| (0..4).map(move |d| (p, d % 2)));
            for (found, (place, pair)) in found.iter().zip(angles) {
                let expected = 1.25 * f(f64::from(*place) * frequencies[pair]);
                assert!((f64::from(*found) - expected).abs() < 1e-6, "{place}");
            }
        }
    }
}

//! The gated unit of feed-forward layers (arXiv 2002.05202), `act(gate) * up`.

use crate::rows::{each_pair, each_row, exp};

/// What is done to the gate. Each is `x sigmoid(s(x))` with its own `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `s(x) = x`.
    Silu,
    /// The tanh form of GELU (arXiv 1606.08415): `s(x) = 2 sqrt(2 / pi) (x + 0.044715 x^3)`.
    GeluTanh,
}

/// `act(gate) * up`, in rows of `width`.
pub fn gated(gate: &[f32], up: &[f32], width: usize, act: Activation) -> Vec<f32> {
    match act {
        Activation::Silu => gated_by::<Silu>(gate, up, width),
        Activation::GeluTanh => gated_by::<GeluTanh>(gate, up, width),
    }
}

/// The gradients of `gate` and `up` from the one of their output.
pub fn gated_backward(
    gate: &[f32],
    up: &[f32],
    grad: &[f32],
    width: usize,
    act: Activation,
) -> (Vec<f32>, Vec<f32>) {
    match act {
        Activation::Silu => backward_by::<Silu>(gate, up, grad, width),
        Activation::GeluTanh => backward_by::<GeluTanh>(gate, up, grad, width),
    }
}

/// The `s` of an activation. Types, so that each loop is compiled for one.
trait Inner {
    fn at(x: f32) -> f32;
    fn slope(x: f32) -> f32;
}

struct Silu;

impl Inner for Silu {
    #[inline(always)]
    fn at(x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn slope(_: f32) -> f32 {
        1.0
    }
}

struct GeluTanh;

impl GeluTanh {
    /// `2 sqrt(2 / pi)`.
    const STEEP: f32 = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::SQRT_2;
    const CUBIC: f32 = 0.044715;
}

impl Inner for GeluTanh {
    #[inline(always)]
    fn at(x: f32) -> f32 {
        Self::STEEP * x * (1.0 + Self::CUBIC * x * x)
    }

    #[inline(always)]
    fn slope(x: f32) -> f32 {
        Self::STEEP * (1.0 + 3.0 * Self::CUBIC * x * x)
    }
}

/// The logistic function.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn gated_by<I: Inner>(gate: &[f32], up: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; gate.len()];
    each_row(
        &mut out,
        width,
        #[inline(always)]
        |i, out| {
            let (gate, up) = (&gate[i * width..][..width], &up[i * width..][..width]);
            for ((out, &g), &u) in out.iter_mut().zip(gate).zip(up) {
                *out = g * sigmoid(I::at(g)) * u;
            }
        },
    );
    out
}

#[inline(always)]
fn backward_by<I: Inner>(
    gate: &[f32],
    up: &[f32],
    grad: &[f32],
    width: usize,
) -> (Vec<f32>, Vec<f32>) {
    let mut for_gate = vec![0.0; grad.len()];
    let mut for_up = for_gate.clone();
    each_pair(
        (&mut for_gate, width),
        (&mut for_up, width),
        #[inline(always)]
        |i, for_gate, for_up| {
            let row = i * width..(i + 1) * width;
            let outs = for_gate.iter_mut().zip(for_up);
            let ins = gate[row.clone()].iter().zip(&up[row.clone()]);
            for ((for_gate, for_up), ((&g, &u), &d)) in outs.zip(ins.zip(&grad[row])) {
                let open = sigmoid(I::at(g));
                let through = g * open;
                *for_gate = d * u * (open + through * (1.0 - open) * I::slope(g));
                *for_up = d * through;
            }
        },
    );
    (for_gate, for_up)
}

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

/// `gate` becomes its gradient, and `grad`, that of the output, the gradient of `up`.
pub fn gated_backward(gate_and_grad: [&mut [f32]; 2], up: &[f32], width: usize, act: Activation) {
    match act {
        Activation::Silu => backward_by::<Silu>(gate_and_grad, up, width),
        Activation::GeluTanh => backward_by::<GeluTanh>(gate_and_grad, up, width),
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
fn backward_by<I: Inner>([gate, grad]: [&mut [f32]; 2], up: &[f32], width: usize) {
    each_pair(
        (gate, width),
        (grad, width),
        #[inline(always)]
        |i, gate, grad| {
            let up = &up[i * width..][..width];
            for ((gate, grad), &u) in gate.iter_mut().zip(grad).zip(up) {
                let (g, d) = (*gate, *grad);
                let open = sigmoid(I::at(g));
                let through = g * open;
                *gate = d * u * (open + through * (1.0 - open) * I::slope(g));
                *grad = d * through;
            }
        },
    );
}

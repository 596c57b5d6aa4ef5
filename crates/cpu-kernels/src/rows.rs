//! Loops over rows of f32, written so that the compiler vectorises them.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::attention::View;

/// Numbers that a reduction keeps apart: a multiple of every vector width in use.
const LANES: usize = 16;

/// Numbers below which threads would cost more than they save.
const PER_TASK: usize = 1 << 15;

/// Turns rows of `width` numbers into their softmax; `logs` gets the logarithms of the normalisers, one of each row.
pub fn softmax(rows: &mut [f32], width: usize, logs: &mut [f32]) {
    each_pair(
        (rows, width),
        (logs, 1),
        #[inline(always)]
        |_, row, log| log[0] = softmax_of(row),
    );
}

/// `scores` becomes `softmax(scores + bias)` over the last dimension; it is `[batch, heads, queries, keys]`, and `bias`
/// `[batch, 1, queries, keys]`.
pub fn masked_softmax(scores: &mut [f32], bias: &[f32], [heads, queries, keys]: [usize; 3]) {
    each_row(
        scores,
        keys,
        #[inline(always)]
        |i, row| {
            let (batch, query) = (i / (heads * queries), i % queries);
            add_and_softmax(row, &bias[(batch * queries + query) * keys..][..keys]);
        },
    );
}

/// `grad` becomes the gradient of scores whose softmax over `width` numbers is `probs`.
pub fn softmax_backward(grad: &mut [f32], probs: &[f32], width: usize) {
    each_row(
        grad,
        width,
        #[inline(always)]
        |i, row| softmax_backward_of(row, &probs[i * width..][..width]),
    );
}

/// `x / sqrt(mean(x^2) + epsilon) * gamma`, in rows as long as `gamma`.
pub fn rms_norm(x: &[f32], gamma: &[f32], epsilon: f32) -> Vec<f32> {
    let width = gamma.len();
    let mut out = vec![0.0; x.len()];
    each_row(
        &mut out,
        width,
        #[inline(always)]
        |i, out| rms_norm_of(out, &x[i * width..][..width], gamma, epsilon),
    );
    out
}

/// `grad` becomes the gradient of `x`.
pub fn rms_norm_backward(grad: &mut [f32], x: &[f32], gamma: &[f32], epsilon: f32) {
    let width = gamma.len();
    each_row(
        grad,
        width,
        #[inline(always)]
        |i, row| rms_norm_backward_of(row, &x[i * width..][..width], gamma, epsilon),
    );
}

/// `x cos + turn(x) sin`, `[batch, heads, seq, dim]`, where a turn takes the halves `(a, b)` of a row to `(-b, a)`. `cos`
/// and `sin` are `[batch, 1, seq, dim]`.
pub fn rotate_halves(
    x: View<'_>,
    cos: &[f32],
    sin: &[f32],
    [batch, heads, seq, dim]: [usize; 4],
) -> Vec<f32> {
    let [per_batch, per_head, per_slot] = x.strides;
    let mut out = vec![0.0; batch * heads * seq * dim];
    each_row(
        &mut out,
        dim,
        #[inline(always)]
        |i, out| {
            let (batch, head, slot) = (i / (heads * seq), i / seq % heads, i % seq);
            let at = batch * per_batch + head * per_head + slot * per_slot;
            let angle = (batch * seq + slot) * dim;
            let (cos, sin) = (&cos[angle..][..dim], &sin[angle..][..dim]);
            rotate_halves_of(out, &x.numbers[at..][..dim], cos, sin);
        },
    );
    out
}

/// Calls `work` with the index and the numbers of each row of `out`, on all threads and with all vector instructions
/// that there are, as far as `work` is inlined.
#[inline(always)]
pub(crate) fn each_row(
    out: &mut [f32],
    width: usize,
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let rows = per_task(width);
    let block = |i: usize, out: &mut [f32]| {
        let (first, work) = (i * rows, &work);
        pulp::Arch::new().dispatch(EachRow {
            out,
            width,
            first,
            work,
        });
    };
    if alone(out.len()) {
        block(0, out);
    } else {
        let blocks = out.par_chunks_mut(rows * width).enumerate();
        blocks.for_each(|(i, part)| block(i, part));
    }
}

/// As [`each_row`], with a row of `a` and the row of `b` of the same index.
#[inline(always)]
pub(crate) fn each_pair(
    (a, width_a): (&mut [f32], usize),
    (b, width_b): (&mut [f32], usize),
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync + Send,
) {
    let rows = per_task(width_a);
    let block = |i: usize, a: &mut [f32], b: &mut [f32]| {
        let (first, work) = (i * rows, &work);
        pulp::Arch::new().dispatch(EachPair {
            a: (a, width_a),
            b: (b, width_b),
            first,
            work,
        });
    };
    if alone(a.len()) {
        block(0, a, b);
    } else {
        let a = a.par_chunks_mut(rows * width_a);
        let b = b.par_chunks_mut(rows * width_b);
        a.zip(b).enumerate().for_each(|(i, (a, b))| block(i, a, b));
    }
}

/// Rows from index `first` on. A type of its own, as [`EachPair`]: a closure in its place would be compiled for the oldest
/// processors.
struct EachRow<'a, F> {
    out: &'a mut [f32],
    width: usize,
    first: usize,
    work: &'a F,
}

impl<F: Fn(usize, &mut [f32])> WithSimd for EachRow<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (j, row) in self.out.chunks_exact_mut(self.width).enumerate() {
            (self.work)(self.first + j, row);
        }
    }
}

struct EachPair<'a, F> {
    a: (&'a mut [f32], usize),
    b: (&'a mut [f32], usize),
    first: usize,
    work: &'a F,
}

impl<F: Fn(usize, &mut [f32], &mut [f32])> WithSimd for EachPair<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ((a, width_a), (b, width_b)) = (self.a, self.b);
        let pairs = a.chunks_exact_mut(width_a).zip(b.chunks_exact_mut(width_b));
        for (j, (a, b)) in pairs.enumerate() {
            (self.work)(self.first + j, a, b);
        }
    }
}

/// Rows that a thread takes at a time.
fn per_task(width: usize) -> usize {
    (PER_TASK / width).max(1)
}

/// Whether the calling thread should do it all.
fn alone(len: usize) -> bool {
    len <= PER_TASK || rayon::current_num_threads() == 1
}

/// `e^x` to within two units in the last place; 0 below -87, and what is no number stays none.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.0;
    const HIGHEST: f32 = 88.0;
    // Adding it leaves a float whose low bits are the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let held = if x < LOWEST { LOWEST } else { x };
    let held = if held > HIGHEST { HIGHEST } else { held };
    let shifted = held * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = held - n * LN_2_HIGH - n * LN_2_LOW;
    // Taylor's series; |r| is at most ln 2 / 2, where the first term left out is 5e-9.
    let mut p = 1.0 / 5040.0;
    for c in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = p * r + c;
    }
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let two_to_n = f32::from_bits(power.wrapping_add(127) << 23);
    if x < LOWEST { 0.0 } else { p * two_to_n }
}

/// Adds up `term(i)` for `i` in `0..n`.
#[inline(always)]
fn sum(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += term(start + lane);
        }
    }
    let rest: f32 = (whole..n).map(&term).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The largest of `values`.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        for (top, &x) in lanes.iter_mut().zip(chunk) {
            *top = larger(*top, x);
        }
    }
    lanes
        .into_iter()
        .chain(rest.iter().copied())
        .fold(f32::NEG_INFINITY, larger)
}

/// Turns `row` into its softmax; returns the logarithm of the normaliser.
#[inline(always)]
fn softmax_of(row: &mut [f32]) -> f32 {
    let [top, total] = powers(row);
    let factor = 1.0 / total;
    for x in row.iter_mut() {
        *x *= factor;
    }
    top + total.ln()
}

/// Turns `row` into `e^(x - top)`; returns the largest, `top`, and their sum.
#[inline(always)]
pub(crate) fn powers(row: &mut [f32]) -> [f32; 2] {
    let top = largest(row);
    for x in row.iter_mut() {
        *x = exp(*x - top);
    }
    [top, sum(row.len(), |i| row[i])]
}

/// Turns `row` into its softmax, from the largest and one over the sum that [`powers`] told.
#[inline(always)]
pub(crate) fn powers_again(row: &mut [f32], [top, factor]: [f32; 2]) {
    for x in row.iter_mut() {
        *x = exp(*x - top) * factor;
    }
}

/// As [`softmax_of`], of `row + bias`.
#[inline(always)]
pub(crate) fn add_and_softmax(row: &mut [f32], bias: &[f32]) {
    for (x, b) in row.iter_mut().zip(bias) {
        *x += b;
    }
    softmax_of(row);
}

/// `grad` becomes `probs * (grad - sum(probs * grad))`.
#[inline(always)]
pub(crate) fn softmax_backward_of(grad: &mut [f32], probs: &[f32]) {
    let probs = &probs[..grad.len()];
    let along = sum(grad.len(), |i| probs[i] * grad[i]);
    for (g, p) in grad.iter_mut().zip(probs) {
        *g = p * (*g - along);
    }
}

/// One over the root of the mean square.
#[inline(always)]
fn inverse_rms(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (sum(x.len(), |i| x[i] * x[i]) / x.len() as f32 + epsilon).sqrt()
}

/// `out = x / rms(x) * gamma`.
#[inline(always)]
fn rms_norm_of(out: &mut [f32], x: &[f32], gamma: &[f32], epsilon: f32) {
    let inverse = inverse_rms(x, epsilon);
    for ((out, x), g) in out.iter_mut().zip(x).zip(gamma) {
        *out = x * inverse * g;
    }
}

/// `grad` becomes the gradient of `x`.
#[inline(always)]
fn rms_norm_backward_of(grad: &mut [f32], x: &[f32], gamma: &[f32], epsilon: f32) {
    let (x, gamma) = (&x[..grad.len()], &gamma[..grad.len()]);
    let inverse = inverse_rms(x, epsilon);
    let along = sum(grad.len(), |i| grad[i] * gamma[i] * x[i]);
    let along = along * inverse * inverse / x.len() as f32;
    for ((d, x), g) in grad.iter_mut().zip(x).zip(gamma) {
        *d = inverse * (*d * g - x * along);
    }
}

/// `out = x cos + (-b, a) sin` for the halves `(a, b)` of `x`.
#[inline(always)]
fn rotate_halves_of(out: &mut [f32], x: &[f32], cos: &[f32], sin: &[f32]) {
    let half = out.len() / 2;
    let (a, b) = x.split_at(half);
    let (out_a, out_b) = out.split_at_mut(half);
    for i in 0..half {
        out_a[i] = a[i] * cos[i] - b[i] * sin[i];
        out_b[i] = b[i] * cos[half + i] + a[i] * sin[half + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_two_units_in_the_last_place() {
        for i in 0..200_000 {
            let x = -87.0 + i as f32 * (175.0 / 200_000.0);
            let (ours, expected) = (exp(x), f64::from(x).exp());
            let error = (f64::from(ours) - expected).abs() / expected;
            assert!(error < 2.4e-7, "exp({x}) = {ours}, expected {expected}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e30), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    /// More numbers than one thread takes, and a rest beside whole vectors: as one row at a time without threads.
    #[test]
    fn rows_do_not_depend_on_threads_and_vectors() {
        let width = 1037;
        let x = crate::test_random::numbers(1, 100 * width);
        let gamma = crate::test_random::numbers(2, width);
        let together = rms_norm(&x, &gamma, 1e-5);
        let mut alone = vec![0.0; x.len()];
        for (out, x) in alone.chunks_mut(width).zip(x.chunks(width)) {
            rms_norm_of(out, x, &gamma, 1e-5);
        }
        for (together, alone) in together.into_iter().zip(alone) {
            assert!((together - alone).abs() < 1e-5, "{together}, {alone}");
        }
    }
}

//! Products of a few rows with a large matrix, as in decoding.
//!
//! They do two operations per weight and row, so that reading the weights from memory is what takes the time. A general
//! product packs the matrix first or works on one core; here all threads read it once, in order.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::stored::StoredMatrix;

/// The most rows for which this is the better way.
pub(super) const MOST_ROWS: usize = 16;

/// Rows of weights at a time where there is one of `x`, so that additions do not wait for each other.
const TOGETHER: usize = 4;

/// Weights that a thread takes at a time.
const PER_TASK: usize = 1 << 14;

/// Rows of a matrix that begin `stride` numbers after each other.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) stride: usize,
}

impl Rows<'_> {
    #[inline(always)]
    fn skip(self, first: usize) -> Self {
        Self {
            numbers: &self.numbers[first * self.stride..],
            ..self
        }
    }
}

/// `x W^T`, `[n, d_out]`, of `x`, `[n, d_in]`, row by row, and `w`, `[d_out, d_in]`.
pub(super) fn product(x: &[f32], w: Rows<'_>, [d_in, d_out]: [usize; 2]) -> Vec<f32> {
    let n = x.len() / d_in;
    by_tasks([n, d_in, d_out], |first, columns| {
        self::columns(x, w.skip(first), d_in, columns);
    })
}

/// `w x^T`, `[rows of w, rows of x]`, on this thread; both have `d_in` numbers in a row.
pub(super) fn columns(x: &[f32], w: Rows<'_>, d_in: usize, columns: &mut [f32]) {
    let n = x.len() / d_in;
    pulp::Arch::new().dispatch(Columns {
        x,
        w,
        d_in,
        n,
        columns,
    });
}

/// [`product`] with a matrix of a file. For one row of `x`, blocks become numbers in registers alone where that is
/// supported; otherwise a few rows of the matrix do at a time, in a cache's worth of memory.
pub(super) fn stored_product(x: &[f32], w: &StoredMatrix) -> Vec<f32> {
    let [d_out, d_in] = w.shape();
    let n = x.len() / d_in;
    by_tasks([n, d_in, d_out], |first, columns| {
        if n == 1 && w.dots(first, x, columns) {
            return;
        }
        let mut numbers = vec![0.0; TOGETHER * d_in];
        for (i, columns) in columns.chunks_mut(TOGETHER * n).enumerate() {
            let numbers = &mut numbers[..columns.len() / n * d_in];
            w.rows(first + i * TOGETHER, numbers);
            let stride = d_in;
            self::columns(x, Rows { numbers, stride }, d_in, columns);
        }
    })
}

/// `[n, d_out]`: all threads do some rows of the weights, from a first one on, each writing `n` numbers a row.
fn by_tasks([n, d_in, d_out]: [usize; 3], work: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    // By columns first, so that a thread writes in one place.
    let mut columns = vec![0.0; d_out * n];
    let each = (PER_TASK / d_in).max(1);
    columns
        .par_chunks_mut(each * n)
        .enumerate()
        .for_each(|(task, columns)| work(task * each, columns));
    if n == 1 {
        return columns;
    }
    let mut out = vec![0.0; d_out * n];
    for (row, out) in out.chunks_exact_mut(d_out).enumerate() {
        for (out, column) in out.iter_mut().zip(columns.chunks_exact(n)) {
            *out = column[row];
        }
    }
    out
}

/// Some rows of `w` by all rows of `x`.
struct Columns<'a> {
    x: &'a [f32],
    w: Rows<'a>,
    d_in: usize,
    n: usize,
    columns: &'a mut [f32],
}

impl WithSimd for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (t, columns) in self.columns.chunks_mut(TOGETHER * self.n).enumerate() {
            let mut tile = Columns {
                w: self.w.skip(t * TOGETHER),
                x: self.x,
                d_in: self.d_in,
                n: self.n,
                columns,
            };
            let mut i = 0;
            while i < self.n {
                // As many sums at a time as there are registers for; weights should be read from memory once.
                i += match self.n - i {
                    8.. if S::REGISTER_COUNT >= 32 => tile.rows::<S, 2, 8>(simd, i),
                    8.. => tile.rows::<S, 1, 8>(simd, i),
                    4.. => tile.rows::<S, 2, 4>(simd, i),
                    _ => tile.rows::<S, TOGETHER, 1>(simd, i),
                };
            }
        }
    }
}

impl Columns<'_> {
    /// All rows of `w`, `A` at a time, by `B` rows of `x` from row `i` on; says how many that were.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // As in `dots`.
    fn rows<S: Simd, const A: usize, const B: usize>(&mut self, simd: S, i: usize) -> usize {
        let rows_of_w = self.columns.len() / self.n;
        let (numbers, stride) = (self.w.numbers, self.w.stride);
        let mut x: [&[f32]; B] = [&[]; B];
        for k in 0..B {
            x[k] = &self.x[(i + k) * self.d_in..][..self.d_in];
        }
        let mut j = 0;
        while j + A <= rows_of_w {
            let mut w: [&[f32]; A] = [&[]; A];
            for k in 0..A {
                w[k] = &numbers[(j + k) * stride..][..self.d_in];
            }
            let dots = dots(simd, w, x);
            for k in 0..A {
                self.columns[(j + k) * self.n + i..][..B].copy_from_slice(&dots[k]);
            }
            j += A;
        }
        while j < rows_of_w {
            let [dots] = dots(simd, [&numbers[j * stride..][..self.d_in]], x);
            self.columns[j * self.n + i..][..B].copy_from_slice(&dots);
            j += 1;
        }
        B
    }
}

/// The inner product of each of `a` with each of `b`, all of one length.
///
/// In plain loops: as closures and iterators, a third of it is calls that are not compiled for the processor at hand.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
fn dots<S: Simd, const A: usize, const B: usize>(
    simd: S,
    a: [&[f32]; A],
    b: [&[f32]; B],
) -> [[f32; B]; A] {
    let length = a[0].len();
    let vectors = length / S::F32_LANES;
    let mut a_vectors: [&[S::f32s]; A] = [&[]; A];
    let mut b_vectors: [&[S::f32s]; B] = [&[]; B];
    for i in 0..A {
        a_vectors[i] = &S::as_simd_f32s(a[i]).0[..vectors];
    }
    for j in 0..B {
        b_vectors[j] = &S::as_simd_f32s(b[j]).0[..vectors];
    }
    let mut sums = [[simd.splat_f32s(0.0); B]; A];
    for t in 0..vectors {
        let mut b_now = [simd.splat_f32s(0.0); B];
        for j in 0..B {
            b_now[j] = b_vectors[j][t];
        }
        for i in 0..A {
            let a_now = a_vectors[i][t];
            for j in 0..B {
                sums[i][j] = simd.mul_add_e_f32s(a_now, b_now[j], sums[i][j]);
            }
        }
    }
    let mut dots = [[0.0; B]; A];
    for i in 0..A {
        for j in 0..B {
            dots[i][j] = simd.reduce_sum_f32s(sums[i][j]);
            for t in vectors * S::F32_LANES..length {
                dots[i][j] += a[i][t] * b[j][t];
            }
        }
    }
    dots
}

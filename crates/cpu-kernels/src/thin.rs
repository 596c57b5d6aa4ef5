//! Products of a few rows with a large matrix, as in decoding.
//!
//! They do two operations per weight and row, so that reading the weights from memory is what takes the time. A general
//! product packs the matrix first or works on one core; here all threads read it once, in order.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::stored::StoredMatrix;

/// The most rows for which this is the better way: for more, what a general product does to the matrix first is worth it.
pub const MOST_ROWS: usize = 64;

/// Rows of weights that meet all rows of `x` while they are in the cache: a multiple of what every tile takes.
const TOGETHER: usize = 48;

/// Weights that a thread takes at a time, at least.
const PER_TASK: usize = 1 << 14;

/// Rows of a matrix that begin `stride` numbers after each other.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// From the first number of the first row on.
    pub numbers: &'a [f32],
    /// At least the width of a row.
    pub stride: usize,
}

impl<'a> Weights<'a> {
    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        let first = (rows * self.stride).min(self.numbers.len());
        Self {
            numbers: &self.numbers[first..],
            ..self
        }
    }

    #[inline(always)]
    fn row(self, i: usize, width: usize) -> &'a [f32] {
        &self.numbers[i * self.stride..][..width]
    }
}

/// `x W^T`, `[n, d_out]`, of `x`, `[n, d_in]`, row by row, and `w`, `[d_out, d_in]`; made for at most [`MOST_ROWS`] rows.
pub fn thin_product(x: &[f32], w: Weights<'_>, [d_in, d_out]: [usize; 2]) -> Vec<f32> {
    let n = x.len() / d_in;
    by_tasks([n, d_in, d_out], |first, out| {
        columns(x, w.skip(first), d_in, out);
    })
}

/// `x w^T` on this thread, a slice of `out` for each row of `x`, each at most as long as `w` has rows; all rows have `d_in`
/// numbers.
pub(crate) fn columns(x: &[f32], w: Weights<'_>, d_in: usize, out: &mut [&mut [f32]]) {
    pulp::Arch::new().dispatch(Columns { x, w, d_in, out });
}

/// [`thin_product`] with a matrix of a file. Blocks need no numbers in memory where that is supported; otherwise a few
/// rows of the matrix do at a time, in a cache's worth of memory.
pub(crate) fn stored_product(x: &[f32], w: &StoredMatrix, exact: bool) -> Vec<f32> {
    let [d_out, d_in] = w.shape();
    let n = x.len() / d_in;
    let factor = w.factor(x, n, exact);
    by_tasks([n, d_in, d_out], |first, out| {
        if let Some(factor) = &factor {
            return w.products(first, factor, out);
        }
        // What fills the tiles, which take three rows beside eight of `x`, or eight beside one.
        let each = if n.is_multiple_of(8) { 6 } else { 8 };
        let mut numbers = vec![0.0; each * d_in];
        let rows = out.first().map_or(0, |out| out.len());
        for from in (0..rows).step_by(each) {
            let numbers = &mut numbers[..each.min(rows - from) * d_in];
            w.rows(first + from, numbers);
            let stride = d_in;
            let mut out = parts(out, from, each);
            columns(x, Weights { numbers, stride }, d_in, &mut out);
        }
    })
}

/// `[n, d_out]`: all threads do some rows of the weights, from a first one on, and write as many numbers in each of `n`
/// rows.
fn by_tasks(
    [n, d_in, d_out]: [usize; 3],
    work: impl Fn(usize, &mut [&mut [f32]]) + Sync,
) -> Vec<f32> {
    let mut out = vec![0.0; n * d_out];
    if out.is_empty() {
        return out;
    }
    let each = PER_TASK.div_ceil(d_in).next_multiple_of(TOGETHER);
    let mut rows: Vec<_> = out
        .chunks_exact_mut(d_out)
        .map(|row| row.chunks_mut(each))
        .collect();
    let tasks = d_out.div_ceil(each);
    let mut parts = Vec::with_capacity(n * tasks);
    for _ in 0..tasks {
        parts.extend(rows.iter_mut().filter_map(Iterator::next));
    }
    parts
        .par_chunks_mut(n)
        .enumerate()
        .for_each(|(task, out)| work(task * each, out));
    out
}

/// At most `length` numbers of each row, from number `first` on.
fn parts<'a>(out: &'a mut [&mut [f32]], first: usize, length: usize) -> Vec<&'a mut [f32]> {
    let part = |row: &'a mut &mut [f32]| {
        let end = row.len().min(first + length);
        &mut row[first..end]
    };
    out.iter_mut().map(part).collect()
}

/// Some rows of `w` by all rows of `x`, for each of which `out` has a slice.
struct Columns<'a, 'o> {
    x: &'a [f32],
    w: Weights<'a>,
    d_in: usize,
    out: &'a mut [&'o mut [f32]],
}

impl WithSimd for Columns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let prefetch = Prefetch::of(self.w.numbers);
        let n = self.out.len();
        let rows = self.out.first().map_or(0, |out| out.len());
        for from in (0..rows).step_by(TOGETHER) {
            let range = [from, rows.min(from + TOGETHER)];
            let mut i = 0;
            while i < n {
                // As many sums at a time as there are registers for, so that additions do not wait for each other; weights
                // should be read from memory once.
                i += match n - i {
                    8.. if S::REGISTER_COUNT >= 32 => {
                        self.rows::<S, 3, 8>(simd, prefetch, i, range)
                    }
                    8.. => self.rows::<S, 1, 8>(simd, prefetch, i, range),
                    4.. => self.rows::<S, 2, 4>(simd, prefetch, i, range),
                    _ => self.rows::<S, 8, 1>(simd, prefetch, i, range),
                };
            }
        }
    }
}

impl Columns<'_, '_> {
    /// The rows of `w` in a range, `A` at a time, by `B` rows of `x` from row `i` on; says how many those are.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // As in `dots`.
    fn rows<S: Simd, const A: usize, const B: usize>(
        &mut self,
        simd: S,
        prefetch: Prefetch,
        i: usize,
        [mut j, end]: [usize; 2],
    ) -> usize {
        let (w, d_in) = (self.w, self.d_in);
        let mut x: [&[f32]; B] = [&[]; B];
        for b in 0..B {
            x[b] = &self.x[(i + b) * d_in..][..d_in];
        }
        while j + A <= end {
            let mut now: [&[f32]; A] = [&[]; A];
            for a in 0..A {
                now[a] = w.row(j + a, d_in);
            }
            let dots = dots(simd, now, x, (prefetch, w.skip(j + A)));
            for a in 0..A {
                for b in 0..B {
                    self.out[i + b][j + a] = dots[a][b];
                }
            }
            j += A;
        }
        while j < end {
            let [dots] = dots(simd, [w.row(j, d_in)], x, (prefetch, w.skip(j + 1)));
            for b in 0..B {
                self.out[i + b][j] = dots[b];
            }
            j += 1;
        }
        B
    }
}

/// The inner product of each of `a` with each of `b`, all of one length; the first rows of `next` will be `a` next.
///
/// In plain loops: as closures and iterators, a third of it is calls that are not compiled for the processor at hand.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
fn dots<S: Simd, const A: usize, const B: usize>(
    simd: S,
    a: [&[f32]; A],
    b: [&[f32]; B],
    (prefetch, next): (Prefetch, Weights<'_>),
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
        let mut a_now = [simd.splat_f32s(0.0); A];
        for i in 0..A {
            a_now[i] = a_vectors[i][t];
            if B > 1 {
                // Work enough on each number that the processor does not look ahead to the next rows by itself.
                prefetch.ask(next.numbers, i * next.stride + t * S::F32_LANES);
            }
        }
        for j in 0..B {
            let b_now = b_vectors[j][t];
            for i in 0..A {
                sums[i][j] = simd.mul_add_e_f32s(a_now[i], b_now, sums[i][j]);
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

/// What asks for memory ahead of its use.
#[derive(Clone, Copy)]
struct Prefetch {
    #[cfg(target_arch = "x86_64")]
    sse: Option<pulp::core_arch::x86::Sse>,
}

impl Prefetch {
    /// Does nothing for a few `numbers`, which caches hold anyway.
    fn of(numbers: &[f32]) -> Self {
        const FEW: usize = 1 << 14;
        let _many = numbers.len() > FEW;
        Self {
            #[cfg(target_arch = "x86_64")]
            sse: pulp::core_arch::x86::Sse::try_new().filter(|_| _many),
        }
    }

    /// Asks for the memory at `numbers[at]`, which need not exist.
    #[inline(always)]
    fn ask(self, numbers: &[f32], at: usize) {
        #[cfg(target_arch = "x86_64")]
        if let Some(sse) = self.sse {
            let address = numbers.as_ptr().wrapping_add(at);
            sse._mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (numbers, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::numbers;

    /// Against sums in double precision; widths with a rest, more outputs than one task takes, every tile.
    #[test]
    fn products_of_few_rows_are_products_on_every_processor() {
        for (d_in, d_out) in [(37, 5), (576, 131), (8, 1)] {
            for n in [1, 2, 3, 4, 5, 8, 13, 16, 64] {
                let (x, w) = (numbers(1, n * d_in), numbers(2, d_out * (d_in + 3)));
                let stride = d_in + 3;
                let w = Weights {
                    numbers: &w,
                    stride,
                };
                let vector = thin_product(&x, w, [d_in, d_out]);
                let mut plain = vec![0.0; n * d_out];
                let mut out: Vec<_> = plain.chunks_mut(d_out).collect();
                let columns = Columns {
                    x: &x,
                    w,
                    d_in,
                    out: &mut out,
                };
                columns.with_simd(pulp::Scalar);
                for (i, (vector, plain)) in vector.into_iter().zip(plain).enumerate() {
                    let (x, w) = (&x[i / d_out * d_in..][..d_in], w.row(i % d_out, d_in));
                    let terms = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w));
                    let expected: f64 = terms.sum();
                    for found in [vector, plain] {
                        let error = (f64::from(found) - expected).abs();
                        assert!(error < 1e-5 * d_in as f64, "{found}, expected {expected}");
                    }
                }
            }
        }
    }
}

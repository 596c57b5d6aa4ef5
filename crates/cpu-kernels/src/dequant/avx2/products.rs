//! Inner products of rows of blocks with rows of `x`, without the matrix's numbers in memory.
//!
//! Eights and fours of rows of `x` meet each block's numbers in f32. For one to three rows, making those would take longer than
//! multiplying them: so few are rounded to 16-bit integers, which multiply the stored quants directly. Where the processor does that faster
//! for more rows too (`vnni.rs`), they are rounded as well, unless the product is to be exact.

use core::arch::x86_64::{__m256, __m256i};
use std::marker::PhantomData;

use pulp::NullaryFnOnce;
use pulp::x86::{V3, V4};

use super::rounded::{self, RoundedPair};
use super::{Block, Q4_0, Q4_1, Q8_0, numbers, vnni};
use crate::types::TensorType;

/// The most rows of `x` that are rounded.
const FEW: usize = 3;

/// Rows of `x`, ready for products with many rows of blocks of one type.
pub(crate) struct Factor<'a> {
    simd: V3,
    /// The same instructions, but twice the registers.
    more_registers: Option<V4>,
    kind: TensorType,
    /// The rows, one behind the other.
    x: &'a [[f32; 32]],
    /// Blocks in a row.
    in_row: usize,
    /// The rows, rounded, if they are at most [`FEW`].
    rounded: Vec<RoundedPair>,
    /// The rows where they are more and the processor has VNNI.
    pairs: Option<vnni::Factor>,
}

impl<'a> Factor<'a> {
    /// Of `n` rows, of which more than three are not rounded where products are to be `exact`; `None` for another type or processor.
    pub(crate) fn new(kind: TensorType, x: &'a [f32], n: usize, exact: bool) -> Option<Self> {
        let supported = matches!(kind, TensorType::Q4_0 | TensorType::Q4_1 | TensorType::Q8_0);
        let simd = V3::try_new().filter(|_| supported)?;
        let (x, _) = x.as_chunks();
        let in_row = x.len().checked_div(n).unwrap_or(0);
        let rounded = rounded::pairs(simd, if n <= FEW { x } else { &[] }, in_row);
        let pairs = || match kind {
            TensorType::Q4_0 => vnni::Factor::new::<18, Q4_0>(simd, x, in_row),
            TensorType::Q4_1 => vnni::Factor::new::<20, Q4_1>(simd, x, in_row),
            TensorType::Q8_0 => vnni::Factor::new::<34, Q8_0>(simd, x, in_row),
            _ => None, // invariant: supported types alone come here
        };
        Some(Self {
            simd,
            more_registers: V4::try_new(),
            kind,
            x,
            in_row,
            rounded,
            pairs: if n > FEW && !exact { pairs() } else { None },
        })
    }

    /// Fills each row of `out` with the inner products of the first rows of `bytes` and the row of `x` of the same index.
    /// Scales must be finite.
    pub(crate) fn products(&self, bytes: &[u8], out: &mut [&mut [f32]]) {
        match self.kind {
            TensorType::Q4_0 => self.multiply::<18, Q4_0>(bytes, out),
            TensorType::Q4_1 => self.multiply::<20, Q4_1>(bytes, out),
            TensorType::Q8_0 => self.multiply::<34, Q8_0>(bytes, out),
            _ => {} // invariant: there is no factor for other types
        }
    }

    /// As on a processor with AVX2 alone.
    #[cfg(test)]
    pub(crate) fn with_few_registers(self) -> Self {
        Self {
            more_registers: None,
            ..self
        }
    }

    fn multiply<const B: usize, T: Block<B>>(&self, bytes: &[u8], out: &mut [&mut [f32]]) {
        let (blocks, _) = bytes.as_chunks();
        if let Some(pairs) = &self.pairs {
            return pairs.products::<B, T>(blocks, out);
        }
        match self.more_registers {
            Some(v4) => v4.vectorize(Products::<2, B, T>::of(self, blocks, out)),
            None => self
                .simd
                .vectorize(Products::<1, B, T>::of(self, blocks, out)),
        }
    }
}

/// See [`Factor::products`]; `R` rows of the matrix at a time by several of `x`.
struct Products<'a, 'o, const R: usize, const B: usize, T> {
    factor: &'a Factor<'a>,
    blocks: &'a [[u8; B]],
    out: &'a mut [&'o mut [f32]],
    kind: PhantomData<T>,
}

impl<'a, 'o, const R: usize, const B: usize, T: Block<B>> Products<'a, 'o, R, B, T> {
    fn of(factor: &'a Factor<'a>, blocks: &'a [[u8; B]], out: &'a mut [&'o mut [f32]]) -> Self {
        Self {
            factor,
            blocks,
            out,
            kind: PhantomData,
        }
    }
}

impl<const R: usize, const B: usize, T: Block<B>> NullaryFnOnce for Products<'_, '_, R, B, T> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let n = self.out.len();
        let mut i = 0;
        while i < n {
            i += match n - i {
                8.. => self.several::<8>(i),
                4.. => self.several::<4>(i),
                _ if n <= FEW => self.one(i),
                // Some of them once more.
                _ => self.several::<4>(n - 4),
            };
        }
    }
}

impl<const R: usize, const B: usize, T: Block<B>> Products<'_, '_, R, B, T> {
    /// By `N` rows of `x` from row `i` on, each block turned into numbers once; says how many rows those are.
    #[inline(always)]
    fn several<const N: usize>(&mut self, i: usize) -> usize {
        let rows = self.out[i].len();
        let mut j = 0;
        while j + R <= rows {
            self.tile::<R, N>(j, i);
            j += R;
        }
        while j < rows {
            self.tile::<1, N>(j, i);
            j += 1;
        }
        N
    }

    /// `W` rows of the matrix from row `j` on by `N` rows of `x` from row `i` on.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // Closures would not be compiled for the processor at hand.
    fn tile<const W: usize, const N: usize>(&mut self, j: usize, i: usize) {
        let (simd, in_row) = (self.factor.simd, self.factor.in_row);
        let mut x: [&[[f32; 32]]; N] = [&[]; N];
        for r in 0..N {
            x[r] = &self.factor.x[(i + r) * in_row..][..in_row];
        }
        let mut rows: [&[[u8; B]]; W] = [&[]; W];
        for q in 0..W {
            rows[q] = &self.blocks[(j + q) * in_row..][..in_row];
        }
        let zero = simd.avx._mm256_setzero_ps();
        let mut sums = [[zero; N]; W];
        for t in 0..in_row {
            let mut w = [[zero; 4]; W];
            for q in 0..W {
                let block = &rows[q][t];
                w[q] = numbers::<B, T>(simd, block, T::scales(simd, [block, block]));
            }
            for r in 0..N {
                let x: [__m256; 4] = pulp::cast(x[r][t]);
                for k in 0..4 {
                    for q in 0..W {
                        sums[q][r] = simd.fma._mm256_fmadd_ps(w[q][k], x[k], sums[q][r]);
                    }
                }
            }
        }
        for q in 0..W {
            for r in 0..N {
                self.out[i + r][j + q] = sum(simd, sums[q][r]);
            }
        }
    }

    /// By row `i` of `x`, one of at most [`FEW`].
    #[inline(always)]
    fn one(&mut self, i: usize) -> usize {
        let Factor { simd, in_row, .. } = *self.factor;
        let pairs = in_row.div_ceil(2);
        let rounded = &self.factor.rounded[i * pairs..][..pairs];
        for (row, out) in self.blocks.chunks_exact(in_row).zip(self.out[i].iter_mut()) {
            let (row, odd) = row.as_chunks::<2>();
            let zero = simd.avx._mm256_setzero_ps();
            let mut totals = [zero; 2];
            for ([a, b], x) in row.iter().zip(rounded) {
                totals = add_pair::<B, T>(simd, [a, b], x, totals);
            }
            if let ([block], Some(x)) = (odd, rounded.last()) {
                totals = add_pair::<B, T>(simd, [block, &[0; B]], x, totals);
            }
            *out = sum(simd, simd.avx._mm256_add_ps(totals[0], totals[1]));
        }
        1
    }
}

/// Adds to the first total, per block, `scale * ((quants - zero point) . x)`, to the second `minimum * sum(x)`.
#[inline(always)]
fn add_pair<const B: usize, T: Block<B>>(
    simd: V3,
    blocks: [&[u8; B]; 2],
    x: &RoundedPair,
    [total, minima]: [__m256; 2],
) -> [__m256; 2] {
    let quants = T::words(simd, blocks);
    let x_words: [__m256i; 4] = pulp::cast(x.integers);
    let [x_scale, x_sums]: [__m256; 2] = pulp::cast([x.scale, x.sums]);
    let mut dot = simd.avx2._mm256_madd_epi16(quants[0], x_words[0]);
    for k in 1..4 {
        let more = simd.avx2._mm256_madd_epi16(quants[k], x_words[k]);
        dot = simd.avx2._mm256_add_epi32(dot, more);
    }
    let dot = simd
        .avx
        ._mm256_mul_ps(simd.avx._mm256_cvtepi32_ps(dot), x_scale);
    let dot = match T::ZERO_POINT {
        0 => dot,
        zero => {
            let zero = simd.avx._mm256_set1_ps(f32::from(zero));
            simd.fma._mm256_fnmadd_ps(zero, x_sums, dot)
        }
    };
    let (scale, minimum) = T::scales(simd, blocks);
    let total = simd.fma._mm256_fmadd_ps(dot, scale, total);
    let minima = match minimum {
        Some(minimum) => simd.fma._mm256_fmadd_ps(x_sums, minimum, minima),
        None => minima,
    };
    [total, minima]
}

#[inline(always)]
fn sum(simd: V3, v: __m256) -> f32 {
    let low = simd.avx._mm256_castps256_ps128(v);
    let four = simd
        .sse
        ._mm_add_ps(low, simd.avx._mm256_extractf128_ps::<1>(v));
    let two = simd
        .sse
        ._mm_add_ps(four, simd.sse._mm_movehl_ps(four, four));
    let one = simd.sse._mm_add_ss(two, simd.sse3._mm_movehdup_ps(two));
    simd.sse._mm_cvtss_f32(one)
}

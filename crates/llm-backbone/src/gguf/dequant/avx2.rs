//! The commonest types with AVX2. The compiler alone uses half its width, or none where it unrolls too early.
//!
//! Nothing in a loop over vectors is a closure: those are compiled for the oldest processors, and called.

use core::arch::x86_64::{__m128i, __m256, __m256i};
use std::marker::PhantomData;

use pulp::NullaryFnOnce;
use pulp::x86::{V3, V4};

use super::{HALF_IN_PLACE, REBIAS, half_at};
use crate::gguf::TensorType;

/// Fills `out` as [`super::dequantise_into`] does, bit by bit; `false`, and nothing done, for another type or processor.
pub(super) fn dequantise_into(kind: TensorType, bytes: &[u8], out: &mut [f32]) -> bool {
    let Some(simd) = V3::try_new() else {
        return false;
    };
    match kind {
        TensorType::Q4_0 => blocks::<18, Q4_0>(simd, bytes, out),
        TensorType::Q4_1 => blocks::<20, Q4_1>(simd, bytes, out),
        TensorType::Q8_0 => blocks::<34, Q8_0>(simd, bytes, out),
        _ => return false,
    }
    true
}

/// Fills each row of `out` with the inner products of the first rows of `bytes` and the row of `x` of the same index;
/// `false`, and nothing done, for another type or processor. The numbers never leave the registers. Scales must be finite.
pub(super) fn products(kind: TensorType, bytes: &[u8], x: &[f32], out: &mut [&mut [f32]]) -> bool {
    let Some(simd) = V3::try_new() else {
        return false;
    };
    match kind {
        TensorType::Q4_0 => multiply::<18, Q4_0>(simd, bytes, x, out),
        TensorType::Q4_1 => multiply::<20, Q4_1>(simd, bytes, x, out),
        TensorType::Q8_0 => multiply::<34, Q8_0>(simd, bytes, x, out),
        _ => return false,
    }
    true
}

/// Whether the scales and minima in `bytes` are numbers that [`products`] can take.
pub(super) fn finite(kind: TensorType, bytes: &[u8]) -> bool {
    match kind {
        TensorType::Q4_0 => finite_in::<18, Q4_0>(bytes),
        TensorType::Q4_1 => finite_in::<20, Q4_1>(bytes),
        TensorType::Q8_0 => finite_in::<34, Q8_0>(bytes),
        _ => true,
    }
}

fn finite_in<const B: usize, T: Block<B>>(bytes: &[u8]) -> bool {
    const EXPONENT: u16 = 0x7c00;
    let (blocks, _) = bytes.as_chunks::<B>();
    let finite = |block: &[u8; B], at: usize| {
        u16::from_le_bytes([block[at], block[at + 1]]) & EXPONENT != EXPONENT
    };
    blocks.iter().all(|block| {
        finite(block, 0) && T::MINIMUM_AT.is_none_or(|minimum_at| finite(block, minimum_at))
    })
}

/// A type with blocks of `B` bytes: 32 numbers, eight at a time; a number is `scale * quant + minimum`.
trait Block<const B: usize> {
    /// Where the half-precision minimum is, in types that have one.
    const MINIMUM_AT: Option<usize>;

    fn quants(simd: V3, block: &[u8; B]) -> [__m256; 4];
}

fn blocks<const B: usize, T: Block<B>>(simd: V3, bytes: &[u8], out: &mut [f32]) {
    let (blocks, _) = bytes.as_chunks::<B>();
    let (places, _) = out.as_chunks_mut::<32>();
    simd.vectorize(Fill::<B, T> {
        simd,
        blocks,
        places,
        kind: PhantomData,
    });
}

/// See [`dequantise_into`].
struct Fill<'a, const B: usize, T> {
    simd: V3,
    blocks: &'a [[u8; B]],
    places: &'a mut [[f32; 32]],
    kind: PhantomData<T>,
}

impl<const B: usize, T: Block<B>> NullaryFnOnce for Fill<'_, B, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (block, place) in self.blocks.iter().zip(self.places) {
            *place = pulp::cast(numbers::<B, T>(self.simd, block));
        }
    }
}

#[inline(always)]
fn numbers<const B: usize, T: Block<B>>(simd: V3, block: &[u8; B]) -> [__m256; 4] {
    let mut numbers = T::quants(simd, block);
    let scale = simd.avx._mm256_set1_ps(half_at(block, 0));
    for number in &mut numbers {
        *number = simd.avx._mm256_mul_ps(*number, scale);
    }
    if let Some(at) = T::MINIMUM_AT {
        let minimum = simd.avx._mm256_set1_ps(half_at(block, at));
        for number in &mut numbers {
            *number = simd.avx._mm256_add_ps(*number, minimum);
        }
    }
    numbers
}

/// See [`products`]; `R` rows of the matrix at a time by several of `x`.
struct Products<'a, 'o, const R: usize, const B: usize, T> {
    simd: V3,
    blocks: &'a [[u8; B]],
    /// The rows of `x`, one behind the other.
    x: &'a [[f32; 32]],
    out: &'a mut [&'o mut [f32]],
    kind: PhantomData<T>,
}

impl<'a, 'o, const R: usize, const B: usize, T: Block<B>> Products<'a, 'o, R, B, T> {
    fn of(simd: V3, bytes: &'a [u8], x: &'a [f32], out: &'a mut [&'o mut [f32]]) -> Self {
        Self {
            simd,
            blocks: bytes.as_chunks().0,
            x: x.as_chunks().0,
            out,
            kind: PhantomData,
        }
    }
}

fn multiply<const B: usize, T: Block<B>>(
    simd: V3,
    bytes: &[u8],
    x: &[f32],
    out: &mut [&mut [f32]],
) {
    match V4::try_new() {
        // The same instructions, but twice the registers.
        Some(v4) => v4.vectorize(Products::<2, B, T>::of(simd, bytes, x, out)),
        None => simd.vectorize(Products::<1, B, T>::of(simd, bytes, x, out)),
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
                _ => self.one(i),
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
        let simd = self.simd;
        let in_row = self.x.len() / self.out.len();
        let mut x: [&[[f32; 32]]; N] = [&[]; N];
        for r in 0..N {
            x[r] = &self.x[(i + r) * in_row..][..in_row];
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
                w[q] = numbers::<B, T>(simd, &rows[q][t]);
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

    /// By row `i` of `x`: in each block `scale * (quants . x) + minimum * sum(x)`.
    #[inline(always)]
    fn one(&mut self, i: usize) -> usize {
        let simd = self.simd;
        let in_row = self.x.len() / self.out.len();
        let x = &self.x[i * in_row..][..in_row];
        // Of each block of `x`, in eight lanes.
        let mut block_sums = Vec::with_capacity(in_row);
        if T::MINIMUM_AT.is_some() {
            for x in x {
                let [a, b, c, d]: [__m256; 4] = pulp::cast(*x);
                let [ab, cd] = [simd.avx._mm256_add_ps(a, b), simd.avx._mm256_add_ps(c, d)];
                block_sums.push(simd.avx._mm256_add_ps(ab, cd));
            }
        }
        for (row, out) in self.blocks.chunks_exact(in_row).zip(self.out[i].iter_mut()) {
            let mut total = simd.avx._mm256_setzero_ps();
            let mut minima = total;
            for (t, (block, x)) in row.iter().zip(x).enumerate() {
                let x: [__m256; 4] = pulp::cast(*x);
                let quants = T::quants(simd, block);
                let mut dot = simd.avx._mm256_mul_ps(quants[0], x[0]);
                for k in 1..4 {
                    dot = simd.fma._mm256_fmadd_ps(quants[k], x[k], dot);
                }
                let scale = finite_half(simd, block, 0);
                total = simd.fma._mm256_fmadd_ps(dot, scale, total);
                if let Some(at) = T::MINIMUM_AT {
                    let minimum = finite_half(simd, block, at);
                    minima = simd.fma._mm256_fmadd_ps(block_sums[t], minimum, minima);
                }
            }
            *out = sum(simd, simd.avx._mm256_add_ps(total, minima));
        }
        1
    }
}

/// The half-precision number at byte `at`, eight times; it must be finite.
#[inline(always)]
fn finite_half(simd: V3, block: &[u8], at: usize) -> __m256 {
    let half = i16::from_le_bytes([block[at], block[at + 1]]);
    // The half fills both sides of 32 bits. Shifted by three, the upper one has its exponent and mantissa in place; the
    // mask drops the copies of its sign and the lower one.
    let bits = simd.avx._mm256_set1_epi16(half);
    let bits = simd.avx2._mm256_srai_epi32::<3>(bits);
    let kept = simd.avx._mm256_set1_epi32(HALF_IN_PLACE.cast_signed());
    let bits = simd.avx2._mm256_and_si256(bits, kept);
    let number = simd.avx._mm256_castsi256_ps(bits);
    simd.avx
        ._mm256_mul_ps(number, simd.avx._mm256_set1_ps(REBIAS))
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

struct Q4_0;

impl Block<18> for Q4_0 {
    const MINIMUM_AT: Option<usize> = None;

    #[inline(always)]
    fn quants(simd: V3, block: &[u8; 18]) -> [__m256; 4] {
        let [_, _, quants @ ..] = *block;
        let mut q = nibbles(simd, quants);
        for q in &mut q {
            *q = simd
                .avx2
                ._mm256_sub_epi32(*q, simd.avx._mm256_set1_epi32(8));
        }
        floats(simd, q)
    }
}

struct Q4_1;

impl Block<20> for Q4_1 {
    const MINIMUM_AT: Option<usize> = Some(2);

    #[inline(always)]
    fn quants(simd: V3, block: &[u8; 20]) -> [__m256; 4] {
        let [_, _, _, _, quants @ ..] = *block;
        floats(simd, nibbles(simd, quants))
    }
}

struct Q8_0;

impl Block<34> for Q8_0 {
    const MINIMUM_AT: Option<usize> = None;

    #[inline(always)]
    fn quants(simd: V3, block: &[u8; 34]) -> [__m256; 4] {
        let [_, _, quants @ ..] = *block;
        let eights: [[u8; 8]; 4] = pulp::cast(quants);
        let mut q = [simd.avx._mm256_setzero_si256(); 4];
        for (q, eight) in q.iter_mut().zip(eights) {
            *q = simd.avx2._mm256_cvtepi8_epi32(eight_bytes(eight));
        }
        floats(simd, q)
    }
}

/// The low four bits of each byte, then the high ones.
#[inline(always)]
fn nibbles(simd: V3, quants: [u8; 16]) -> [__m256i; 4] {
    let [a, b]: [[u8; 8]; 2] = pulp::cast(quants);
    let a = simd.avx2._mm256_cvtepu8_epi32(eight_bytes(a));
    let b = simd.avx2._mm256_cvtepu8_epi32(eight_bytes(b));
    let four = simd.avx._mm256_set1_epi32(15);
    [
        simd.avx2._mm256_and_si256(a, four),
        simd.avx2._mm256_and_si256(b, four),
        simd.avx2._mm256_srli_epi32::<4>(a),
        simd.avx2._mm256_srli_epi32::<4>(b),
    ]
}

#[inline(always)]
fn eight_bytes(bytes: [u8; 8]) -> __m128i {
    pulp::cast([u64::from_le_bytes(bytes), 0])
}

#[inline(always)]
fn floats(simd: V3, q: [__m256i; 4]) -> [__m256; 4] {
    [
        simd.avx._mm256_cvtepi32_ps(q[0]),
        simd.avx._mm256_cvtepi32_ps(q[1]),
        simd.avx._mm256_cvtepi32_ps(q[2]),
        simd.avx._mm256_cvtepi32_ps(q[3]),
    ]
}

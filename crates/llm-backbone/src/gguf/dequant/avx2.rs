//! The commonest types with AVX2. The compiler alone uses half its width, or none where it unrolls too early.
//!
//! Nothing goes through `map` or another closure: those are not compiled for the processor at hand, but called.

use core::arch::x86_64::{__m128i, __m256, __m256i};

use pulp::x86::V3;

use super::half_at;
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

/// The inner product of each row of `bytes`, as many as `out` has places, with `x`; `false`, and nothing done, for another
/// type or processor. The numbers never leave the registers.
pub(super) fn dots(kind: TensorType, bytes: &[u8], x: &[f32], out: &mut [f32]) -> bool {
    let Some(simd) = V3::try_new() else {
        return false;
    };
    match kind {
        TensorType::Q4_0 => rows::<18, Q4_0>(simd, bytes, x, out),
        TensorType::Q4_1 => rows::<20, Q4_1>(simd, bytes, x, out),
        TensorType::Q8_0 => rows::<34, Q8_0>(simd, bytes, x, out),
        _ => return false,
    }
    true
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
    simd.vectorize(
        #[inline(always)]
        || {
            for (block, place) in blocks.iter().zip(places) {
                *place = pulp::cast(numbers::<B, T>(simd, block));
            }
        },
    );
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

/// As [`dots`]: in each block `scale * (quants . x) + minimum * sum(x)`, two rows at a time.
fn rows<const B: usize, T: Block<B>>(simd: V3, bytes: &[u8], x: &[f32], out: &mut [f32]) {
    let (blocks, _) = bytes.as_chunks::<B>();
    let (x, _) = x.as_chunks::<32>();
    let in_row = x.len();
    simd.vectorize(
        #[inline(always)]
        || {
            let mut sums = Vec::new();
            if T::MINIMUM_AT.is_some() {
                sums.reserve_exact(in_row);
                for x in x {
                    let [a, b, c, d]: [__m256; 4] = pulp::cast(*x);
                    let [ab, cd] = [simd.avx._mm256_add_ps(a, b), simd.avx._mm256_add_ps(c, d)];
                    sums.push(simd.avx._mm256_add_ps(ab, cd));
                }
            }
            let (pairs, last) = out.as_chunks_mut::<2>();
            let mut first = 0;
            for pair in pairs {
                let a = &blocks[first * in_row..][..in_row];
                let b = &blocks[(first + 1) * in_row..][..in_row];
                *pair = together::<B, 2, T>(simd, [a, b], x, &sums);
                first += 2;
            }
            if let [last] = last {
                let row = &blocks[first * in_row..][..in_row];
                [*last] = together::<B, 1, T>(simd, [row], x, &sums);
            }
        },
    );
}

/// The inner products of `R` rows with `x`; `sums` are the sums of each block of `x`, spread over eight lanes.
#[inline(always)]
fn together<const B: usize, const R: usize, T: Block<B>>(
    simd: V3,
    rows: [&[[u8; B]]; R],
    x: &[[f32; 32]],
    sums: &[__m256],
) -> [f32; R] {
    let mut totals = [simd.avx._mm256_setzero_ps(); R];
    let mut minima = totals;
    for (i, x) in x.iter().enumerate() {
        let x: [__m256; 4] = pulp::cast(*x);
        for r in 0..R {
            let block = &rows[r][i];
            let quants = T::quants(simd, block);
            let mut dot = simd.avx._mm256_mul_ps(quants[0], x[0]);
            for k in 1..4 {
                dot = simd.fma._mm256_fmadd_ps(quants[k], x[k], dot);
            }
            let scale = simd.avx._mm256_set1_ps(half_at(block, 0));
            totals[r] = simd.fma._mm256_fmadd_ps(dot, scale, totals[r]);
            if let Some(at) = T::MINIMUM_AT {
                let minimum = simd.avx._mm256_set1_ps(half_at(block, at));
                minima[r] = simd.fma._mm256_fmadd_ps(sums[i], minimum, minima[r]);
            }
        }
    }
    let mut dots = [0.0; R];
    for r in 0..R {
        let lanes: [f32; 8] = pulp::cast(simd.avx._mm256_add_ps(totals[r], minima[r]));
        for lane in lanes {
            dots[r] += lane;
        }
    }
    dots
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

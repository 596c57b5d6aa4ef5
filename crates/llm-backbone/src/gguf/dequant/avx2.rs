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

/// A type with blocks of `B` bytes: 32 numbers, eight at a time.
trait Block<const B: usize> {
    fn numbers(simd: V3, block: &[u8; B]) -> [__m256; 4];
}

fn blocks<const B: usize, T: Block<B>>(simd: V3, bytes: &[u8], out: &mut [f32]) {
    let (blocks, _) = bytes.as_chunks::<B>();
    let (places, _) = out.as_chunks_mut::<32>();
    simd.vectorize(
        #[inline(always)]
        || {
            for (block, place) in blocks.iter().zip(places) {
                *place = pulp::cast(T::numbers(simd, block));
            }
        },
    );
}

struct Q4_0;

impl Block<18> for Q4_0 {
    #[inline(always)]
    fn numbers(simd: V3, block: &[u8; 18]) -> [__m256; 4] {
        let [_, _, quants @ ..] = *block;
        let scale = half_at(block, 0);
        let zero = simd.avx._mm256_set1_epi32(8);
        let [a, b, c, d] = nibbles(simd, quants);
        [
            scaled(simd, simd.avx2._mm256_sub_epi32(a, zero), scale),
            scaled(simd, simd.avx2._mm256_sub_epi32(b, zero), scale),
            scaled(simd, simd.avx2._mm256_sub_epi32(c, zero), scale),
            scaled(simd, simd.avx2._mm256_sub_epi32(d, zero), scale),
        ]
    }
}

struct Q4_1;

impl Block<20> for Q4_1 {
    #[inline(always)]
    fn numbers(simd: V3, block: &[u8; 20]) -> [__m256; 4] {
        let [_, _, _, _, quants @ ..] = *block;
        let scale = half_at(block, 0);
        let minimum = simd.avx._mm256_set1_ps(half_at(block, 2));
        let [a, b, c, d] = nibbles(simd, quants);
        [
            simd.avx._mm256_add_ps(scaled(simd, a, scale), minimum),
            simd.avx._mm256_add_ps(scaled(simd, b, scale), minimum),
            simd.avx._mm256_add_ps(scaled(simd, c, scale), minimum),
            simd.avx._mm256_add_ps(scaled(simd, d, scale), minimum),
        ]
    }
}

struct Q8_0;

impl Block<34> for Q8_0 {
    #[inline(always)]
    fn numbers(simd: V3, block: &[u8; 34]) -> [__m256; 4] {
        let [_, _, quants @ ..] = *block;
        let scale = half_at(block, 0);
        let [a, b]: [__m128i; 2] = pulp::cast(quants);
        let wide = simd.avx2;
        [
            scaled(simd, wide._mm256_cvtepi8_epi32(a), scale),
            scaled(simd, wide._mm256_cvtepi8_epi32(upper(simd, a)), scale),
            scaled(simd, wide._mm256_cvtepi8_epi32(b), scale),
            scaled(simd, wide._mm256_cvtepi8_epi32(upper(simd, b)), scale),
        ]
    }
}

/// The low four bits of each byte, then the high ones.
#[inline(always)]
fn nibbles(simd: V3, quants: [u8; 16]) -> [__m256i; 4] {
    let quants: __m128i = pulp::cast(quants);
    let four = simd.sse2._mm_set1_epi8(15);
    let low = simd.sse2._mm_and_si128(quants, four);
    let high = simd.sse2._mm_srli_epi16::<4>(quants);
    let high = simd.sse2._mm_and_si128(high, four);
    [
        simd.avx2._mm256_cvtepu8_epi32(low),
        simd.avx2._mm256_cvtepu8_epi32(upper(simd, low)),
        simd.avx2._mm256_cvtepu8_epi32(high),
        simd.avx2._mm256_cvtepu8_epi32(upper(simd, high)),
    ]
}

/// The upper eight bytes in the place of the lower.
#[inline(always)]
fn upper(simd: V3, bytes: __m128i) -> __m128i {
    simd.sse2._mm_unpackhi_epi64(bytes, bytes)
}

#[inline(always)]
fn scaled(simd: V3, q: __m256i, scale: f32) -> __m256 {
    let q = simd.avx._mm256_cvtepi32_ps(q);
    simd.avx._mm256_mul_ps(q, simd.avx._mm256_set1_ps(scale))
}

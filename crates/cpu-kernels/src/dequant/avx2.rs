//! The commonest types with AVX2. The compiler alone uses half its width, or none where it unrolls too early.
//!
//! Nothing in a loop over vectors is a closure: those are compiled for the oldest processors, and called.

mod products;
mod rounded;
mod vnni;

use core::arch::x86_64::{__m128i, __m256, __m256i, __m512i};
use std::marker::PhantomData;

use pulp::NullaryFnOnce;
use pulp::x86::V3;

use super::{HALF_IN_PLACE, REBIAS, half_at};
use crate::types::TensorType;

pub(crate) use products::Factor;
use vnni::Vnni;

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

/// Whether [`Factor::products`] can take the scales and minima in `bytes`: true but for broken files.
pub(crate) fn finite(kind: TensorType, bytes: &[u8]) -> bool {
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

/// A type with blocks of `B` bytes: 32 numbers; a number is `scale * (quant - zero point) + minimum`.
trait Block<const B: usize> {
    const ZERO_POINT: u8 = 0;
    /// Where the half-precision minimum is, in types that have one.
    const MINIMUM_AT: Option<usize> = None;

    /// The quants less the zero point, eight at a time.
    fn quants(simd: V3, block: &[u8; B]) -> [__m256; 4];

    /// The quants of two blocks as 16-bit integers, each half of a vector one block's: the even ones of the first 16, the
    /// odd ones, the even and the odd ones of the others.
    fn words(simd: V3, blocks: [&[u8; B]; 2]) -> [__m256i; 4];

    /// Which quants are side by side in the vectors of [`panel`](Self::panel).
    const PAIRS: [[u8; 2]; vnni::PAIRS];

    /// The quants of sixteen blocks as 16-bit integers: vectors of a pair of each.
    fn panel(simd: Vnni, blocks: [&[u8; B]; 16]) -> [__m512i; vnni::PAIRS];

    /// Scales and minima of two blocks, which must be finite, each half of a vector one block's.
    #[inline(always)]
    fn scales(simd: V3, [a, b]: [&[u8; B]; 2]) -> (__m256, Option<__m256>) {
        let a = simd.sse2._mm_set1_epi16(i16::from_le_bytes([a[0], a[1]]));
        let b = simd.sse2._mm_set1_epi16(i16::from_le_bytes([b[0], b[1]]));
        (finite_halves(simd, beside(simd, a, b)), None)
    }
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
            let scale = self.simd.avx._mm256_set1_ps(half_at(block, 0));
            let minimum = match T::MINIMUM_AT {
                Some(at) => Some(self.simd.avx._mm256_set1_ps(half_at(block, at))),
                None => None,
            };
            *place = pulp::cast(numbers::<B, T>(self.simd, block, (scale, minimum)));
        }
    }
}

/// The numbers of a block with this scale and minimum.
#[inline(always)]
fn numbers<const B: usize, T: Block<B>>(
    simd: V3,
    block: &[u8; B],
    (scale, minimum): (__m256, Option<__m256>),
) -> [__m256; 4] {
    let mut numbers = T::quants(simd, block);
    for number in &mut numbers {
        *number = simd.avx._mm256_mul_ps(*number, scale);
        if let Some(minimum) = minimum {
            *number = simd.avx._mm256_add_ps(*number, minimum);
        }
    }
    numbers
}

/// The numbers that the upper 16 bits of each element are in half precision; they must be finite.
#[inline(always)]
fn finite_halves(simd: V3, elements: __m256i) -> __m256 {
    // Shifted by three, exponent and mantissa are in place; the mask drops the copies of the sign and what is below.
    let bits = simd.avx2._mm256_srai_epi32::<3>(elements);
    let kept = simd.avx._mm256_set1_epi32(HALF_IN_PLACE.cast_signed());
    let bits = simd.avx2._mm256_and_si256(bits, kept);
    let number = simd.avx._mm256_castsi256_ps(bits);
    simd.avx
        ._mm256_mul_ps(number, simd.avx._mm256_set1_ps(REBIAS))
}

/// `a` in the lower half, `b` in the upper one.
#[inline(always)]
fn beside(simd: V3, a: __m128i, b: __m128i) -> __m256i {
    let a = simd.avx._mm256_castsi128_si256(a);
    simd.avx2._mm256_inserti128_si256::<1>(a, b)
}

struct Q4_0;

impl Block<18> for Q4_0 {
    const ZERO_POINT: u8 = 8;

    #[inline(always)]
    fn quants(simd: V3, block: &[u8; 18]) -> [__m256; 4] {
        let [_, _, quants @ ..] = *block;
        let mut q = nibbles(simd, quants);
        for q in &mut q {
            let zero = simd.avx._mm256_set1_epi32(Self::ZERO_POINT.into());
            *q = simd.avx2._mm256_sub_epi32(*q, zero);
        }
        floats(simd, q)
    }

    #[inline(always)]
    fn words(simd: V3, [a, b]: [&[u8; 18]; 2]) -> [__m256i; 4] {
        let ([_, _, a @ ..], [_, _, b @ ..]) = (*a, *b);
        nibble_words(simd, [a, b])
    }

    const PAIRS: [[u8; 2]; vnni::PAIRS] = vnni::PAIRS_OF_NIBBLES;

    #[inline(always)]
    fn panel(simd: Vnni, blocks: [&[u8; 18]; 16]) -> [__m512i; vnni::PAIRS] {
        vnni::nibbles(simd, blocks, 2)
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

    #[inline(always)]
    fn words(simd: V3, [a, b]: [&[u8; 20]; 2]) -> [__m256i; 4] {
        let ([_, _, _, _, a @ ..], [_, _, _, _, b @ ..]) = (*a, *b);
        nibble_words(simd, [a, b])
    }

    const PAIRS: [[u8; 2]; vnni::PAIRS] = vnni::PAIRS_OF_NIBBLES;

    #[inline(always)]
    fn panel(simd: Vnni, blocks: [&[u8; 20]; 16]) -> [__m512i; vnni::PAIRS] {
        vnni::nibbles(simd, blocks, 4)
    }

    #[inline(always)]
    fn scales(simd: V3, [a, b]: [&[u8; 20]; 2]) -> (__m256, Option<__m256>) {
        let ([a, _, _, _, _], [b, _, _, _, _]): ([[u8; 4]; 5], [[u8; 4]; 5]) =
            (pulp::cast(*a), pulp::cast(*b));
        let a = simd.sse2._mm_set1_epi32(i32::from_le_bytes(a));
        let b = simd.sse2._mm_set1_epi32(i32::from_le_bytes(b));
        let minima = beside(simd, a, b);
        let scales = simd.avx2._mm256_slli_epi32::<16>(minima);
        (
            finite_halves(simd, scales),
            Some(finite_halves(simd, minima)),
        )
    }
}

struct Q8_0;

impl Block<34> for Q8_0 {
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

    #[inline(always)]
    fn words(simd: V3, [a, b]: [&[u8; 34]; 2]) -> [__m256i; 4] {
        let ([_, _, a @ ..], [_, _, b @ ..]) = (*a, *b);
        let (a, b): ([__m128i; 2], [__m128i; 2]) = (pulp::cast(a), pulp::cast(b));
        let [first, second] = [beside(simd, a[0], b[0]), beside(simd, a[1], b[1])];
        let [even, odd] = [even_bytes(simd, first), odd_bytes(simd, first)];
        [even, odd, even_bytes(simd, second), odd_bytes(simd, second)]
    }

    const PAIRS: [[u8; 2]; vnni::PAIRS] = vnni::PAIRS_OF_BYTES;

    #[inline(always)]
    fn panel(simd: Vnni, blocks: [&[u8; 34]; 16]) -> [__m512i; vnni::PAIRS] {
        vnni::bytes(simd, blocks, 2)
    }
}

#[inline(always)]
fn even_bytes(simd: V3, bytes: __m256i) -> __m256i {
    odd_bytes(simd, simd.avx2._mm256_slli_epi16::<8>(bytes))
}

#[inline(always)]
fn odd_bytes(simd: V3, bytes: __m256i) -> __m256i {
    simd.avx2._mm256_srai_epi16::<8>(bytes)
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

/// [`Block::words`] of types whose first 16 quants are the low four bits of the bytes.
#[inline(always)]
fn nibble_words(simd: V3, [a, b]: [[u8; 16]; 2]) -> [__m256i; 4] {
    let bytes = beside(simd, pulp::cast(a), pulp::cast(b));
    let four = simd.avx._mm256_set1_epi16(15);
    let odd = simd.avx2._mm256_srli_epi16::<8>(bytes);
    [
        simd.avx2._mm256_and_si256(bytes, four),
        simd.avx2._mm256_and_si256(odd, four),
        simd.avx2
            ._mm256_and_si256(simd.avx2._mm256_srli_epi16::<4>(bytes), four),
        simd.avx2._mm256_srli_epi16::<12>(bytes),
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

//! Rows of numbers as 16-bit integers with a scale per block.

use core::arch::x86_64::__m256;

use pulp::NullaryFnOnce;
use pulp::x86::V3;

/// Two blocks of `x`, 64 numbers, as 16-bit integers. Half of each array is the first block's.
pub(super) struct RoundedPair {
    /// The even numbers of a block's first 16, the odd ones, the even and the odd ones of the others.
    pub(super) integers: [[i16; 16]; 4],
    /// What an integer has to be multiplied with.
    pub(super) scale: [f32; 8],
    /// The sums of the rounded numbers, in four parts.
    pub(super) sums: [f32; 8],
}

/// The blocks of `x` two by two, row by row of `in_row` blocks; the last block of an odd row is beside zeros.
pub(super) fn pairs(simd: V3, x: &[[f32; 32]], in_row: usize) -> Vec<RoundedPair> {
    simd.vectorize(Round { simd, x, in_row })
}

/// See [`pairs`].
struct Round<'a> {
    simd: V3,
    x: &'a [[f32; 32]],
    in_row: usize,
}

impl NullaryFnOnce for Round<'_> {
    type Output = Vec<RoundedPair>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut rounded = Vec::with_capacity(self.x.len().div_ceil(2));
        if self.in_row == 0 {
            return rounded;
        }
        for row in self.x.chunks_exact(self.in_row) {
            for pair in row.chunks(2) {
                let second = pair.get(1).unwrap_or(&[0.0; 32]);
                rounded.push(rounded_pair(self.simd, [&pair[0], second]));
            }
        }
        rounded
    }
}

#[inline(always)]
fn rounded_pair(simd: V3, blocks: [&[f32; 32]; 2]) -> RoundedPair {
    let mut pair = RoundedPair {
        integers: [[0; 16]; 4],
        scale: [0.0; 8],
        sums: [0.0; 8],
    };
    for (b, block) in blocks.into_iter().enumerate() {
        let (integers, scale) = integers(simd, block);
        let halves: [[i32; 16]; 2] = pulp::cast(integers);
        for (half, integers) in halves.into_iter().enumerate() {
            for i in 0..8 {
                pair.integers[2 * half][8 * b + i] = integers[2 * i] as i16;
                pair.integers[2 * half + 1][8 * b + i] = integers[2 * i + 1] as i16;
            }
        }
        for i in 0..4 {
            let mut sum = 0;
            for k in 0..4 {
                sum += i32::from(pair.integers[k][8 * b + 2 * i]);
                sum += i32::from(pair.integers[k][8 * b + 2 * i + 1]);
            }
            pair.scale[4 * b + i] = scale;
            pair.sums[4 * b + i] = scale * sum as f32;
        }
    }
    pair
}

/// The numbers as 16-bit integers, and what an integer has to be multiplied with.
#[inline(always)]
pub(super) fn integers(simd: V3, block: &[f32; 32]) -> ([i32; 32], f32) {
    let (largest, finite) = largest(simd, block);
    let (scale, inverse) = (largest * (1.0 / 32767.0), 32767.0 / largest);
    if !finite {
        return ([0; 32], f32::NAN); // Seen in every product.
    }
    if !inverse.is_finite() {
        return ([0; 32], 0.0); // All numbers are next to zero.
    }
    let inverse = simd.avx._mm256_set1_ps(inverse);
    let x: [__m256; 4] = pulp::cast(*block);
    let mut integers = [[0; 8]; 4];
    for k in 0..4 {
        let scaled = simd.avx._mm256_mul_ps(x[k], inverse);
        integers[k] = pulp::cast(simd.avx._mm256_cvtps_epi32(scaled));
    }
    (pulp::cast(integers), scale)
}

/// The largest absolute value, and whether all numbers are finite.
#[inline(always)]
fn largest(simd: V3, x: &[f32; 32]) -> (f32, bool) {
    let x: [__m256; 4] = pulp::cast(*x);
    let positive = simd.avx._mm256_set1_ps(f32::from_bits(!(1 << 31)));
    let zero = simd.avx._mm256_setzero_ps();
    let (mut largest, mut zeros) = (zero, zero);
    for x in x {
        largest = simd
            .avx
            ._mm256_max_ps(largest, simd.avx._mm256_and_ps(x, positive));
        // Not zero only where `x` is infinite or no number.
        zeros = simd.fma._mm256_fmadd_ps(x, zero, zeros);
    }
    let (eight, zeros): ([f32; 8], [f32; 8]) = (pulp::cast(largest), pulp::cast(zeros));
    let (mut largest, mut sum) = (0.0_f32, 0.0);
    for i in 0..8 {
        largest = largest.max(eight[i]);
        sum += zeros[i];
    }
    (largest, sum == 0.0)
}

//! Quantised blocks back to 32-bit numbers, one small function per type.
//!
//! The layouts are those of `ggml-common.h` and the arithmetic that of `ggml-quants.c`: everything in 32-bit numbers, in
//! the same order, so the results agree to the bit. Numbers in a block are little-endian; `f16` is IEEE half precision.

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod avx2;
#[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
mod elsewhere;
mod floats;
mod k_quants;
mod per_32;
mod tables;

use pulp::{Simd, WithSimd};

use crate::types::TensorType;

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
use avx2 as chosen;
#[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
use elsewhere as chosen;

pub(crate) use chosen::{Factor, finite};

/// The numbers in `bytes`, a whole number of blocks of `kind`. An incomplete last block is left out.
pub fn dequantise(kind: TensorType, bytes: &[u8]) -> Vec<f32> {
    let mut numbers = vec![0.0; bytes.len() / kind.block_bytes() * kind.block()];
    dequantise_into(kind, bytes, &mut numbers);
    numbers
}

/// Fills `out` with the numbers in `bytes`; what has no place in `out`, or no bytes, is left out.
pub(crate) fn dequantise_into(kind: TensorType, bytes: &[u8], out: &mut [f32]) {
    if !chosen::dequantise_into(kind, bytes, out) {
        anywhere(kind, bytes, out);
    }
}

/// [`dequantise_into`] in plain Rust.
fn anywhere(kind: TensorType, bytes: &[u8], out: &mut [f32]) {
    match kind {
        TensorType::F32 => floats::f32_into(bytes, out),
        TensorType::F16 => floats::f16_into(bytes, out),
        TensorType::BF16 => floats::bf16_into(bytes, out),
        TensorType::Q4_0 => blocks(bytes, out, per_32::q4_0),
        TensorType::Q4_1 => blocks(bytes, out, per_32::q4_1),
        TensorType::Q5_0 => blocks(bytes, out, per_32::q5_0),
        TensorType::Q5_1 => blocks(bytes, out, per_32::q5_1),
        TensorType::Q8_0 => blocks(bytes, out, per_32::q8_0),
        TensorType::Q2_K => blocks(bytes, out, k_quants::q2_k),
        TensorType::Q3_K => blocks(bytes, out, k_quants::q3_k),
        TensorType::Q4_K => blocks(bytes, out, k_quants::q4_k),
        TensorType::Q5_K => blocks(bytes, out, k_quants::q5_k),
        TensorType::Q6_K => blocks(bytes, out, k_quants::q6_k),
        TensorType::IQ4_NL => blocks(bytes, out, tables::iq4_nl),
        TensorType::IQ4_XS => blocks(bytes, out, tables::iq4_xs),
        TensorType::MXFP4 => blocks(bytes, out, tables::mxfp4),
    }
}

/// Runs `one` over every block of `B` bytes, which yields `N` numbers, compiled for the processor at hand.
fn blocks<const B: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    one: impl Fn(&[u8; B], &mut [f32; N]),
) {
    let (blocks, _) = bytes.as_chunks::<B>();
    let (places, _) = out.as_chunks_mut::<N>();
    pulp::Arch::new().dispatch(Blocks {
        blocks,
        places,
        one,
    });
}

/// A type of its own: a closure in its place would be compiled for the oldest processors.
struct Blocks<'a, const B: usize, const N: usize, F> {
    blocks: &'a [[u8; B]],
    places: &'a mut [[f32; N]],
    one: F,
}

impl<const B: usize, const N: usize, F: Fn(&[u8; B], &mut [f32; N])> WithSimd
    for Blocks<'_, B, N, F>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (block, place) in self.blocks.iter().zip(self.places) {
            (self.one)(block, place);
        }
    }
}

/// The bits of a float that sign, exponent and mantissa of a half go to, sign at the top, the others 13 bits up.
const HALF_IN_PLACE: u32 = 0x8fff_e000;

/// From the exponents of halves to those of floats, whose biases are 15 and 127.
const REBIAS: f32 = f32::from_bits((112 + 127) << 23);

/// The half-precision number at byte `at`, without asking the processor what it can do, as `half` would for every number.
#[inline(always)]
fn half_at(block: &[u8], at: usize) -> f32 {
    let half = i16::from_le_bytes([block[at], block[at + 1]]);
    // Sign, and exponent with mantissa, in their places: the sign was copied on the way.
    let bits = (i32::from(half) << 13) as u32 & HALF_IN_PLACE;
    if half & 0x7c00 == 0x7c00 {
        return infinite(bits);
    }
    f32::from_bits(bits) * REBIAS
}

/// A half that is infinite or no number; a call of its own, so that the other numbers of a block become vector code.
#[cold]
#[inline(never)]
fn infinite(bits: u32) -> f32 {
    f32::from_bits(bits | 0x7f80_0000)
}

/// `byte - zero` as a float. The byte's bits go below those of 2^23, which is taken away with `zero`: vector code, where
/// a conversion of bytes is not.
#[inline(always)]
fn from_zero(byte: u8, zero: u8) -> f32 {
    const LARGE: u32 = 1 << 23;
    let raised = f32::from_bits(u32::from(byte) | (LARGE as f32).to_bits());
    raised - (LARGE + u32::from(zero)) as f32
}

#[cfg(test)]
mod tests;

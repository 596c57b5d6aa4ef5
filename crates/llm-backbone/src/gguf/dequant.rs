//! Quantised blocks back to 32-bit numbers, one small function per type.
//!
//! The layouts are those of `ggml-common.h` and the arithmetic that of `ggml-quants.c`: everything in 32-bit numbers, in
//! the same order, so the results agree to the bit. Numbers in a block are little-endian; `f16` is IEEE half precision.

mod k_quants;
mod per_32;

use half::f16;

use super::types::TensorType;
use crate::weights::floats;

/// The numbers in `bytes`, a whole number of blocks of `kind`. An incomplete last block is left out.
pub fn dequantise(kind: TensorType, bytes: &[u8]) -> Vec<f32> {
    match kind {
        TensorType::F32 => floats::from_f32(bytes),
        TensorType::F16 => floats::from_f16(bytes),
        TensorType::BF16 => floats::from_bf16(bytes),
        TensorType::Q4_0 => blocks(bytes, per_32::q4_0),
        TensorType::Q4_1 => blocks(bytes, per_32::q4_1),
        TensorType::Q5_0 => blocks(bytes, per_32::q5_0),
        TensorType::Q5_1 => blocks(bytes, per_32::q5_1),
        TensorType::Q8_0 => blocks(bytes, per_32::q8_0),
        TensorType::Q4_K => blocks(bytes, k_quants::q4_k),
        TensorType::Q6_K => blocks(bytes, k_quants::q6_k),
    }
}

/// Runs `one` over every block of `B` bytes, which yields `N` numbers.
fn blocks<const B: usize, const N: usize>(
    bytes: &[u8],
    one: impl Fn(&[u8; B], &mut [f32; N]),
) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<B>();
    let mut numbers = vec![0.0; blocks.len() * N];
    let (places, _) = numbers.as_chunks_mut::<N>();
    for (block, place) in blocks.iter().zip(places) {
        one(block, place);
    }
    numbers
}

/// The half-precision number at byte `at`.
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

#[cfg(test)]
mod tests;

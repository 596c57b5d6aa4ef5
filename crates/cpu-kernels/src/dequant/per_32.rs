//! Blocks of 32 numbers. In the 4- and 5-bit types byte `j` holds number `j` in its low and number `j + 16` in its high
//! four bits; the 5-bit types keep the fifth bit of number `j` in bit `j` of a separate 32-bit word.

use super::{from_zero, half_at};

/// `d: f16 | q: 16 bytes`; `x = d (q - 8)`.
#[inline(always)]
pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in block[2..].iter().zip(low).zip(high) {
        *low = from_zero(byte & 15, 8) * d;
        *high = from_zero(byte >> 4, 8) * d;
    }
}

/// `d: f16 | m: f16 | q: 16 bytes`; `x = d q + m`.
#[inline(always)]
pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in block[4..].iter().zip(low).zip(high) {
        *low = f32::from(byte & 15) * d + m;
        *high = f32::from(byte >> 4) * d + m;
    }
}

/// `d: f16 | h: u32 | q: 16 bytes`; `x = d (q + 16 h - 16)`.
#[inline(always)]
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    let high = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    for (j, byte) in block[6..].iter().enumerate() {
        let (low, upper) = five_bits(*byte, high, j);
        out[j] = from_zero(low, 16) * d;
        out[j + 16] = from_zero(upper, 16) * d;
    }
}

/// `d: f16 | m: f16 | h: u32 | q: 16 bytes`; `x = d (q + 16 h) + m`.
#[inline(always)]
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    let high = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    for (j, byte) in block[8..].iter().enumerate() {
        let (low, upper) = five_bits(*byte, high, j);
        out[j] = f32::from(low) * d + m;
        out[j + 16] = f32::from(upper) * d + m;
    }
}

/// `d: f16 | q: 32 x i8`; `x = d q`. With its sign bit turned, a signed byte counts from -128 on.
#[inline(always)]
pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (place, byte) in out.iter_mut().zip(&block[2..]) {
        *place = from_zero(byte ^ 128, 128) * d;
    }
}

/// Numbers `j` and `j + 16` of a block, 0 to 31 each.
#[inline(always)]
fn five_bits(byte: u8, high: u32, j: usize) -> (u8, u8) {
    let fifth = |index: usize| ((high >> index) as u8 & 1) << 4;
    (byte & 15 | fifth(j), byte >> 4 | fifth(j + 16))
}

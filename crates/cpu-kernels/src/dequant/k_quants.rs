//! Super-blocks of 256 numbers.

use super::half_at;

/// `scales: 16 bytes | q: 64 bytes | d: f16 | dmin: f16`; `x = (d scale) q - (dmin minimum)`.
///
/// Each 16 numbers have a 4-bit scale, the low half of their byte of `scales`, and a 4-bit minimum, its high half. Quarter `k` of
/// a half (128 numbers) is bits `2 k` and `2 k + 1` of that half's 32 bytes of `q`.
#[inline(always)]
pub(super) fn q2_k(block: &[u8; 84], out: &mut [f32; 256]) {
    let (scales, rest) = block.split_at(16);
    let (d, dmin) = (half_at(block, 80), half_at(block, 82));
    for (sixteen, places) in out.chunks_mut(16).enumerate() {
        let (half, k) = (sixteen / 8, sixteen % 8 / 2);
        let bytes = &rest[32 * half + 16 * (sixteen % 2)..][..16];
        let scale = d * f32::from(scales[sixteen] & 15);
        let minimum = dmin * f32::from(scales[sixteen] >> 4);
        for (place, byte) in places.iter_mut().zip(bytes) {
            *place = scale * f32::from(byte >> (2 * k) & 3) - minimum;
        }
    }
}

/// `high: 32 bytes | low: 64 bytes | scales: 12 bytes | d: f16`; `x = (d (scale - 32)) (q - 4)`.
///
/// The low two bits of `q` lie as in [`q2_k`]; its upper bit is, for each 32 numbers, the next bit of the 32 bytes of `high`. Each
/// 16 numbers have a 6-bit scale: the low four bits of scales 0 to 7 are the low halves of bytes 0 to 7 of `scales`, those of
/// 8 to 15 the high halves; bytes 8 to 11 hold the upper two bits, of scale `i` in byte `8 + i % 4` from bit `2 (i / 4)` on.
#[inline(always)]
pub(super) fn q3_k(block: &[u8; 110], out: &mut [f32; 256]) {
    let (high, rest) = block.split_at(32);
    let (low, rest) = rest.split_at(64);
    let d = half_at(block, 108);
    for (sixteen, places) in out.chunks_mut(16).enumerate() {
        let (half, k) = (sixteen / 8, sixteen % 8 / 2);
        let from = 16 * (sixteen % 2);
        let low = &low[32 * half + from..][..16];
        let high = &high[from..][..16];
        let nibble = rest[sixteen % 8] >> (4 * half) & 15;
        let upper = rest[8 + sixteen % 4] >> (2 * (sixteen / 4)) & 3;
        let scale = d * f32::from((nibble | upper << 4) as i8 - 32);
        for ((place, low), high) in places.iter_mut().zip(low).zip(high) {
            let third = high >> (4 * half + k) & 1;
            let q = (low >> (2 * k) & 3 | third << 2) as i8 - 4;
            *place = scale * f32::from(q);
        }
    }
}

/// `d: f16 | dmin: f16 | scales: 12 bytes | q: 128 bytes`; `x = (d scale) q - (dmin minimum)`.
///
/// Each 32 numbers have a 6-bit scale and a 6-bit minimum (see [`scale_and_minimum`]). Of every 64 numbers, the first 32
/// are the low four bits of 32 bytes of `q`, the others their high four bits.
#[inline(always)]
pub(super) fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let (scales, quants) = block[4..].split_at(12);
    for (pair, (bytes, places)) in quants.chunks(32).zip(out.chunks_mut(64)).enumerate() {
        let (low, high) = places.split_at_mut(32);
        let (scale, minimum) = scale_and_minimum(scales, 2 * pair);
        let (d1, m1) = (d * scale, dmin * minimum);
        let (scale, minimum) = scale_and_minimum(scales, 2 * pair + 1);
        let (d2, m2) = (d * scale, dmin * minimum);
        for ((byte, first), second) in bytes.iter().zip(low).zip(high) {
            *first = d1 * f32::from(byte & 15) - m1;
            *second = d2 * f32::from(byte >> 4) - m2;
        }
    }
}

/// `d: f16 | dmin: f16 | scales: 12 bytes | high: 32 bytes | low: 128 bytes`; `x = (d scale) q - (dmin minimum)`.
///
/// As [`q4_k`], with a fifth bit: of 32 numbers in bit `i` of the 32 bytes of `high`, where `i` counts the 32s.
#[inline(always)]
pub(super) fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let (scales, rest) = block[4..].split_at(12);
    let (high, low) = rest.split_at(32);
    for (i, places) in out.chunks_mut(32).enumerate() {
        let low = &low[32 * (i / 2)..][..32];
        let (scale, minimum) = scale_and_minimum(scales, i);
        let (scale, minimum) = (d * scale, dmin * minimum);
        for ((place, low), high) in places.iter_mut().zip(low).zip(high) {
            let q = low >> (4 * (i % 2)) & 15 | (high >> i & 1) << 4;
            *place = scale * f32::from(q) - minimum;
        }
    }
}

/// Eight 6-bit scales and eight 6-bit minima in twelve bytes: the low six bits of bytes 0 to 3 are scales 0 to 3, those of
/// bytes 4 to 7 minima 0 to 3; bytes 8 to 11 hold the low four bits of scale and minimum 4 to 7, whose upper two bits
/// are the top of bytes 0 to 3 and 4 to 7.
#[inline(always)]
fn scale_and_minimum(scales: &[u8], index: usize) -> (f32, f32) {
    let (scale, minimum) = if index < 4 {
        (scales[index] & 63, scales[index + 4] & 63)
    } else {
        let low = scales[index + 4];
        (
            low & 15 | (scales[index - 4] >> 6) << 4,
            low >> 4 | (scales[index] >> 6) << 4,
        )
    };
    (scale.into(), minimum.into())
}

/// `low: 128 bytes | high: 64 bytes | scales: 16 x i8 | d: f16`; `x = (d scale) (q - 32)`.
///
/// Each half (128 numbers) has 64 bytes of `low` and 32 of `high`. Quarter `k` of a half takes its low four bits from
/// bytes `32 (k % 2) ..` (low nibble for quarters 0 and 1, high for 2 and 3) and its upper two from bits `2 k` of `high`.
/// Each 16 numbers have their own scale.
#[inline(always)]
pub(super) fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let (low, rest) = block.split_at(128);
    let (high, rest) = rest.split_at(64);
    let d = half_at(rest, 16);
    for (quarter, places) in out.chunks_mut(32).enumerate() {
        let (half, k) = (quarter / 4, quarter % 4);
        let low = &low[64 * half + 32 * (k % 2)..][..32];
        let high = &high[32 * half..][..32];
        let scale = |sixteen: usize| d * f32::from(rest[2 * quarter + sixteen] as i8);
        let scales = [scale(0), scale(1)];
        for (l, place) in places.iter_mut().enumerate() {
            let nibble = if k < 2 { low[l] & 15 } else { low[l] >> 4 };
            let q = (nibble | (high[l] >> (2 * k) & 3) << 4) as i8 - 32;
            *place = scales[l / 16] * f32::from(q);
        }
    }
}

//! Types whose quants are places in a table of 16 values. In each 32 numbers byte `j` holds number `j` in its low and number
//! `j + 16` in its high four bits.

use super::half_at;

/// What the quants of IQ4_NL and IQ4_XS stand for (`kvalues_iq4nl`).
const UNEVEN: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0,
    89.0, 113.0,
];

/// Twice the values of a 4-bit float of two bits of exponent and one of mantissa (`kvalues_mxfp4`; E2M1 in the OCP
/// Microscaling Formats specification 1.0). The scale is halved for it, so that all are whole.
const DOUBLED_E2M1: [f32; 16] = [
    0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0,
];

/// `d: f16 | q: 16 bytes`; `x = d table(q)`.
#[inline(always)]
pub(super) fn iq4_nl(block: &[u8; 18], out: &mut [f32; 32]) {
    look_up(&UNEVEN, half_at(block, 0), &block[2..], out);
}

/// `d: f16 | high: u16 | low: 4 bytes | q: 128 bytes`; `x = (d (scale - 32)) table(q)`.
///
/// Each 32 numbers have a 6-bit scale: its low four bits are the next half byte of `low`, its upper two the next of `high`.
#[inline(always)]
pub(super) fn iq4_xs(block: &[u8; 136], out: &mut [f32; 256]) {
    let d = half_at(block, 0);
    let high = u16::from_le_bytes([block[2], block[3]]);
    let (low, quants) = block[4..].split_at(4);
    for (i, (bytes, places)) in quants.chunks(16).zip(out.chunks_mut(32)).enumerate() {
        let low = low[i / 2] >> (4 * (i % 2)) & 15;
        let upper = (high >> (2 * i) & 3) as u8;
        let scale = d * f32::from((low | upper << 4) as i8 - 32);
        look_up(&UNEVEN, scale, bytes, places);
    }
}

/// `e: u8 | q: 16 bytes`; `x = 2^(e - 128) table(q)`, with a table of doubled values.
#[inline(always)]
pub(super) fn mxfp4(block: &[u8; 17], out: &mut [f32; 32]) {
    look_up(&DOUBLED_E2M1, half_of_power(block[0]), &block[1..], out);
}

/// `2^(e - 128)`; the lowest two are below the normal range. The specification keeps 255 for what is no number, which the format's
/// own code reads as a power like the others.
#[inline(always)]
fn half_of_power(e: u8) -> f32 {
    f32::from_bits(match e {
        0 | 1 => 0x0020_0000 << e,
        e => (u32::from(e) - 1) << 23,
    })
}

/// Of 16 bytes, 32 numbers.
#[inline(always)]
fn look_up(table: &[f32; 16], scale: f32, bytes: &[u8], out: &mut [f32]) {
    let (low, high) = out.split_at_mut(16);
    for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
        *low = scale * table[usize::from(byte & 15)];
        *high = scale * table[usize::from(byte >> 4)];
    }
}

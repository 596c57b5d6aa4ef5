//! Plain little-endian numbers to `f32`. Trailing bytes that make no whole number are left out.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Halves that are turned at a time.
const AT_A_TIME: usize = 64;

pub(super) fn f32_into(bytes: &[u8], out: &mut [f32]) {
    let (numbers, _) = bytes.as_chunks();
    for (place, raw) in out.iter_mut().zip(numbers) {
        *place = f32::from_le_bytes(*raw);
    }
}

pub(super) fn f16_into(bytes: &[u8], out: &mut [f32]) {
    let (numbers, _) = bytes.as_chunks();
    let mut halves = [f16::ZERO; AT_A_TIME];
    for (places, raw) in out.chunks_mut(AT_A_TIME).zip(numbers.chunks(AT_A_TIME)) {
        let count = raw.len().min(places.len());
        for (half, raw) in halves.iter_mut().zip(raw) {
            *half = f16::from_le_bytes(*raw);
        }
        halves[..count].convert_to_f32_slice(&mut places[..count]);
    }
}

pub(super) fn bf16_into(bytes: &[u8], out: &mut [f32]) {
    let (numbers, _) = bytes.as_chunks();
    for (place, raw) in out.iter_mut().zip(numbers) {
        *place = bf16::from_le_bytes(*raw).to_f32();
    }
}

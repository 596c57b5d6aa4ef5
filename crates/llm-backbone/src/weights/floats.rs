//! Plain little-endian numbers to `f32`. Trailing bytes that make no whole number are left out.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

pub(crate) fn from_f32(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|raw| f32::from_le_bytes(*raw)).collect()
}

pub(crate) fn from_f64(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers
        .iter()
        .map(|raw| f64::from_le_bytes(*raw) as f32)
        .collect()
}

pub(crate) fn from_f16(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    let halves: Vec<f16> = numbers.iter().map(|raw| f16::from_le_bytes(*raw)).collect();
    halves.to_f32_vec()
}

pub(crate) fn from_bf16(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    let halves: Vec<bf16> = numbers
        .iter()
        .map(|raw| bf16::from_le_bytes(*raw))
        .collect();
    halves.to_f32_vec()
}

//! Products of f32 matrices with the tile unit of Intel's processors (AMX, Sapphire Rapids and later).
//!
//! The unit multiplies numbers of 16 bits (bf16) and adds up in f32, at sixteen times the rate of the f32 instructions. Each f32 is cut
//! into three bf16 of eight bits of precision, `x = h + m + l`, which together hold its 24 bits. Of the nine products of two such sums the
//! six that matter are made, `hh + hm + mh + hl + mm + lh`; the others are below `2^-24` of the first. So results are as exact as f32's own
//! products, at up to 16/6 of their rate. Numbers below f32's normal range count as 0, and infinities give no number.
//!
//! This crate alone has `unsafe` code: compilers know no tile registers, so that the loop over them is in assembly.
#![cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    allow(dead_code)
)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kernel;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod pack;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod product;
mod view;

pub use view::View;

/// Whether this processor has the unit and the system lets us use it. Asked once.
pub fn is_supported() -> bool {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return kernel::is_supported();
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    false
}

/// Products `a b`, `[m, n]` row by row, one behind the other, of pairs of `a`, `[m, k]`, and `b`, `[k, n]`, of equal shapes. All of rayon's
/// threads take part.
///
/// # Panics
/// Where shapes differ, or [`is_supported`] is false.
pub fn products(pairs: &[[View<'_>; 2]]) -> Vec<f32> {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return product::products(pairs);
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    {
        let _ = pairs;
        panic!("this processor has no tiles")
    }
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

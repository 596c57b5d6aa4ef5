//! Products of f32 matrices with the tile unit of Intel's processors (AMX, Sapphire Rapids and later).
//!
//! The unit multiplies numbers of 16 bits (bf16) and adds up in f32, at sixteen times the rate of the f32 instructions. Each f32 is cut
//! into three bf16 of eight bits of precision, `x = h + m + l`, which together hold its 24 bits. Of the nine products of two such sums the
//! six that matter are made, `hh + hm + mh + hl + mm + lh`; the others are below `2^-24` of the first. So results are as exact as f32's own
//! products, at up to 16/6 of their rate. Numbers below f32's normal range count as 0, and infinities give no number.
//!
//! Compilers know no tile registers, so that the loop over them is in assembly, and `unsafe`.
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

/// The right side of products, cut once for many of them: 6 bytes a number, and zeros up to whole blocks of 32 by 32.
#[derive(Debug)]
pub struct Packed {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    steps: Vec<kernel::Step>,
    shape: [usize; 2],
}

impl Packed {
    /// Of `b`, `[k, n]`. All of rayon's threads take part.
    ///
    /// # Panics
    /// Where [`is_supported`] is false.
    pub fn new(b: View<'_>) -> Self {
        assert!(is_supported(), "this processor has no tiles");
        Self {
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            steps: product::packed(b),
            shape: b.shape(),
        }
    }

    /// `[k, n]`.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Bytes that a right side of `[k, n]` takes.
    pub fn bytes([k, n]: [usize; 2]) -> usize {
        const BLOCK: usize = 32;
        const EACH: usize = 6;
        k.next_multiple_of(BLOCK) * n.next_multiple_of(BLOCK) * EACH
    }
}

/// The product `a b`, `[m, n]` row by row, of `a`, `[m, k]`, and a `b` that is cut already; the numbers are those of [`products`].
///
/// # Panics
/// Where shapes differ.
pub fn product_with(a: View<'_>, b: &Packed) -> Vec<f32> {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return product::product_with(a, b.shape, &b.steps);
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    {
        let _ = (a, b);
        panic!("this processor has no tiles")
    }
}

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

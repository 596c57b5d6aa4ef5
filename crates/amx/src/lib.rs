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
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    path = "elsewhere.rs"
)]
mod product;
mod view;

pub use product::{Left, Packed, is_supported};
pub use view::View;

/// Rows and columns of blocks, and inner steps that are cut together: shapes are filled up with zeros to multiples of it.
const BLOCK: usize = 32;

/// The right side of a product, `[k, n]`.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a> {
    /// To be cut on the way.
    Plain(View<'a>),
    /// Cut already.
    Packed(&'a Packed),
}

impl Right<'_> {
    fn shape(&self) -> [usize; 2] {
        match self {
            Self::Plain(view) => view.shape(),
            Self::Packed(packed) => packed.shape(),
        }
    }
}

impl Packed {
    /// Bytes that a right side of `[k, n]` takes.
    pub fn bytes([k, n]: [usize; 2]) -> usize {
        const EACH: usize = 6;
        k.next_multiple_of(BLOCK) * n.next_multiple_of(BLOCK) * EACH
    }
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! Stands for `avx2.rs` on other processors: nothing is done here, and everything in plain Rust.

use std::convert::Infallible;
use std::marker::PhantomData;

use crate::types::TensorType;

/// There is none.
pub(crate) struct Factor<'a>(Infallible, PhantomData<&'a f32>);

impl<'a> Factor<'a> {
    pub(crate) fn new(_: TensorType, _: &'a [f32], _: usize, _: bool) -> Option<Self> {
        None
    }

    #[cfg(test)]
    pub(crate) fn with_few_registers(self) -> Self {
        self
    }

    pub(crate) fn products(&self, _: &[u8], _: &mut [&mut [f32]]) {
        match self.0 {}
    }
}

/// Never does anything.
pub(super) fn dequantise_into(_: TensorType, _: &[u8], _: &mut [f32]) -> bool {
    false
}

/// Nobody asks for more.
pub(crate) fn finite(_: TensorType, _: &[u8]) -> bool {
    true
}

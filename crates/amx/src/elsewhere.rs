//! Processors and systems without tiles: nothing can be cut, and so nothing is multiplied.

use std::convert::Infallible;

use crate::Right;
use crate::view::View;

/// Whether this processor has the unit and the system lets us use it.
pub fn is_supported() -> bool {
    false
}

/// The right side of products, cut once for many of them.
#[derive(Debug)]
pub struct Packed(Infallible);

impl Packed {
    /// Of `b`.
    ///
    /// # Panics
    /// Always.
    pub fn new(_: View<'_>) -> Self {
        panic!("this processor has no tiles")
    }

    /// `[k, n]`.
    pub fn shape(&self) -> [usize; 2] {
        match self.0 {}
    }
}

/// The left side of products, cut once for some of them.
#[derive(Debug)]
pub struct Left(Infallible);

impl Left {
    /// Of `a`.
    ///
    /// # Panics
    /// Always.
    pub fn new(_: View<'_>, _: usize) -> Self {
        panic!("this processor has no tiles")
    }

    /// Whether [`times_and`](Self::times_and) can add a product with so many inner steps.
    pub fn has_room_for(&self, _: usize) -> bool {
        match self.0 {}
    }

    /// `a b`.
    pub fn times(&self, _: Right<'_>) -> Vec<f32> {
        match self.0 {}
    }

    /// `a b + u v`.
    pub fn times_and(&mut self, _: Right<'_>, _: [View<'_>; 2]) -> Vec<f32> {
        match self.0 {}
    }
}

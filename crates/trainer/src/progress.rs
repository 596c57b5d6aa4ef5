//! How far long work is.

/// Hears how far long work is. Library functions that may take longer than a second report to one.
pub trait Progress: Sync {
    /// `done` of `total` items of `what` are done: 0 at the start, `total` at the end.
    fn report(&self, what: &str, done: usize, total: usize);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn report(&self, _: &str, _: usize, _: usize) {}
}

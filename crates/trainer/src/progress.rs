//! How far long work has come, for whoever shows it.

/// Hears of progress. Implementations decide what to show and how often; calls come often and must be quick.
pub trait Progress: Sync {
    /// `done` of `total` items of `what` are done: 0 at the start, `total` at the end.
    fn report(&self, what: &str, done: usize, total: usize);

    /// Asked between pieces of the work: shall it end early? It then ends with [`TrainError::Stopped`].
    ///
    /// [`TrainError::Stopped`]: crate::TrainError::Stopped
    fn stopped(&self) -> bool {
        false
    }
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn report(&self, _: &str, _: usize, _: usize) {}
}

/// Shows nothing, and passes on a wish to stop: for the parts of work that is shown as a whole.
pub struct Part<'a>(pub &'a dyn Progress);

impl Progress for Part<'_> {
    fn report(&self, _: &str, _: usize, _: usize) {}

    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}

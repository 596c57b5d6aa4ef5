//! Who watches a run and may stop it.

use crate::metrics::Line;
use crate::progress::{Progress, Quiet};

/// Hears of a run, on the thread that trains.
pub trait Monitor {
    /// The run begins, or goes on.
    fn start(&mut self, plan: &Plan) {
        let _ = plan;
    }

    /// A step or a validation is done; `total` steps will be.
    fn line(&mut self, line: &Line, total: usize);

    /// Asked after every step: is this the last?
    fn stop(&self) -> Option<Stop> {
        None
    }

    /// Hears how far long work between steps is.
    fn progress(&self) -> &dyn Progress {
        &Quiet
    }
}

/// What a run will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Steps done already.
    pub done: usize,
    /// Steps of the whole run.
    pub total: usize,
    /// Steps of one pass over the data.
    pub per_epoch: usize,
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Save, and say how to go on.
    AfterSaving,
    /// At once; steps since the last checkpoint are lost.
    AtOnce,
}

impl Monitor for Quiet {
    fn line(&mut self, _: &Line, _: usize) {}
}

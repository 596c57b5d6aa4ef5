//! The statistics of a report: those of `trainer`, under the name that reports use.

pub use trainer::stats::*;

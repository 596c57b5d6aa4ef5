//! bench

pub mod report;

//! Experiments, evaluation and reports of P-RLHF.

pub mod config;
pub mod measure;
pub mod report;
pub mod tiny;
pub mod tldr;

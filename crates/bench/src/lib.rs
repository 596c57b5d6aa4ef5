//! Experiments, evaluation and reports of P-RLHF.

pub mod config;
pub mod experiment;
pub mod measure;
pub mod prism;
pub mod psoups;
pub mod report;
pub mod speed;
pub mod text;
pub mod tiny;
pub mod tldr;
pub mod verdicts;

//! Experiments, evaluation and reports of P-RLHF.

pub mod config;
pub mod experiment;
pub mod report;

mod best_of;
mod claims;
mod measure;
mod newcomers;
mod prism;
mod psoups;
#[cfg(test)]
mod tests;
mod texts;
mod tiny;
mod tldr;

pub use prism::PrismConfig;
pub use psoups::PsoupsConfig;
pub use tldr::TldrConfig;

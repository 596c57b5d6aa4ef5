//! What can go wrong with adapters.

use super::Targets;
use crate::weights::WeightError;

/// What can go wrong with adapters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoraError {
    /// No module matched.
    #[error(
        "LoRA targets {targets:?} match no module of this model; it has, for example, {example}{}",
        targets.hint()
    )]
    NoTarget {
        /// What was asked for.
        targets: Targets,
        /// A module that exists.
        example: String,
    },
    /// A name in a list that no module has, or one that carries no adapter.
    #[error("LoRA target `{target}`: {problem}")]
    Target {
        /// The name.
        target: String,
        /// Why not, and which there are.
        problem: String,
    },
    /// A text that should be a regular expression.
    #[error("LoRA target `{pattern}` is no regular expression: {problem}")]
    Pattern {
        /// The text.
        pattern: String,
        /// Why not.
        problem: String,
    },
    /// A key of `adapter_config.json` asks for something that is not read.
    #[error("{file}: key `{key}`: found {found}; {problem}")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// Why it is not read, and what to do.
        problem: String,
    },
    /// A nonsensical size.
    #[error("LoRA {key} is {found}, expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The range.
        expected: &'static str,
    },
    /// A file of tensors that cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A tensor of an adapter file does not fit.
    #[error("{file}: tensor {tensor}: {problem}")]
    Tensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Found and expected.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{file}: {problem}")]
    Format {
        /// The file.
        file: String,
        /// Why.
        problem: String,
    },
}

use std::path::{Path, PathBuf};

use crate::config::ConfigError;

/// Why weights could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// The operating system refused, or the disk is full.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The path holds no model.
    #[error("{}: found no model, expected {expected}", path.display())]
    NoModel {
        /// The directory.
        path: PathBuf,
        /// The files that would do.
        expected: String,
    },
    /// The path holds something else than weights that can be read.
    #[error("{}: {found}; {next}", path.display())]
    SomethingElse {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What to do.
        next: String,
    },
    /// A tensor holds a number that is none, or one too large for the type it is to have.
    #[error("{}: tensor `{name}`: number {at} is {value}; {problem}", file.display())]
    Number {
        /// The file.
        file: PathBuf,
        /// The tensor.
        name: String,
        /// Its index, row by row.
        at: usize,
        /// What it is.
        value: f32,
        /// What that means.
        problem: &'static str,
    },
    /// The configuration beside or inside the weights is unusable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file ends too early.
    #[error("{}: {item}: the file has {found} bytes, expected at least {expected}", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// The tensor, key or part.
        item: String,
        /// Length of the file.
        found: u64,
        /// The length it would need.
        expected: u64,
    },
    /// The file contradicts its own format.
    #[error("{}: {item}: found {found}, expected {expected}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The tensor, key or part.
        item: String,
        /// What is there.
        found: String,
        /// What the format asks for.
        expected: String,
    },
    /// The file is sound but uses something this crate does not.
    #[error("{}: {item}: found {found}, supported are {supported}", file.display())]
    Unsupported {
        /// The file.
        file: PathBuf,
        /// The tensor, key or part.
        item: String,
        /// What is there.
        found: String,
        /// What would do.
        supported: String,
    },
    /// A tensor that was asked for is not there.
    #[error("{}: tensor `{name}`: not found; the file has {}", file.display(), some_of(there))]
    Missing {
        /// The file.
        file: PathBuf,
        /// The name that was asked for.
        name: String,
        /// Names that are there.
        there: Vec<String>,
    },
}

impl WeightError {
    pub(crate) fn io(file: &Path, source: std::io::Error) -> Self {
        Self::Io {
            file: file.to_owned(),
            source,
        }
    }

    pub(crate) fn truncated(
        file: &Path,
        item: impl Into<String>,
        found: u64,
        expected: u64,
    ) -> Self {
        Self::Truncated {
            file: file.to_owned(),
            item: item.into(),
            found,
            expected,
        }
    }

    pub(crate) fn malformed(
        file: &Path,
        item: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            file: file.to_owned(),
            item: item.into(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    pub(crate) fn unsupported(
        file: &Path,
        item: impl Into<String>,
        found: impl Into<String>,
        supported: impl Into<String>,
    ) -> Self {
        Self::Unsupported {
            file: file.to_owned(),
            item: item.into(),
            found: found.into(),
            supported: supported.into(),
        }
    }

    pub(crate) fn something_else(
        path: &Path,
        found: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::SomethingElse {
            path: path.to_owned(),
            found: found.into(),
            next: next.into(),
        }
    }

    pub(crate) fn not_finite(file: &Path, name: &str, at: usize, value: f32) -> Self {
        Self::Number {
            file: file.to_owned(),
            name: name.to_owned(),
            at,
            value,
            problem: "the weights are broken, and nothing can be computed with them: get or make them anew",
        }
    }

    pub(crate) fn missing(file: &Path, name: &str, there: Vec<String>) -> Self {
        Self::Missing {
            file: file.to_owned(),
            name: name.to_owned(),
            there,
        }
    }
}

/// The first few names, and how many more there are.
pub(super) fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len() {
        0 => "no tensors".to_owned(),
        n if n <= SHOWN => shown.join(", "),
        n => format!("{} and {} more", shown.join(", "), n - SHOWN),
    }
}

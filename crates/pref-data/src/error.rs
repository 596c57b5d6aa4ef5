//! Errors, each of which says where, what was found and what was expected.

use std::io;
use std::path::{Path, PathBuf};

use crate::comparison::UserId;
use crate::tldr::PopulationError;

/// The name of the whole line or row where no single field is at fault.
pub(crate) const WHOLE_RECORD: &str = "(whole record)";

/// What can go wrong between a path and a [`crate::Comparison`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A record that does not follow the layout.
    #[error(transparent)]
    Record(#[from] Box<RecordError>),
    /// A file whose ending names no known format.
    #[error("{}: found the ending `{found}`, expected {expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its ending.
        found: String,
        /// The endings that can be read.
        expected: &'static str,
    },
    /// No path, or folders without a file of a known format.
    #[error("no data file: found none in {found}, expected a file or folder with {expected}")]
    NoFiles {
        /// The paths that were looked at.
        found: String,
        /// The endings that can be read.
        expected: &'static str,
    },
    /// A packed archive where its contents are wanted.
    #[error("{}: found a packed archive, expected the folder that it unpacks to: unpack it first", path.display())]
    Packed {
        /// The archive.
        path: PathBuf,
    },
    /// Files without a single usable record.
    #[error("no comparison left in {paths}: {found}")]
    Empty {
        /// The files.
        paths: String,
        /// What was read and why it was left out.
        found: String,
    },
    /// The simulated population cannot be drawn.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// The data cannot be split.
    #[error(transparent)]
    Split(#[from] SplitError),
}

/// One record that does not follow the layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {}field `{field}`: expected {expected}, found {found}", path.display(), item_words(*item))]
pub struct RecordError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; in Parquet files the row, from 1.
    pub line: u64,
    /// The place in a JSON array, from 1: an array often stands on one line.
    pub item: Option<u64>,
    /// The field, nested ones with dots; `(whole record)` if none.
    pub field: String,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

/// Why data cannot be split.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// Ratios that are no shares of one whole.
    #[error(
        "split ratios: found {train} / {validation} / {test}, expected shares from 0 to 1 that sum to 1"
    )]
    Ratios {
        /// Share of training.
        train: f64,
        /// Share of validation.
        validation: f64,
        /// Share of test.
        test: f64,
    },
    /// A seed that numpy's generator does not take.
    #[error("seed of a split by row: found {found}, expected a number below 2^32")]
    Seed {
        /// The seed given.
        found: u64,
    },
    /// Fewer separable sources than parts.
    #[error(
        "cannot split by source: found {found} separable sources, expected at least {expected}"
    )]
    TooFewSources {
        /// Units that can be told apart.
        found: usize,
        /// Parts that must not be empty.
        expected: usize,
    },
    /// A share that is none.
    #[error("{name}: found {found}, expected a share from 0 to 1")]
    Share {
        /// Which one.
        name: &'static str,
        /// The number given.
        found: f64,
    },
    /// A dialogue that two users are said to have had.
    #[error("dialogue `{dialogue}`: found the users `{first}` and `{second}`, expected one")]
    TwoUsers {
        /// The dialogue.
        dialogue: String,
        /// One user.
        first: UserId,
        /// The other.
        second: UserId,
    },
    /// No user to train on.
    #[error(
        "cannot split by user: found {users} users and none to be seen, expected a seen share of them \
         with two dialogues or more"
    )]
    NoSeenUser {
        /// How many users there are.
        users: usize,
    },
    /// The same source or pair on two sides.
    #[error("split leaks: {what} `{name}` is in {first} and in {second}")]
    Leak {
        /// `source` or `pair`.
        what: &'static str,
        /// The source.
        name: String,
        /// One side.
        first: &'static str,
        /// The other side.
        second: &'static str,
    },
}

impl DataError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn record(
        path: &Path,
        line: u64,
        field: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Record(Box::new(RecordError {
            path: path.to_path_buf(),
            line,
            item: None,
            field: field.into(),
            found: found.into(),
            expected: expected.into(),
        }))
    }

    /// The same error, with the place in an array.
    pub(crate) fn in_item(self, item: Option<u64>) -> Self {
        match self {
            Self::Record(mut record) => {
                record.item = item;
                Self::Record(record)
            }
            other => other,
        }
    }
}

/// `item 3, ` for the third item of an array, nothing elsewhere.
fn item_words(item: Option<u64>) -> String {
    item.map_or_else(String::new, |item| format!("item {item}, "))
}

//! What can go wrong, as types.

use std::path::{Path, PathBuf};

use crate::UserRef;

/// A user model that cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting is out of its range.
    #[error("user model: `{key}` is {found}, expected {expected}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// An initialisation draws rows of the base model's token embedding, and none was given.
    #[error(
        "user model: `{key}` is `vocabulary`, which needs the base model's token embedding; none was given"
    )]
    NoVocabulary {
        /// The setting that asks for it.
        key: &'static str,
    },
    /// The token embedding does not fit.
    #[error("token embedding: {what} is {found}, expected {expected}")]
    Vocabulary {
        /// What does not fit.
        what: &'static str,
        /// Its value.
        found: usize,
        /// The value needed.
        expected: String,
    },
    /// A tensor could not be read from its device.
    #[error("token embedding: cannot be read from its device: {0}")]
    Device(String),
}

/// A request that the user table cannot fulfil. Nothing has changed when one is returned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The id was never added.
    #[error("unknown user {}{}", printable::quoted(.id), similar(.id, .nearest))]
    UnknownUser {
        /// The id asked for.
        id: String,
        /// Known ids that look alike, the nearest first.
        nearest: Vec<String>,
    },
    /// An import would overwrite a user.
    #[error("user {} is already in the table; remove it first", printable::quoted(.id))]
    KnownUser {
        /// The id.
        id: String,
    },
    /// Nobody is called nothing: the generic user is a keyword, not an id.
    #[error("user {}: an id must not be empty or blank", printable::quoted(.id))]
    EmptyId {
        /// The id.
        id: String,
    },
    /// A new user's id is one that can be typed and told apart in a list.
    #[error(
        "user {}: an id must not hold a control character, and this one holds U+{:04X}",
        printable::quoted(.id),
        u32::from(*found)
    )]
    ControlInId {
        /// The id.
        id: String,
        /// The first such character.
        found: char,
    },
    /// A new user's id is a name, and no text.
    #[error(
        "user {}...: an id is at most {} bytes long, and this one has {bytes}",
        printable::quoted(.start),
        crate::UserTable::LONGEST_ID
    )]
    LongId {
        /// How it begins.
        start: String,
        /// Its length.
        bytes: usize,
    },
    /// Two users become one, of whom one is to be named.
    #[error("{user} is not one of the two users that are to become one")]
    NotTwo {
        /// The user.
        user: UserRef,
    },
    /// A user and nobody else become one.
    #[error("user {} was named twice: two users become one", printable::quoted(.id))]
    Twice {
        /// The id.
        id: String,
    },
    /// A batch of no users has no rows.
    #[error("a batch of users is empty, expected at least one user")]
    EmptyBatch,
    /// The user owns no trainable row in this kind of user model.
    #[error("{user} has no trainable row in this user model")]
    NoRow {
        /// The user.
        user: UserRef,
    },
    /// A gradient or row has the wrong length.
    #[error("{what} has {found} numbers, expected {expected}")]
    Length {
        /// What was given.
        what: String,
        /// Its length.
        found: usize,
        /// The length needed.
        expected: usize,
    },
    /// A gradient is NaN or infinite; no row was moved.
    #[error("the gradient of {user} holds {found}, expected finite numbers")]
    NotFinite {
        /// The user.
        user: UserRef,
        /// The first such number.
        found: f32,
    },
    /// Numbers could not be read from their device.
    #[error("the numbers of the user model cannot be read from their device: {0}")]
    Device(String),
    /// An exported user comes from a user model of another form.
    #[error("exported user {}: {key} is {found}, expected {expected}", printable::quoted(.id))]
    Incompatible {
        /// The user.
        id: String,
        /// What differs.
        key: &'static str,
        /// The value in the export.
        found: String,
        /// The table's value.
        expected: String,
    },
    /// An exported user comes from beside other shared tensors.
    #[error(
        "exported user {}: the row was made beside shared tensors of SHA-256 {found}, and these have {expected}: beside them it means nothing",
        printable::quoted(.id)
    )]
    OtherShared {
        /// The user.
        id: String,
        /// The hash in the export.
        found: String,
        /// That of the model.
        expected: String,
    },
    /// A first row cannot be drawn.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file of a fitted user cannot be read: what a [`FileError`] says.
    #[error("{0}")]
    File(String),
}

impl From<FileError> for TableError {
    fn from(error: FileError) -> Self {
        Self::File(error.to_string())
    }
}

/// Near matches; where the eye may not see in what one differs, that too.
fn similar(id: &str, nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let shown = |near: &String| match printable::difference(id, near) {
        Some(difference) => format!("{} ({difference})", printable::quoted(near)),
        None => printable::quoted(near),
    };
    let shown: Vec<String> = nearest.iter().map(shown).collect();
    format!("; known and similar: {}", shown.join(", "))
}

/// A user-model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not JSON, or not of the expected form; the message names key, line and column.
    #[error("{}: {source}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// Not a safetensors file, or a damaged one.
    #[error("{}: not a valid safetensors file: {source}", .path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// A key or tensor holds something else than it must.
    #[error("{}: `{key}` is {found}, expected {expected}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The key or tensor.
        key: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The configuration in the file is not valid.
    #[error("{}: {source}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ConfigError,
    },
    /// Model and table to save do not belong together, or cannot be read from their device.
    #[error("the user model cannot be saved: {0}")]
    Unsavable(String),
}

impl FileError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Json { path, source }
    }

    pub(crate) fn content(
        path: &Path,
        key: impl Into<String>,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Content {
            path: path.to_owned(),
            key: key.into(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

//! Which of the official files a path is.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::fields::RawError;
use crate::files::{self, Format};

/// The files of a data set by what they hold.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub survey: Vec<PathBuf>,
    pub conversations: Vec<PathBuf>,
    pub utterances: Vec<PathBuf>,
}

impl Sources {
    /// Tells the files apart by their first readable record, whatever their names. Other files (models, metadata) are left
    /// alone.
    pub fn find<P: AsRef<Path>>(paths: &[P]) -> Result<Self, DataError> {
        let mut sources = Self::default();
        for path in files::list(paths, &[Format::Json])? {
            match kind(&path)? {
                Some(Kind::Survey) => sources.survey.push(path),
                Some(Kind::Conversations) => sources.conversations.push(path),
                Some(Kind::Utterances) => sources.utterances.push(path),
                None => {
                    tracing::debug!(path = %path.display(), "no file of dialogues, left alone");
                }
            }
        }
        if sources.conversations.is_empty() && sources.utterances.is_empty() {
            return Err(DataError::NoFiles {
                found: files::names(paths),
                expected: "conversations.jsonl or utterances.jsonl of PRISM",
            });
        }
        Ok(sources)
    }
}

enum Kind {
    Survey,
    Conversations,
    Utterances,
}

/// What the first readable record is.
fn kind(path: &Path) -> Result<Option<Kind>, DataError> {
    let names = [
        ("conversation_history", Kind::Conversations),
        ("stated_prefs", Kind::Survey),
        ("model_response", Kind::Utterances),
    ];
    for record in files::open(path).map_err(|error| error.error)? {
        match record {
            Ok(record) => {
                let mut names = names.into_iter();
                let found = names.find(|(name, _)| record.map.contains_key(*name));
                return Ok(found.map(|(_, kind)| kind));
            }
            Err(RawError { error, fatal: true }) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

//! Which of the official files a path is.

use std::path::{Path, PathBuf};

use crate::error::DataError;
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
            match files::kind(&path, &MARKS)? {
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

#[derive(Clone, Copy)]
enum Kind {
    Survey,
    Conversations,
    Utterances,
}

const MARKS: [(&str, Kind); 3] = [
    ("conversation_history", Kind::Conversations),
    ("stated_prefs", Kind::Survey),
    ("model_response", Kind::Utterances),
];

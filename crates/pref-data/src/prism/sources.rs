//! Which of the official files a path is.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::records::{self, Format};

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
        for path in records::list(paths, &[Format::Json])? {
            match records::first_mark(&path, &MARKS)? {
                Some(Holds::Survey) => sources.survey.push(path),
                Some(Holds::Conversations) => sources.conversations.push(path),
                Some(Holds::Utterances) => sources.utterances.push(path),
                None => {
                    tracing::debug!(path = %path.display(), "no file of dialogues, left alone");
                }
            }
        }
        if sources.conversations.is_empty() && sources.utterances.is_empty() {
            return Err(DataError::NoFiles {
                found: records::names(paths),
                expected: "conversations.jsonl or utterances.jsonl of PRISM",
            });
        }
        Ok(sources)
    }
}

#[derive(Clone, Copy)]
enum Holds {
    Survey,
    Conversations,
    Utterances,
}

const MARKS: [(&str, Holds); 3] = [
    ("conversation_history", Holds::Conversations),
    ("stated_prefs", Holds::Survey),
    ("model_response", Holds::Utterances),
];

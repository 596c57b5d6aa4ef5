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
        for file in records::list(paths, &[Format::Json])?.files {
            let path = file.path().to_path_buf();
            match records::first_mark(&file, &MARKS)? {
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

/// The fields of a dialogue, all required.
pub(crate) const CONVERSATION: &[&str] = &["conversation_id", "user_id", "conversation_history"];
/// The fields of a rated response, all required.
pub(crate) const UTTERANCE: &[&str] = &[
    "conversation_id",
    "user_id",
    "turn",
    "within_turn_id",
    "user_prompt",
    "model_response",
    "model_name",
    "score",
    "if_chosen",
];
/// The fields of a participant, all required.
pub(crate) const SURVEY: &[&str] = &[
    "user_id",
    "survey_only",
    "num_completed_conversations",
    "self_description",
    "system_string",
    "stated_prefs",
    "order_stated_prefs",
];

const MARKS: [(&[&str], Holds); 3] = [
    (CONVERSATION, Holds::Conversations),
    (SURVEY, Holds::Survey),
    (UTTERANCE, Holds::Utterances),
];

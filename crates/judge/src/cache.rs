//! Answers on disk, by content: a repeated question costs no call.
//!
//! One small file for each answer, written under a temporary name, synced and renamed, so that an evaluation may be
//! killed at any time. The name is the SHA-256 of model, messages, temperature and token limit; the endpoint and the key
//! take no part, so the answers of a model are found wherever it is served.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::Message;
use crate::client::Answer;
use crate::config::JudgeConfig;
use crate::error::JudgeError;

/// The name of a question, 64 hexadecimal digits.
pub fn key(config: &JudgeConfig, messages: &[Message]) -> String {
    let mut hash = Sha256::new();
    let temperature = config.temperature.map_or("-".into(), |t| t.to_string());
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(&config.model);
    part(&temperature);
    part(&config.max_tokens.to_string());
    for message in messages {
        part(&message.role);
        part(&message.content);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A folder of answers.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    model: String,
    answer: String,
    cut: bool,
}

impl Cache {
    /// The cache in that folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`JudgeError::Cache`] if it cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, JudgeError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        Ok(Self { folder })
    }

    /// The file of a question.
    pub fn path(&self, key: &str) -> PathBuf {
        let shelf = key.get(..2).unwrap_or(key);
        self.folder.join(shelf).join(format!("{key}.json"))
    }

    /// The answer to a question. A file that is cut, mangled or of another question counts as absent.
    pub fn get(&self, key: &str) -> Option<Answer> {
        let path = self.path(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("judge cache: {}: {error}; asking again", path.display());
                return None;
            }
        };
        match serde_json::from_slice::<Entry>(&bytes) {
            Ok(entry) if entry.key == key => Some(Answer {
                text: entry.answer,
                cut: entry.cut,
                cached: true,
            }),
            _ => {
                tracing::warn!("judge cache: {} is corrupt; asking again", path.display());
                None
            }
        }
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// [`JudgeError::Cache`] if the file cannot be written; no part of it is left then.
    pub fn put(&self, key: &str, model: &str, answer: &Answer) -> Result<(), JudgeError> {
        let path = self.path(key);
        let entry = Entry {
            key: key.into(),
            model: model.into(),
            answer: answer.text.clone(),
            cut: answer.cut,
        };
        let bytes = serde_json::to_vec(&entry).map_err(|error| at(&path)(error.into()))?;
        replace(&path, &bytes).map_err(at(&path))
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    whole_file::replace(path, bytes)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> JudgeError {
    let path = path.to_owned();
    move |source| JudgeError::Cache { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            text: "Verdict: TIE".into(),
            cut: false,
            cached: true,
        }
    }

    #[test]
    fn the_key_depends_on_the_question_and_on_nothing_else() {
        let config = JudgeConfig::new("http://a", "m");
        let messages = [Message::new("system", "s"), Message::new("user", "u")];
        let same = JudgeConfig {
            key_env: Some("KEY".into()),
            retries: 9,
            ..JudgeConfig::new("http://b", "m")
        };
        assert_eq!(key(&config, &messages), key(&same, &messages));
        let mut keys = vec![key(&config, &messages)];
        keys.push(key(&JudgeConfig::new("http://a", "n"), &messages));
        let mut other = config.clone();
        other.temperature = None;
        keys.push(key(&other, &messages));
        other.temperature = Some(0.1);
        keys.push(key(&other, &messages));
        other.max_tokens = 9;
        keys.push(key(&other, &messages));
        keys.push(key(&config, &messages[..1]));
        keys.push(key(&config, &[Message::new("system", "su")]));
        keys.push(key(
            &config,
            &[Message::new("user", "s"), Message::new("user", "u")],
        ));
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert!(keys.iter().all(|key| key.len() == 64));
    }

    #[test]
    fn what_is_put_is_found_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("deep/er")).unwrap();
        assert_eq!(cache.get("ab12"), None);
        cache.put("ab12", "m", &answer()).unwrap();
        cache.put("ab12", "m", &answer()).unwrap();
        assert_eq!(cache.get("ab12"), Some(answer()));
        let shelf = cache.path("ab12").parent().unwrap().to_owned();
        assert_eq!(fs::read_dir(shelf).unwrap().count(), 1);
    }

    #[test]
    fn a_corrupt_file_or_one_of_another_question_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        cache.put("ab12", "m", &answer()).unwrap();
        let path = cache.path("ab12");
        let whole = fs::read(&path).unwrap();
        for bytes in [&whole[..whole.len() - 1], b"", b"{}", b"\xff"] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(cache.get("ab12"), None);
        }
        fs::write(cache.path("ab99"), &whole).unwrap();
        assert_eq!(cache.get("ab99"), None);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Cache::open(file.join("cache")).unwrap_err().to_string();
        assert!(error.contains(&*file.to_string_lossy()), "{error}");
    }
}

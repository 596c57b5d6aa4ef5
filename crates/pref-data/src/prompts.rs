//! Prompts to evaluate on: the Koala files as they are, JSON Lines, or plain lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use crate::error::{DataError, WHOLE_RECORD};
use crate::records::{self, DataFile, Fields, Format, describe};

/// A longer line is no prompt, but a file of another kind.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads prompts, in the order of the file.
///
/// `.json`, `.jsonl`, `.ndjson`: one array, or one object a line, with the text in `prompt`; other fields are ignored. Any
/// other ending: plain UTF-8 text, one prompt a line, empty lines left out.
///
/// # Errors
/// [`DataError`]: a file that cannot be read, a record without a prompt, a line that is not UTF-8, no prompt at all.
pub fn read_prompts(path: &Path) -> Result<Vec<String>, DataError> {
    let prompts = match Format::of(path) {
        Some(Format::Json) => from_json(path)?,
        Some(Format::Csv | Format::Tsv | Format::Parquet | Format::Arrow) => {
            return Err(DataError::Format {
                path: path.to_path_buf(),
                found: path
                    .extension()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                expected: ".json, .jsonl, .ndjson, or plain text such as .txt",
            });
        }
        None => from_lines(path)?,
    };
    if prompts.is_empty() {
        return Err(DataError::Empty {
            paths: path.display().to_string(),
            found: "no prompt".into(),
        });
    }
    Ok(prompts)
}

fn from_json(path: &Path) -> Result<Vec<String>, DataError> {
    let mut prompts = Vec::new();
    let all = records::open(&DataFile::at(path), &|_| true);
    let path = &Arc::from(path);
    for record in all.map_err(|error| error.error)? {
        let record = record.map_err(|error| error.error)?;
        let object = record.object(path)?;
        let fields = Fields::of(path, &record, &object);
        let prompt = fields.text("prompt")?;
        if prompt.trim().is_empty() {
            let found = describe(fields.get("prompt"));
            return Err(fields.error("prompt", found, "text that is not blank"));
        }
        prompts.push(prompt);
    }
    Ok(prompts)
}

fn from_lines(path: &Path) -> Result<Vec<String>, DataError> {
    let io = |error| DataError::io(path, error);
    let mut input = BufReader::new(File::open(path).map_err(io)?);
    let (mut prompts, mut bytes) = (Vec::new(), Vec::new());
    for line in 1.. {
        bytes.clear();
        let mut limited = input.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        if limited.read_until(b'\n', &mut bytes).map_err(io)? == 0 {
            break;
        }
        let wrong = |found: &str| {
            DataError::record(
                path,
                line,
                WHOLE_RECORD,
                found,
                "a line of UTF-8 text of at most 1 MiB",
            )
        };
        if bytes.len() > MAX_LINE_BYTES {
            return Err(wrong("a longer line"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| wrong(&error.to_string()))?;
        let text = if line == 1 {
            text.trim_start_matches('\u{feff}')
        } else {
            text
        };
        if !text.trim().is_empty() {
            prompts.push(text.trim().to_owned());
        }
    }
    Ok(prompts)
}

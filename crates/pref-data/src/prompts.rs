//! Prompts to evaluate on: the Koala files as they are, JSON Lines, or plain lines.

use std::path::Path;

use crate::error::DataError;
use crate::records::{self, DataFile, Fields, Format, describe};

/// Reads prompts, in the order of the file.
///
/// `.json`, `.jsonl`, `.ndjson`: one array, or one object a line, with the text in `prompt`; other fields are ignored. Any
/// other ending: plain UTF-8 text, one prompt a line, empty lines left out.
///
/// # Errors
/// [`DataError`]: a file that cannot be read, a record without a prompt, a line that is not UTF-8, no prompt at all.
pub fn read_prompts(path: &Path) -> Result<Vec<String>, DataError> {
    let prompts = match Format::of(path) {
        Some(Format::Json) => of_file(&DataFile::at(path))?,
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
        Some(Format::Lines) | None => of_file(&DataFile::of_lines(path))?,
    };
    if prompts.is_empty() {
        return Err(DataError::Empty {
            paths: path.display().to_string(),
            found: "no prompt".into(),
        });
    }
    Ok(prompts)
}

fn of_file(file: &DataFile) -> Result<Vec<String>, DataError> {
    let mut prompts = Vec::new();
    let all = records::open(file, &|_| true);
    let path = file.path();
    for record in all.map_err(|error| error.error)? {
        let record = record.map_err(|error| error.error)?;
        let object = record.object(path)?;
        let fields = Fields::of(path, &record, &object);
        let prompt = fields.text("prompt")?;
        if prompt.trim().is_empty() {
            let found = describe(fields.get("prompt"));
            return Err(fields.error("prompt", found, "text that is not blank"));
        }
        prompts.push(match file.is_lines() {
            true => prompt.trim().to_owned(),
            false => prompt,
        });
    }
    Ok(prompts)
}

//! Plain text, a prompt a line.

use std::borrow::Cow;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use super::fields::{Content, RawError, RawRecord, RawRecords};
use super::json::Json;
use crate::error::{DataError, WHOLE_RECORD};

/// A longer line is no prompt, but a file of another kind.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads lines as records with `prompt` alone, without their line ends; blank ones are left out.
pub(super) fn open(path: &Path, input: impl BufRead + 'static) -> RawRecords {
    Box::new(Lines {
        path: path.to_path_buf(),
        input,
        line: 0,
        done: false,
    })
}

struct Lines<R> {
    path: PathBuf,
    input: R,
    /// Of the last record.
    line: u64,
    done: bool,
}

impl<R: BufRead> Lines<R> {
    /// The next line that is not blank.
    fn read(&mut self) -> Result<Option<String>, DataError> {
        loop {
            let mut bytes = Vec::new();
            let mut limited = self.input.by_ref().take(MAX_LINE_BYTES as u64 + 1);
            let read = limited.read_until(b'\n', &mut bytes);
            if read.map_err(|error| DataError::io(&self.path, error))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if bytes.len() > MAX_LINE_BYTES {
                return Err(self.wrong("a longer line", LINE));
            }
            let text = match std::str::from_utf8(&bytes) {
                Ok(text) => text,
                Err(error) => return Err(self.wrong(error.to_string(), LINE)),
            };
            let text = match self.line {
                1 => text.trim_start_matches('\u{feff}'),
                _ => text,
            };
            let text = text.trim_end_matches(['\n', '\r']);
            if self.line == 1 && names_columns(text) {
                let expected = "a prompt a line, without names above: call the file .csv or .tsv if it is a table";
                return Err(self.wrong("the names of columns", expected));
            }
            if !text.trim().is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }

    fn wrong(&self, found: impl Into<String>, expected: &str) -> DataError {
        DataError::record(&self.path, self.line, WHOLE_RECORD, found.into(), expected)
    }
}

const LINE: &str = "a line of UTF-8 text of at most 1 MiB";

/// Whether the first line is that of a table with prompts.
fn names_columns(line: &str) -> bool {
    let cells = line.split([',', '\t']);
    let cells: Vec<&str> = cells.map(|cell| cell.trim().trim_matches('"')).collect();
    let is_name = |cell: &&str| {
        cell.chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    cells.contains(&"prompt") && cells.iter().all(is_name)
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        match self.read() {
            Ok(text) => {
                let field = (Cow::Borrowed("prompt"), Json::text(text?));
                Some(Ok(RawRecord {
                    line: self.line,
                    item: None,
                    content: Content::Cells([field].into_iter().collect()),
                }))
            }
            Err(error) => {
                self.done = true;
                Some(Err(RawError::fatal(error)))
            }
        }
    }
}

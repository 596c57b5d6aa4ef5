//! CSV files. A cell is text; an empty cell of an optional column is null.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, StringRecordsIntoIter};

use super::columns;
use super::fields::{Content, RawError, RawRecord, RawRecords};
use super::json::Json;
use crate::error::{DataError, WHOLE_RECORD};

/// Opens a CSV file whose first line names the columns.
pub(super) fn open(path: &Path) -> Result<RawRecords, RawError> {
    let file = File::open(path).map_err(|error| RawError::fatal(DataError::io(path, error)))?;
    let mut reader = ReaderBuilder::new().from_reader(file);
    let headers = reader
        .headers()
        .map_err(|error| convert(path, error))?
        .clone();
    let names: Vec<&str> = headers.iter().collect();
    columns::validate(path, &names).map_err(RawError::fatal)?;
    Ok(Box::new(CsvRows {
        path: path.to_path_buf(),
        headers,
        rows: reader.into_records(),
        done: false,
    }))
}

struct CsvRows {
    path: PathBuf,
    headers: StringRecord,
    rows: StringRecordsIntoIter<File>,
    done: bool,
}

impl CsvRows {
    fn record(&self, row: &StringRecord) -> RawRecord {
        let line = row.position().map_or(0, csv::Position::line);
        let cells = self.headers.iter().zip(row.iter());
        let fields = cells.map(|(name, cell)| (Cow::Owned(name.to_owned()), value(name, cell)));
        RawRecord {
            line,
            item: None,
            content: Content::Fields(fields.collect()),
        }
    }
}

fn value(name: &str, cell: &str) -> Json<'static> {
    if columns::is_text(name) {
        columns::text_cell(cell)
    } else if cell.is_empty() && columns::is_optional(name) {
        Json::Null
    } else {
        Json::text(cell.to_owned())
    }
}

impl Iterator for CsvRows {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        Some(match self.rows.next()? {
            Ok(row) => Ok(self.record(&row)),
            Err(error) => {
                let error = convert(&self.path, error);
                self.done = error.fatal;
                Err(error)
            }
        })
    }
}

fn convert(path: &Path, error: csv::Error) -> RawError {
    let line = error.position().map_or(1, csv::Position::line);
    let found = error.to_string();
    match error.into_kind() {
        ErrorKind::Io(error) => RawError::fatal(DataError::io(path, error)),
        _ => {
            let expected = "a row of UTF-8 text with as many cells as the first line";
            RawError::broken_record(DataError::record(path, line, WHOLE_RECORD, found, expected))
        }
    }
}

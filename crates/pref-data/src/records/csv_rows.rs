//! CSV files, and those with tabs. A cell is text; an empty cell is null, as it is in JSON.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, StringRecordsIntoIter};

use super::csv_quotes::{EarlyEnds, Watched};
use super::fields::{Content, RawError, RawRecord, RawRecords, validate_distinct};
use super::json::Json;
use super::limits::{Allowance, Allowed};
use crate::error::{DataError, WHOLE_RECORD};

/// Reads CSV whose first line names the columns.
pub(super) fn open(
    path: &Path,
    input: impl Read + 'static,
    delimiter: u8,
) -> Result<RawRecords, RawError> {
    let allowance = Allowance::new();
    let input = Allowed {
        input,
        allowance: allowance.clone(),
    };
    let (input, early_ends) = Watched::new(input, delimiter);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(input);
    let headers = reader.headers().map_err(|error| convert(path, error))?;
    let headers = headers.clone();
    if allowance.is_spent() {
        return Err(too_long(path, 1));
    }
    if early_ends.any_before(reader.position().byte()) {
        return Err(RawError::fatal(early_end(path, 1)));
    }
    let names: Vec<&str> = headers.iter().collect();
    validate_distinct(path, &names)?;
    Ok(Box::new(CsvRows {
        path: path.to_path_buf(),
        headers,
        rows: reader.into_records(),
        allowance,
        early_ends,
        line: 1,
        done: false,
    }))
}

struct CsvRows<R> {
    path: PathBuf,
    headers: StringRecord,
    rows: StringRecordsIntoIter<Watched<Allowed<R>>>,
    allowance: Allowance,
    early_ends: EarlyEnds,
    /// Of the last record.
    line: u64,
    done: bool,
}

impl<R> CsvRows<R> {
    fn record(&self, row: &StringRecord) -> RawRecord {
        let cells = self.headers.iter().zip(row.iter());
        let fields = cells.map(|(name, cell)| (Cow::Owned(name.to_owned()), value(cell)));
        RawRecord {
            line: self.line,
            item: None,
            content: Content::Cells(fields.collect()),
        }
    }
}

fn value(cell: &str) -> Json<'static> {
    match cell.is_empty() {
        true => Json::Null,
        false => Json::text(cell.to_owned()),
    }
}

impl<R: Read> Iterator for CsvRows<R> {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        self.allowance.renew();
        let row = self.rows.next()?;
        if self.allowance.is_spent() {
            self.done = true;
            return Some(Err(too_long(&self.path, self.line + 1)));
        }
        let early = self
            .early_ends
            .any_before(self.rows.reader().position().byte());
        Some(match row {
            Ok(row) => {
                self.line = row.position().map_or(0, csv::Position::line);
                match early {
                    true => Err(RawError::broken_record(early_end(&self.path, self.line))),
                    false => Ok(self.record(&row)),
                }
            }
            Err(error) => {
                let error = convert(&self.path, error);
                self.done = error.fatal;
                Err(error)
            }
        })
    }
}

fn too_long(path: &Path, line: u64) -> RawError {
    let found = "more than 64 MiB (a quote that is never closed?)";
    let expected = "a row of at most 64 MiB";
    RawError::fatal(DataError::record(path, line, WHOLE_RECORD, found, expected))
}

fn early_end(path: &Path, line: u64) -> DataError {
    let found = "a cell that begins with a quote and goes on behind the closing one";
    let expected =
        "a cell with quotes in it whole in quotes, and those in it doubled, as CSV writers do";
    DataError::record(path, line, WHOLE_RECORD, found, expected)
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

//! From paths to files: folders, several paths, and what a file's ending says.

use std::fs;
use std::path::{Path, PathBuf};

use super::fields::{RawError, RawRecords};
use super::{csv_rows, json_rows, parquet_rows};
use crate::error::DataError;

/// How a file holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `.jsonl`, `.ndjson` or `.json`: one object a line, or one array of objects.
    Json,
    /// `.csv`: commas, quotes as in RFC 4180, names in the first line.
    Csv,
    /// `.parquet`.
    Parquet,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Parquet];

    const ENDINGS: &str = ".jsonl, .ndjson, .json, .csv or .parquet";

    /// The format that the ending names, in either case.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// What stands beside the first of these fields that the file's first readable record has.
pub(crate) fn first_mark<K: Copy>(
    path: &Path,
    marks: &[(&str, K)],
) -> Result<Option<K>, DataError> {
    for record in open(path).map_err(|error| error.error)? {
        let record = match record {
            Ok(record) => record,
            Err(error) if error.fatal => return Err(error.error),
            Err(_) => continue,
        };
        if let Ok(object) = record.object(path) {
            let mut marks = marks.iter();
            let found = marks.find(|(name, _)| object.contains(name));
            return Ok(found.map(|(_, meaning)| *meaning));
        }
    }
    Ok(None)
}

/// The files behind paths, in the order given; a folder stands for its files of the wanted formats in the order of
/// their names (not those of folders in it).
///
/// # Errors
/// [`DataError`] if a path cannot be read, a file has another ending, or nothing is found.
pub(crate) fn list<P: AsRef<Path>>(
    paths: &[P],
    formats: &[Format],
) -> Result<Vec<PathBuf>, DataError> {
    let expected = expected_endings(formats);
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let metadata = fs::metadata(path).map_err(|error| DataError::io(path, error))?;
        if metadata.is_dir() {
            files.extend(in_folder(path, formats)?);
        } else if Format::of(path).is_some_and(|format| formats.contains(&format)) {
            files.push(path.to_path_buf());
        } else {
            let found = path
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let path = path.to_path_buf();
            return Err(DataError::Format {
                path,
                found,
                expected,
            });
        }
    }
    if files.is_empty() {
        let found = names(paths);
        return Err(DataError::NoFiles { found, expected });
    }
    Ok(files)
}

/// Paths in one line, for messages.
pub(crate) fn names<P: AsRef<Path>>(paths: &[P]) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.as_ref().display().to_string())
        .collect();
    if names.is_empty() {
        "no path".into()
    } else {
        names.join(", ")
    }
}

/// The records of one file, by its ending.
pub(crate) fn open(path: &Path) -> Result<RawRecords, RawError> {
    match Format::of(path) {
        Some(Format::Json) => json_rows::open(path),
        Some(Format::Csv) => csv_rows::open(path),
        Some(Format::Parquet) => parquet_rows::open(path),
        None => Err(RawError::fatal(DataError::Format {
            path: path.to_path_buf(),
            found: String::new(),
            expected: Format::ENDINGS,
        })),
    }
}

fn expected_endings(formats: &[Format]) -> &'static str {
    if formats == [Format::Json] {
        ".json, .jsonl or .ndjson"
    } else {
        Format::ENDINGS
    }
}

fn in_folder(folder: &Path, formats: &[Format]) -> Result<Vec<PathBuf>, DataError> {
    let entries = fs::read_dir(folder).map_err(|error| DataError::io(folder, error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| DataError::io(folder, error))?.path();
        let wanted = Format::of(&path).is_some_and(|format| formats.contains(&format));
        if wanted && path.is_file() {
            files.push(path);
        } else {
            tracing::debug!(path = %path.display(), "not a data file by its ending, left alone");
        }
    }
    files.sort();
    Ok(files)
}

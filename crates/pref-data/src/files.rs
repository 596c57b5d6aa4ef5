//! From paths to files: folders, several paths, and what a file's ending says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::fields::{RawError, RawRecords};
use crate::psoups::locate::profile_files;
use crate::{csv_rows, json_rows, parquet_rows};

/// How a file holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.jsonl`, `.ndjson` or `.json`: one object a line, or one array of objects.
    Json,
    /// `.csv`: commas, quotes as in RFC 4180, names in the first line.
    Csv,
    /// `.parquet`.
    Parquet,
}

impl Format {
    const ALL: &str = ".jsonl, .ndjson, .json, .csv or .parquet";

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

/// Which layout some files follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `prompt`, `chosen`, `rejected`, `user`: read with [`crate::general::read`].
    General,
    /// The official TL;DR records: read with [`crate::tldr::read`].
    Tldr,
    /// The official profile files of P-SOUPS: read with [`crate::PsoupsData::load`].
    Psoups,
    /// The official PRISM files: read with [`crate::PrismData::load`].
    Prism,
}

impl Layout {
    /// Fields by which a record is told from those of other layouts.
    const MARKS: [(&str, Self); 7] = [
        ("summaries", Self::Tldr),
        ("completion_a", Self::Psoups),
        ("conversation_history", Self::Prism),
        ("model_response", Self::Prism),
        ("stated_prefs", Self::Prism),
        ("chosen", Self::General),
        ("rejected", Self::General),
    ];

    /// Looks at the first readable record of each file until one tells. The folder of the unpacked P-SOUPS archive is known
    /// by the files in its `rm_training`.
    ///
    /// # Errors
    /// [`DataError`] if there is no file, or one cannot be opened; [`DataError::Packed`] for an archive.
    pub fn detect<P: AsRef<Path>>(paths: &[P]) -> Result<Self, DataError> {
        let files = match profile_files(paths) {
            Ok(files) => files.into_values().flatten().collect(),
            Err(error @ DataError::Packed { .. }) => return Err(error),
            Err(_) => list(paths, &[Format::Json, Format::Csv, Format::Parquet])?,
        };
        for path in files {
            if let Some(layout) = kind(&path, &Self::MARKS)? {
                return Ok(layout);
            }
        }
        Ok(Self::General)
    }
}

/// What a file is, told by the first of these fields that its first readable record has.
pub(crate) fn kind<K: Copy>(path: &Path, marks: &[(&str, K)]) -> Result<Option<K>, DataError> {
    for record in open(path).map_err(|error| error.error)? {
        let record = match record {
            Ok(record) => record,
            Err(error) if error.fatal => return Err(error.error),
            Err(_) => continue,
        };
        if let Ok(object) = record.object(path) {
            let mut marks = marks.iter();
            let found = marks.find(|(name, _)| object.contains(name));
            return Ok(found.map(|(_, kind)| *kind));
        }
    }
    Ok(None)
}

/// The files behind paths, in the order given; a folder stands for its files of the wanted formats in the order of
/// their names (not those of folders in it).
///
/// # Errors
/// [`DataError`] if a path cannot be read, a file has another ending, or nothing is found.
pub fn list<P: AsRef<Path>>(paths: &[P], formats: &[Format]) -> Result<Vec<PathBuf>, DataError> {
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
            expected: Format::ALL,
        })),
    }
}

fn expected_endings(formats: &[Format]) -> &'static str {
    if formats == [Format::Json] {
        ".json, .jsonl or .ndjson"
    } else {
        Format::ALL
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

//! From paths to files: folders, several paths, and what a file's ending says.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::error::DataError;

/// The path that stands for standard input.
const STDIN: &str = "-";

/// How a file holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `.jsonl`, `.ndjson` or `.json`: one object a line, or one array of objects.
    Json,
    /// `.csv`: commas, quotes as in RFC 4180, names in the first line.
    Csv,
    /// `.tsv` or `.tab`: the same with tabs.
    Tsv,
    /// `.parquet`.
    Parquet,
    /// `.arrow`, `.feather`: a stream or file of Arrow's IPC format, as in a folder of `datasets.save_to_disk`.
    Arrow,
    /// Plain text, a prompt a line: no comparisons are read from it.
    Lines,
}

impl Format {
    /// Every format of comparisons.
    pub const ALL: [Self; 5] = [Self::Json, Self::Csv, Self::Tsv, Self::Parquet, Self::Arrow];

    pub(super) const ENDINGS: &str =
        ".jsonl, .ndjson, .json, .csv, .tsv, .arrow (also with .gz or .zst) or .parquet";

    /// The format that the ending names, in either case; endings of packed files aside.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let packed = [".gz", ".zst", ".zstd"];
        let name = packed.iter().find_map(|ending| name.strip_suffix(ending));
        let whole = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.unwrap_or(&whole);
        match name.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" | "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "parquet" => Some(Self::Parquet),
            "arrow" | "feather" => Some(Self::Arrow),
            _ => None,
        }
    }
}

/// A file with records.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    path: Arc<Path>,
    /// What its ending says; none for standard input.
    pub(super) format: Option<Format>,
    /// What standard input held.
    kept: Option<Arc<File>>,
}

impl DataFile {
    /// A file by its ending.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.into(),
            format: Format::of(path),
            kept: None,
        }
    }

    /// A file of prompts by its ending: what ends in `.txt` holds one a line.
    pub fn of_prompts(path: &Path) -> Self {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let endings = [".txt", ".txt.gz", ".txt.zst", ".txt.zstd"];
        let lines = endings.iter().any(|ending| name.ends_with(ending));
        match lines {
            true => Self::of_lines(path),
            false => Self::at(path),
        }
    }

    /// A file with a prompt a line.
    pub fn of_lines(path: &Path) -> Self {
        Self {
            format: Some(Format::Lines),
            ..Self::at(path)
        }
    }

    /// Standard input, kept in a temporary file: it comes once and is read more than once.
    fn stdin() -> Result<Self, DataError> {
        static KEPT: OnceLock<io::Result<Arc<File>>> = OnceLock::new();
        let path: Arc<Path> = Path::new("standard input").into();
        let kept = KEPT.get_or_init(|| {
            let mut file = tempfile::tempfile()?;
            io::copy(&mut io::stdin().lock(), &mut file)?;
            Ok(Arc::new(file))
        });
        match kept {
            Ok(kept) => Ok(Self {
                path,
                format: None,
                kept: Some(Arc::clone(kept)),
            }),
            Err(error) => {
                let error = io::Error::new(error.kind(), error.to_string());
                Err(DataError::io(&path, error))
            }
        }
    }

    /// Whether it is plain text by its name.
    pub fn is_lines(&self) -> bool {
        self.format == Some(Format::Lines)
    }

    /// What messages call it.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// The file, at its beginning.
    pub(super) fn open(&self) -> Result<File, DataError> {
        let file = match &self.kept {
            Some(kept) => kept.try_clone().and_then(|mut file| {
                file.rewind()?;
                Ok(file)
            }),
            None => fs::metadata(&self.path).and_then(|metadata| match metadata.is_file() {
                true => File::open(&self.path),
                false => Err(no_file(metadata.is_dir())),
            }),
        };
        file.map_err(|error| DataError::io(&self.path, error))
    }
}

/// A pipe gives its contents once, or never.
fn no_file(is_folder: bool) -> io::Error {
    let found = match is_folder {
        true => "found a folder, expected a file",
        false => {
            "found a pipe or a device, expected a file: write it to one, or name `-` for standard input"
        }
    };
    io::Error::new(io::ErrorKind::InvalidInput, found)
}

/// What paths lead to.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Files to read, in the order of the paths; those of a folder in the order of their names.
    pub files: Vec<DataFile>,
    /// Files of folders that are not read, and why.
    pub passed_over: Vec<(PathBuf, &'static str)>,
}

const NO_DATA: &str = "file passed over: no data file by its ending";
const NO_FILE: &str = "file passed over: a pipe, a device or a link to nothing";
const READ_BEFORE: &str = "folder passed over: a link to one that is read already";
const CACHE: &str = "file passed over: a cache of `datasets`";
const OTHER_SPLIT: &str =
    "file passed over: of another split than train (name it or its folder to read it)";

/// The files behind paths, in the order given. A folder stands for its files of the wanted formats and those of the folders in
/// it; where folders or files are named after splits, `train` among them, for `train` alone. `-` is standard input.
///
/// # Errors
/// [`DataError`] if a path cannot be read, a file has another ending, or nothing is found.
pub(crate) fn list<P: AsRef<Path>>(paths: &[P], formats: &[Format]) -> Result<Found, DataError> {
    let expected = expected_endings(formats);
    let mut found = Found::default();
    for path in paths {
        let path = path.as_ref();
        if path == Path::new(STDIN) {
            found.files.push(DataFile::stdin()?);
            continue;
        }
        let metadata = fs::metadata(path).map_err(|error| DataError::io(path, error))?;
        if metadata.is_dir() {
            in_folder(path, formats, &mut found)?;
        } else if !metadata.is_file() {
            return Err(DataError::io(path, no_file(false)));
        } else if Format::of(path).is_some_and(|format| formats.contains(&format)) {
            found.files.push(DataFile::at(path));
        } else {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            return Err(DataError::Format {
                path: path.to_path_buf(),
                found: ending.into_owned(),
                expected,
            });
        }
    }
    if found.files.is_empty() {
        let mut looked = names(paths);
        if !found.passed_over.is_empty() {
            let others: Vec<_> = found.passed_over.iter().map(|(path, _)| path).collect();
            looked = format!("{looked}, which holds {}", some(&others));
        }
        let found = looked;
        return Err(DataError::NoFiles { found, expected });
    }
    Ok(found)
}

/// Paths in one line, for messages.
pub(crate) fn names<P: AsRef<Path>>(paths: &[P]) -> String {
    let name = |path: &P| printable::line(&path.as_ref().display().to_string()).into_owned();
    let names: Vec<String> = paths.iter().map(name).collect();
    if names.is_empty() {
        "no path".into()
    } else {
        names.join(", ")
    }
}

/// The first few of many paths.
fn some<P: AsRef<Path>>(paths: &[P]) -> String {
    const SHOWN: usize = 5;
    match paths.len().saturating_sub(SHOWN) {
        0 => names(paths),
        more => format!("{} and {more} more", names(&paths[..SHOWN])),
    }
}

fn expected_endings(formats: &[Format]) -> &'static str {
    if formats == [Format::Json] {
        ".json, .jsonl or .ndjson, also with .gz or .zst"
    } else {
        Format::ENDINGS
    }
}

/// Whether a file's name says that it may hold comparisons: the ending of a format that is read, packed or not, and not a name of
/// what `datasets` puts beside its data.
pub fn is_data_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    Format::of(path).is_some() && !OF_DATASETS.iter().any(|other| name == *other)
}

/// Files that `datasets` puts beside its data.
const OF_DATASETS: [&str; 4] = [
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
];

fn in_folder(folder: &Path, formats: &[Format], found: &mut Found) -> Result<(), DataError> {
    const DEEPEST: usize = 16;
    let (mut files, mut others, mut states) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    walk(folder, DEEPEST, &mut seen, &mut |path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let wanted = Format::of(&path).is_some_and(|format| formats.contains(&format));
        if path.is_dir() {
            others.push((path, READ_BEFORE));
        } else if !path.is_file() {
            others.push((path, NO_FILE));
        } else if name == "state.json" {
            states.push(path);
        } else if OF_DATASETS.contains(&&*name) {
            // Known, and no data.
        } else if name.starts_with("cache-") && name.ends_with(".arrow") {
            others.push((path, CACHE));
        } else if wanted {
            files.push(path);
        } else {
            others.push((path, NO_DATA));
        }
    })?;
    for state in &states {
        validate_complete(state)?;
    }
    let split_of = |path: &PathBuf| split_folder(folder, path).or_else(|| split_file(path));
    let splits: BTreeSet<_> = files.iter().filter_map(split_of).collect();
    let only_train = splits.len() > 1 && splits.contains("train");
    for path in files {
        match split_of(&path) {
            Some(split) if only_train && split != "train" => others.push((path, OTHER_SPLIT)),
            _ => found.files.push(DataFile::at(&path)),
        }
    }
    found.passed_over.extend(others);
    Ok(())
}

const SPLITS: [&str; 7] = ["train", "test", "validation", "valid", "val", "dev", "eval"];

/// The split that a folder between `folder` and the file is named after.
fn split_folder(folder: &Path, file: &Path) -> Option<&'static str> {
    let between = file.strip_prefix(folder).ok()?.parent()?;
    let names = between.iter().filter_map(|name| name.to_str());
    let mut named = names.filter_map(|name| {
        let name = name.to_ascii_lowercase();
        SPLITS.into_iter().find(|split| name == *split)
    });
    named.next()
}

/// The split that a file's name begins with, as in `train.jsonl` and `test-00000-of-00001.parquet`.
fn split_file(file: &Path) -> Option<&'static str> {
    let name = file.file_name()?.to_str()?.to_ascii_lowercase();
    let ends = |rest: &str| rest.starts_with(['-', '_', '.']);
    SPLITS
        .into_iter()
        .find(|split| name.strip_prefix(split).is_some_and(ends))
}

/// Looks for the files that `state.json` of `datasets.save_to_disk` names.
fn validate_complete(state: &Path) -> Result<(), DataError> {
    let text = fs::read(state).map_err(|error| DataError::io(state, error))?;
    let state_value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let files = state_value.get("_data_files").and_then(Value::as_array);
    for file in files.into_iter().flatten() {
        let Some(name) = file.get("filename").and_then(Value::as_str) else {
            continue;
        };
        let path = state.with_file_name(name);
        if !path.is_file() {
            let found = "found no such file, expected it because `state.json` beside it names it: copy the whole folder";
            let error = io::Error::new(io::ErrorKind::NotFound, found);
            return Err(DataError::io(&path, error));
        }
    }
    Ok(())
}

/// Every file below a folder, in the order of the names; hidden ones aside. Also visits folders that were `seen` before.
fn walk(
    folder: &Path,
    deepest: usize,
    seen: &mut BTreeSet<PathBuf>,
    visit: &mut dyn FnMut(PathBuf),
) -> Result<(), DataError> {
    let io = |error| DataError::io(folder, error);
    if !seen.insert(folder.canonicalize().map_err(io)?) {
        visit(folder.to_path_buf());
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    for path in paths {
        if !path.is_dir() {
            visit(path);
        } else if deepest > 0 {
            walk(&path, deepest - 1, seen, visit)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_name_formats_packed_or_not() {
        for (name, format) in [
            ("a.jsonl", Some(Format::Json)),
            ("a.b.JSON.GZ", Some(Format::Json)),
            ("a.csv.zst", Some(Format::Csv)),
            ("a.tsv.gz", Some(Format::Tsv)),
            ("a.feather", Some(Format::Arrow)),
            ("a.parquet", Some(Format::Parquet)),
            ("data-00000-of-00001.arrow", Some(Format::Arrow)),
            ("a.gz", None),
            ("a.txt", None),
            ("jsonl", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }
}

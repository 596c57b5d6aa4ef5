//! From paths to profile files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::ProfileId;
use crate::error::DataError;
use crate::records::{Format, names};

const EXPECTED: &str = "`rm_training/P1A.json` .. `P3B.json`";
/// Where an unpacked archive keeps the files, from the folder that was named.
const PLACES: [&str; 3] = ["", "rm_training", "data/rm_training"];

/// The profile files behind paths. A path is a folder with the files, the folder of the unpacked archive (the files lie
/// in its `rm_training`), or one file named after its profile. Profiles without a file are absent.
///
/// # Errors
/// [`DataError::Packed`] for an archive, [`DataError::NoFiles`] if nothing is found or a file is named after no profile.
pub(crate) fn profile_files<P: AsRef<Path>>(
    paths: &[P],
) -> Result<BTreeMap<ProfileId, Vec<PathBuf>>, DataError> {
    let mut files: BTreeMap<ProfileId, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        let path = path.as_ref();
        let found = of_path(path)?;
        if found.is_empty() {
            return Err(nothing_in(path.display().to_string()));
        }
        for (profile, file) in found {
            files.entry(profile).or_default().push(file);
        }
    }
    if files.is_empty() {
        return Err(nothing_in(names(paths)));
    }
    Ok(files)
}

fn nothing_in(found: String) -> DataError {
    let expected = EXPECTED;
    DataError::NoFiles { found, expected }
}

fn of_path(path: &Path) -> Result<Vec<(ProfileId, PathBuf)>, DataError> {
    let metadata = fs::metadata(path).map_err(|error| DataError::io(path, error))?;
    if !metadata.is_dir() {
        if has_ending(path, "zip") {
            let path = path.to_path_buf();
            return Err(DataError::Packed { path });
        }
        return Ok(named(path).into_iter().collect());
    }
    for place in PLACES {
        let folder = path.join(place);
        if folder.is_dir() {
            let found = in_folder(&folder)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(Vec::new())
}

fn in_folder(folder: &Path) -> Result<Vec<(ProfileId, PathBuf)>, DataError> {
    let entries = fs::read_dir(folder).map_err(|error| DataError::io(folder, error))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| DataError::io(folder, error))?.path();
        match named(&path) {
            Some(file) if path.is_file() => found.push(file),
            _ => tracing::debug!(path = %path.display(), "no profile file by its name, left alone"),
        }
    }
    found.sort();
    Ok(found)
}

fn named(path: &Path) -> Option<(ProfileId, PathBuf)> {
    if Format::of(path) != Some(Format::Json) {
        return None;
    }
    let profile = ProfileId::of_name(path.file_stem()?.to_str()?)?;
    Some((profile, path.to_path_buf()))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

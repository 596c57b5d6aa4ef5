//! What must hold of a file before a command of users writes it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};
use trainer::TrainError;

/// Refuses a file that cannot be written, and without `force` one that is there and holds other lines than those that are `ours`.
///
/// # Errors
/// Names the file, and the line that the command would not have written.
pub fn validate_out(
    out: &Path,
    force: bool,
    ours: impl Fn(&Map<String, Value>) -> bool,
) -> Result<(), TrainError> {
    let folder = out.parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        let problem = format!("--out: there is no folder {}", folder.display());
        return Err(TrainError::format(out, problem));
    }
    if out.is_dir() {
        return Err(TrainError::format(
            out,
            "--out: found a folder, expected a file",
        ));
    }
    if force || !out.is_file() {
        return Ok(());
    }
    let file = File::open(out).map_err(|error| TrainError::io(out, error))?;
    for (index, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(|error| TrainError::io(out, error))?;
        let found = serde_json::from_slice::<Map<String, Value>>(&line);
        if !found.is_ok_and(|record| ours(&record)) {
            let problem = format!(
                "line {}: there is such a file, and this command did not write it: choose another name for --out, or --force replaces it",
                index + 1
            );
            return Err(TrainError::format(out, problem));
        }
    }
    Ok(())
}

//! A report on disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::model::Report;
use super::{gallery, html, markdown, svg};

/// Folder of the plots within the report's.
const PLOTS: &str = "plots";
/// The machine-readable report.
const JSON: &str = "report.json";

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is not a report.
    #[error("{} is not a report: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What was found, with line and column.
        source: serde_json::Error,
    },
}

/// Writes `report.json`, `report.md`, `report.html`, `gallery.html` and `plots/*.svg` into `dir`, which is made if missing.
///
/// All files are written in full under temporary names before the first one gets its name, so a full disk leaves an
/// earlier report as it was.
///
/// # Errors
/// [`ReportError::Io`] names the file that failed.
pub fn write(dir: &Path, report: &Report) -> Result<(), ReportError> {
    let plots = svg::plots(report);
    let json_path = dir.join(JSON);
    let json = serde_json::to_string_pretty(report).map_err(|source| ReportError::Json {
        path: json_path.clone(),
        source,
    })?;
    let mut files = vec![
        (json_path, json + "\n"),
        (
            dir.join("report.md"),
            markdown::render(report, &plots, PLOTS),
        ),
        (dir.join("report.html"), html::render(report, &plots)),
    ];
    if !report.gallery.is_empty() {
        files.push((dir.join("gallery.html"), gallery::render(report)));
    }
    files.extend(
        plots
            .into_iter()
            .map(|plot| (dir.join(PLOTS).join(format!("{}.svg", plot.name)), plot.svg)),
    );
    let folder = dir.join(PLOTS);
    fs::create_dir_all(&folder).map_err(|source| ReportError::Io {
        action: "create",
        path: folder,
        source,
    })?;
    let result = write_all(&files);
    if result.is_err() {
        // Best effort: the error that matters is already there.
        files
            .iter()
            .for_each(|(path, _)| drop(fs::remove_file(temporary(path))));
    }
    result
}

/// Reads the `report.json` of `dir`.
///
/// # Errors
/// [`ReportError::Io`] where the file cannot be read, [`ReportError::Json`] where it is not a report.
pub fn read(dir: &Path) -> Result<Report, ReportError> {
    let path = dir.join(JSON);
    let text = fs::read_to_string(&path).map_err(|source| ReportError::Io {
        action: "read",
        path: path.clone(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|source| ReportError::Json { path, source })
}

fn write_all(files: &[(PathBuf, String)]) -> Result<(), ReportError> {
    for (path, text) in files {
        let to = temporary(path);
        write_synced(&to, text).map_err(|source| ReportError::Io {
            action: "write",
            path: to.clone(),
            source,
        })?;
    }
    for (path, _) in files {
        fs::rename(temporary(path), path).map_err(|source| ReportError::Io {
            action: "rename to",
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

//! A report on disk.

use std::fs;
use std::path::Path;

use trainer::TrainError;
use whole_file::Unfinished;

use super::document::Document;
use super::model::Report;

/// Folder of the plots within the report's.
const PLOTS: &str = "plots";
/// The machine-readable report.
const JSON: &str = "report.json";

/// Writes `report.json`, `report.md`, `report.html`, `gallery.html` and `plots/*.svg` into `dir`, which is made if missing.
///
/// All files are written in full under temporary names before the first one gets its name, so a full disk leaves an
/// earlier report as it was.
///
/// # Errors
/// Names the file that failed.
pub fn write(dir: &Path, report: &Report) -> Result<(), TrainError> {
    let document = Document::of(report);
    let page = |name: &str, document: &Document| {
        let html = document.html();
        html.map(|text| (name.to_owned(), text))
            .map_err(|e| TrainError::format(&dir.join(name), e))
    };
    let json = serde_json::to_string_pretty(report);
    let json = json.map_err(|e| TrainError::format(&dir.join(JSON), e))?;
    let mut files = vec![
        (JSON.to_owned(), json + "\n"),
        ("report.md".to_owned(), document.markdown(PLOTS)),
        page("report.html", &document)?,
    ];
    if let Some(gallery) = Document::gallery_of(report) {
        files.push(page("gallery.html", &gallery)?);
    }
    let plots = document.figures();
    files.extend(plots.map(|plot| (format!("{PLOTS}/{}.svg", plot.name), plot.file())));
    let plots = dir.join(PLOTS);
    fs::create_dir_all(&plots).map_err(|e| TrainError::io(&plots, e))?;
    let mut finished = Vec::new();
    for (name, text) in files {
        let path = dir.join(name);
        let file = Unfinished::with(&path, &text).map_err(|e| TrainError::io(&path, e))?;
        finished.push((file, path));
    }
    for (file, path) in finished {
        file.finish().map_err(|e| TrainError::io(&path, e))?;
    }
    Ok(())
}

/// Reads the `report.json` of `dir`.
///
/// # Errors
/// A file that cannot be read or is not a report.
pub fn read(dir: &Path) -> Result<Report, TrainError> {
    let path = dir.join(JSON);
    let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
    serde_json::from_slice(&text)
        .map_err(|e| TrainError::format(&path, format!("not a report: {e}")))
}

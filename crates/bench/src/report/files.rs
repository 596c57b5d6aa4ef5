//! A report on disk.
//!
//! A report is written into a folder of its own, which gets another name once it is whole; then its files move to their places, and
//! whoever opens the run's folder next moves those that a killed process left. So there is always one whole report: the earlier one
//! until the new one is written, from then on the new one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use trainer::TrainError;
use whole_file::sync_names;

use super::document::Document;
use super::model::Report;

/// Folder of the plots within the report's.
const PLOTS: &str = "plots";
/// The machine-readable report.
const JSON: &str = "report.json";
/// A report that is being written.
const NEW: &str = ".report.new";
/// A whole report, whose files move to their places.
const WHOLE: &str = ".report";
/// What is in it.
const MOVES: &str = "moves.json";

/// What becomes of the files of a report.
#[derive(Debug, Serialize, Deserialize)]
struct Moves {
    /// Its own, by their paths in the folder of the run.
    files: Vec<String>,
    /// Plots that only the earlier report had.
    gone: Vec<String>,
}

/// Writes `report.json`, `report.md`, `report.html`, `gallery.html` and `plots/*.svg` into `dir`, which is made if missing.
///
/// # Errors
/// Names the file that failed; an earlier report is then as it was.
pub fn write(dir: &Path, report: &Report) -> Result<(), TrainError> {
    let files = files(dir, report)?;
    let plots = dir.join(PLOTS);
    fs::create_dir_all(&plots).map_err(|e| TrainError::io(&plots, e))?;
    recover(dir)?;
    let earlier = read(dir).map(|earlier| plots_of(&Document::of(&earlier)));
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let mut gone = earlier.unwrap_or_default(); // There is none, or one that nobody can read.
    gone.retain(|name| !names.contains(name) && is_plot(name));
    let moves = Moves { files: names, gone };
    let (new, whole) = (dir.join(NEW), dir.join(WHOLE));
    if let Err(error) = fill(&new, &files, &moves) {
        clear(&new)?;
        return Err(error);
    }
    let renamed = fs::rename(&new, &whole).and_then(|()| sync_names(dir));
    renamed.map_err(|e| TrainError::io(&whole, e))?;
    recover(dir)
}

/// The files of a report, by their paths in the folder of the run.
fn files(dir: &Path, report: &Report) -> Result<Vec<(String, String)>, TrainError> {
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
    files.extend(plots.map(|plot| (plot_file(&plot.name), plot.file())));
    Ok(files)
}

fn plot_file(name: &str) -> String {
    format!("{PLOTS}/{name}.svg")
}

fn plots_of(document: &Document) -> Vec<String> {
    document
        .figures()
        .map(|plot| plot_file(&plot.name))
        .collect()
}

/// Whether a path is that of a file in the folder of the plots.
fn is_plot(name: &str) -> bool {
    let file = name
        .strip_prefix(PLOTS)
        .and_then(|rest| rest.strip_prefix('/'));
    file.is_some_and(|file| file.ends_with(".svg") && !file.contains(['/', '\\']))
}

/// Writes files into a folder; they are on the disk then.
fn fill(folder: &Path, files: &[(String, String)], moves: &Moves) -> Result<(), TrainError> {
    let plots = folder.join(PLOTS);
    fs::create_dir_all(&plots).map_err(|e| TrainError::io(&plots, e))?;
    let path = folder.join(MOVES);
    let moves = serde_json::to_string(moves).map_err(|e| TrainError::format(&path, e))?;
    let list = (MOVES.to_owned(), moves);
    for (name, text) in files.iter().chain([&list]) {
        let path = folder.join(name);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|e| TrainError::io(&path, e))?;
    }
    let synced = sync_names(&plots).and_then(|()| sync_names(folder));
    synced.map_err(|e| TrainError::io(folder, e))
}

/// Puts right what a process left that was killed while it wrote a report: the files of a whole one move to their places, what was not
/// finished goes.
///
/// # Errors
/// A folder that cannot be written.
pub fn recover(dir: &Path) -> Result<(), TrainError> {
    clear(&dir.join(NEW))?;
    let whole = dir.join(WHOLE);
    let list = whole.join(MOVES);
    let text = match fs::read(&list) {
        // Without its list, everything has been moved.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return clear(&whole),
        text => text.map_err(|e| TrainError::io(&list, e))?,
    };
    let moves: Moves = serde_json::from_slice(&text).map_err(|e| TrainError::format(&list, e))?;
    let plots = dir.join(PLOTS);
    fs::create_dir_all(&plots).map_err(|e| TrainError::io(&plots, e))?;
    for name in moves.files.iter().filter(|name| is_ours(name)) {
        let place = dir.join(name);
        unless_missing(fs::rename(whole.join(name), &place), &place)?;
    }
    for name in moves.gone.iter().filter(|name| is_plot(name)) {
        let path = dir.join(name);
        unless_missing(fs::remove_file(&path), &path)?;
    }
    let synced = sync_names(&plots).and_then(|()| sync_names(dir));
    synced.map_err(|e| TrainError::io(dir, e))?;
    clear(&whole)
}

/// Whether a path is that of a file that reports have.
fn is_ours(name: &str) -> bool {
    [JSON, "report.md", "report.html", "gallery.html"].contains(&name) || is_plot(name)
}

/// What was moved or removed before is no failure.
fn unless_missing(done: io::Result<()>, path: &Path) -> Result<(), TrainError> {
    match done {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(TrainError::io(path, e)),
        _ => Ok(()),
    }
}

/// Removes a folder with the files that reports have; files of others stay, and the folder with them.
fn clear(folder: &Path) -> Result<(), TrainError> {
    if !fs::symlink_metadata(folder).is_ok_and(|about| about.is_dir()) {
        return Ok(());
    }
    let plots = folder.join(PLOTS);
    let named = |prefix: &str, dir: &Path| -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.map(|name| format!("{prefix}{name}")).collect()
    };
    let inner = named(&format!("{PLOTS}/"), &plots);
    let all = named("", folder).into_iter().chain(inner);
    // The list goes first: without it nothing is left to be moved.
    let list = std::iter::once(MOVES.to_owned());
    for name in list.chain(all.filter(|name| is_ours(name))) {
        let path = folder.join(name);
        unless_missing(fs::remove_file(&path), &path)?;
    }
    for folder in [&plots, folder] {
        let _ = fs::remove_dir(folder); // Not where files of others are in it.
    }
    Ok(())
}

/// Reads the `report.json` of `dir`.
///
/// # Errors
/// A file that cannot be read or is not a report.
pub fn read(dir: &Path) -> Result<Report, TrainError> {
    let whole = dir.join(WHOLE).join(JSON);
    let path = match whole.is_file() {
        true => whole,
        false => dir.join(JSON),
    };
    let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
    serde_json::from_slice(&text)
        .map_err(|e| TrainError::format(&path, format!("not a report: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(dir: &Path, name: &str) -> Option<String> {
        fs::read_to_string(dir.join(name)).ok()
    }

    /// A folder with a report of "old" files, and a new one in it that is whole.
    fn two(dir: &Path) -> Vec<String> {
        let names = [JSON, "report.md", "plots/a.svg"].map(String::from);
        fs::create_dir_all(dir.join(PLOTS)).unwrap();
        for name in names
            .iter()
            .map(String::as_str)
            .chain(["plots/b.svg", "plots/mine.svg"])
        {
            fs::write(dir.join(name), "old").unwrap();
        }
        let new = names.clone().map(|name| (name, "new".to_owned()));
        let moves = Moves {
            files: names.to_vec(),
            gone: vec!["plots/b.svg".into(), "../escaped.svg".into()],
        };
        fill(&dir.join(NEW), &new, &moves).unwrap();
        names.to_vec()
    }

    fn left(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn what_was_not_finished_goes_and_the_earlier_report_stays() {
        let dir = tempfile::tempdir().unwrap();
        let names = two(dir.path());
        recover(dir.path()).unwrap();
        for name in names {
            assert_eq!(text(dir.path(), &name).as_deref(), Some("old"), "{name}");
        }
        assert_eq!(text(dir.path(), "plots/b.svg").as_deref(), Some("old"));
        assert_eq!(left(dir.path()), 3);
    }

    #[test]
    fn a_whole_report_gets_its_places_wherever_its_writer_was_killed() {
        for killed_after in 0..=5 {
            let dir = tempfile::tempdir().unwrap();
            let names = two(dir.path());
            fs::rename(dir.path().join(NEW), dir.path().join(WHOLE)).unwrap();
            for name in names.iter().take(killed_after) {
                fs::rename(dir.path().join(WHOLE).join(name), dir.path().join(name)).unwrap();
            }
            if killed_after > 3 {
                fs::remove_file(dir.path().join("plots/b.svg")).unwrap();
            }
            if killed_after > 4 {
                fs::remove_file(dir.path().join(WHOLE).join(MOVES)).unwrap();
            }
            for _ in 0..2 {
                recover(dir.path()).unwrap();
                for name in &names {
                    let found = text(dir.path(), name);
                    assert_eq!(found.as_deref(), Some("new"), "{killed_after}: {name}");
                }
                assert_eq!(text(dir.path(), "plots/b.svg"), None);
                assert_eq!(text(dir.path(), "plots/mine.svg").as_deref(), Some("old"));
                assert_eq!(left(dir.path()), 3, "{killed_after}");
            }
        }
    }
}

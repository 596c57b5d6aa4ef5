//! What runs write, by name.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CONFIG, MARKER};
use crate::error::TrainError;
use crate::files::{found_folder, temporary_of};
use crate::{adapters, checkpoint, reference, session};

/// The file that the folder of an experiment is known by.
pub(super) const EXPERIMENT: &str = "clock";

/// Files of a run.
const FILES: [&str; 3] = [CONFIG, session::METRICS, session::BEST_MODEL];

/// Files of an experiment, beside those of the runs in its folders.
const FILES_OF_EXPERIMENTS: [&str; 7] = [
    EXPERIMENT,
    "made-with.json",
    "result.json",
    "report.json",
    "report.md",
    "report.html",
    "gallery.html",
];

/// Files of a model that is made in a run. They lie in folders of their own: in the experiment's folder itself, they are a user's.
const FILES_OF_MODELS: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
];

/// Folders that every run may make. Answers of a judge, which cost money and are known by their content, stay.
const FOLDERS: [&str; 8] = [
    adapters::FOLDER,
    "adapters.new",
    "adapters.old",
    checkpoint::FOLDER,
    "checkpoint.new",
    "checkpoint.old",
    PLOTS,
    REFERENCE,
];
/// The folder of what is computed once for a run.
pub(crate) const REFERENCE: &str = "reference";
const PLOTS: &str = "plots";

/// Folders within a run that are no deeper than this.
const DEPTH: usize = 5;

/// What runs left in a folder.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) files: Vec<PathBuf>,
    /// Innermost first.
    pub(super) folders: Vec<PathBuf>,
}

/// True for a folder that is missing or empty, but for a marker.
pub(super) fn is_free(dir: &Path) -> Result<bool, TrainError> {
    if !dir.exists() {
        return Ok(true);
    }
    let entries = fs::read_dir(dir).map_err(|e| TrainError::io(dir, e))?;
    for entry in entries {
        if entry.map_err(|e| TrainError::io(dir, e))?.file_name() != MARKER {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True for a run from before there were markers.
pub(super) fn looks_like_a_run(dir: &Path) -> bool {
    found_folder(&dir.join(checkpoint::FOLDER)).is_some() || dir.join(EXPERIMENT).is_file()
}

/// Lists what runs wrote into `dir`, and into the folders in it that are called as `made` says. Links are left alone.
pub(super) fn of_runs(dir: &Path, made: &[String]) -> Result<Contents, TrainError> {
    let mut found = Contents::default();
    let experiment = !made.is_empty();
    let in_itself =
        |name: &str| FILES.contains(&name) || (experiment && FILES_OF_EXPERIMENTS.contains(&name));
    collect_files(dir, &in_itself, &mut found)?;
    let made = made.iter().map(String::as_str);
    let every = FOLDERS
        .into_iter()
        .filter(|name| experiment || *name != PLOTS);
    for name in every.chain(made) {
        let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "..";
        if plain {
            collect(&dir.join(name), DEPTH, &mut found)?;
        }
    }
    Ok(found)
}

/// Refuses to touch an input.
pub(super) fn spare(removed: &[PathBuf], dir: &Path, inputs: &[PathBuf]) -> Result<(), TrainError> {
    let inputs = inputs.iter().filter_map(|input| input.canonicalize().ok());
    let inputs: Vec<PathBuf> = inputs.collect();
    for path in removed {
        let Ok(whole) = path.canonicalize() else {
            continue;
        };
        let inside = |input: &&PathBuf| whole.starts_with(input) && !encloses(input, dir);
        if inputs.iter().any(|input| inside(&input)) {
            return Err(TrainError::OwnInput {
                path: path.clone(),
                dir: dir.into(),
            });
        }
    }
    Ok(())
}

/// Whether an input is a folder that the run's folder lies in, such as one of data with all runs below it.
fn encloses(input: &Path, dir: &Path) -> bool {
    dir.canonicalize().is_ok_and(|dir| dir.starts_with(input))
}

/// Removes files, and folders that are empty then.
pub(super) fn remove(contents: &Contents) -> Result<(), TrainError> {
    for file in &contents.files {
        fs::remove_file(file).map_err(|e| TrainError::io(file, e))?;
    }
    for folder in &contents.folders {
        let _ = fs::remove_dir(folder); // What holds files of others stays.
    }
    Ok(())
}

/// Removes what killed processes left half-written.
pub(super) fn remove_temporary(contents: &Contents) -> Result<(), TrainError> {
    let name = |file: &PathBuf| {
        file.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|n| temporary_of(n).is_some())
    };
    let mut temporary = contents.files.iter().filter(|file| name(file));
    temporary.try_for_each(|file| fs::remove_file(file).map_err(|e| TrainError::io(file, e)))
}

fn collect(dir: &Path, depth: usize, found: &mut Contents) -> Result<(), TrainError> {
    let is_folder = fs::symlink_metadata(dir).is_ok_and(|about| about.is_dir());
    if !is_folder || depth == 0 {
        return Ok(());
    }
    let itself = dir.file_name().unwrap_or_default().to_string_lossy();
    let is_one_of_ours = FOLDERS.contains(&&*itself);
    let ours = |name: &str| match &*itself {
        PLOTS => name.ends_with(".svg"),
        REFERENCE => reference::is_cache(name),
        of if of.starts_with(adapters::FOLDER) && is_one_of_ours => adapters::FILES.contains(&name),
        of if of.starts_with(checkpoint::FOLDER) && is_one_of_ours => {
            checkpoint::FILES.contains(&name)
        }
        _ => [&FILES[..], &FILES_OF_EXPERIMENTS, &FILES_OF_MODELS]
            .iter()
            .any(|files| files.contains(&name)),
    };
    let folders = collect_files(dir, &ours, found)?;
    for folder in folders {
        // Of the folders that runs make in these, there is one.
        if is_one_of_ours {
            let is_of_adapters = itself.starts_with(adapters::FOLDER);
            if is_of_adapters && folder.ends_with(user_model::FITTED_FOLDER) {
                collect_fitted(&folder, found)?;
            }
            continue;
        }
        let kept = folder.file_name().is_some_and(|name| name == "judge");
        if !kept {
            collect(&folder, depth - 1, found)?;
        }
    }
    found.folders.push(dir.into());
    Ok(())
}

/// Files of fitted users, which are in folders of their folder.
fn collect_fitted(dir: &Path, found: &mut Contents) -> Result<(), TrainError> {
    let ours = |name: &str| name.ends_with(".safetensors");
    for folder in collect_files(dir, &|_| false, found)? {
        collect_files(&folder, &ours, found)?;
        found.folders.push(folder);
    }
    found.folders.push(dir.into());
    Ok(())
}

/// Files of a folder that are ours; returns its folders.
fn collect_files(
    dir: &Path,
    ours: &dyn Fn(&str) -> bool,
    found: &mut Contents,
) -> Result<Vec<PathBuf>, TrainError> {
    let mut folders = Vec::new();
    let error = |e| TrainError::io(dir, e);
    if !dir.exists() {
        return Ok(folders);
    }
    for entry in fs::read_dir(dir).map_err(error)? {
        let entry = entry.map_err(error)?;
        let kind = entry.file_type().map_err(error)?;
        let name = entry.file_name();
        let known = name
            .to_str()
            .is_some_and(|name| ours(temporary_of(name).unwrap_or(name)));
        match known {
            _ if kind.is_dir() => folders.push(entry.path()),
            true if kind.is_file() => found.files.push(entry.path()),
            _ => {}
        }
    }
    Ok(folders)
}

//! The folder of a run: whose it is, who works in it, and what of it may be removed.
//!
//! A run leaves a marker in its folder, the file [`MARKER`], which is locked as long as a process works there; the system takes
//! the lock from a process that dies. `--force` removes files from a folder with a marker only, only those that runs write (by
//! name, in the folders that the marker lists), and never one that the new run reads.

mod contents;

pub(crate) use contents::REFERENCE;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::adapters;
use crate::checkpoint;
use crate::error::TrainError;
use crate::files::{recover_folder, replace_file};
use crate::session;

/// The file that a run's folder is known by.
pub const MARKER: &str = ".prlhf-run";

/// How often a folder in use is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How far above a run's folder that of its experiment may lie.
const ABOVE: usize = 5;

/// The configuration of a run in its folder.
pub(crate) const CONFIG: &str = "config.toml";

/// How a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In a folder without files.
    New,
    /// Where the checkpoint in the folder stands.
    Resume,
    /// In the place of the run in the folder.
    Replace,
}

impl Start {
    /// As the flags `--resume` and `--force` say.
    pub fn of(resume: bool, force: bool) -> Self {
        match (resume, force) {
            (true, _) => Self::Resume,
            (false, true) => Self::Replace,
            (false, false) => Self::New,
        }
    }
}

/// What the marker says.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Marker {
    about: String,
    /// Folders in this one that the run made, beside those that every run makes.
    made: Vec<String>,
    /// Who worked here last.
    process: u32,
}

const ABOUT: &str = "A run of prlhf: --force replaces its files in this folder.";

/// The folder of a run, which no other process works in as long as this value is there.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    marker: File,
    said: Marker,
    /// What to remove if no run begins: the marker, and the folder too.
    made: (bool, bool),
    begun: bool,
}

impl RunFolder {
    /// Refuses a folder that a run may not go into, before time is spent on loading; `inputs` are what it reads. Nothing is
    /// written.
    ///
    /// # Errors
    /// [`TrainError::InUse`]; files of others, or an earlier run, where there should be none; nothing to resume; or an input
    /// that would be replaced.
    pub fn validate(dir: &Path, start: Start, inputs: &[PathBuf]) -> Result<(), TrainError> {
        Self::validate_idle(dir)?;
        refuse_links(dir)?;
        let free = contents::is_free(dir)?;
        let is_run = dir.join(MARKER).is_file();
        let path = || dir.to_path_buf();
        match start {
            Start::New if !free => Err(TrainError::Occupied { path: path() }),
            Start::Replace if !free && !is_run => Err(TrainError::Foreign {
                path: path(),
                marker: MARKER,
            }),
            Start::Resume if !free && !is_run && !contents::looks_like_a_run(dir) => {
                Err(TrainError::NothingToResume { path: path() })
            }
            Start::Replace => contents::spare(&removable(dir)?, dir, inputs),
            Start::New | Start::Resume => Ok(()),
        }
    }

    /// Refuses a folder that another process works in.
    ///
    /// # Errors
    /// [`TrainError::InUse`].
    pub fn validate_idle(dir: &Path) -> Result<(), TrainError> {
        let Ok(mut marker) = File::open(dir.join(MARKER)) else {
            return Ok(());
        };
        match marker.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(in_use(dir, &mut marker)),
            _ => Ok(()),
        }
    }

    /// Refuses the folder of an experiment, and those in it: an experiment goes on with these itself.
    ///
    /// # Errors
    /// [`TrainError::OfExperiment`].
    pub(crate) fn validate_own(dir: &Path) -> Result<(), TrainError> {
        let whole = std::path::absolute(dir).map_err(|e| TrainError::io(dir, e))?;
        match experiment_of(&whole) {
            Some(above) => Err(TrainError::OfExperiment { path: above.into() }),
            None => Ok(()),
        }
    }

    /// Keeps every run and every other caller out of the folder that `adapters` lie in, as long as the value is there: out of the
    /// whole experiment, where they are of one.
    ///
    /// # Errors
    /// [`TrainError::InUse`].
    pub fn hold(adapters: &Path) -> Result<Self, TrainError> {
        let adapters = adapters
            .canonicalize()
            .map_err(|e| TrainError::io(adapters, e))?;
        let dir = adapters.parent().unwrap_or(&adapters);
        let dir = match dir.join(MARKER).is_file() {
            true => dir,
            false => experiment_of(dir).unwrap_or(dir),
        };
        let mut options = OpenOptions::new();
        let marker = options.read(true).write(true).open(dir.join(MARKER));
        let is_run = marker.is_ok();
        // Adapters without a run: the folder itself is locked, where the system can.
        let marker = marker
            .or_else(|_| File::open(dir))
            .or_else(|_| File::open(adapters.join(adapters::FILES[0])));
        let mut marker = marker.map_err(|e| TrainError::io(dir, e))?;
        if let Err(TryLockError::WouldBlock) = marker.try_lock() {
            return Err(in_use(dir, &mut marker));
        }
        let said = Marker {
            process: std::process::id(),
            ..read(&mut marker)
        };
        let held = Self {
            dir: dir.into(),
            marker,
            said,
            made: (false, false),
            begun: true,
        };
        if is_run {
            held.write()?;
        }
        Ok(held)
    }

    /// The same once others are done that do not take long, such as those that write a fitted user's row; `told` hears who is waited for.
    ///
    /// # Errors
    /// [`TrainError::InUse`] where somebody works there for longer than `patience`.
    pub fn hold_after_others(
        adapters: &Path,
        patience: Duration,
        told: &mut dyn FnMut(&str),
    ) -> Result<Self, TrainError> {
        let start = Instant::now();
        let mut is_told = false;
        loop {
            match Self::hold(adapters) {
                Err(TrainError::InUse { process, .. }) if start.elapsed() < patience => {
                    if !is_told {
                        told(
                            &process.map_or("another process".into(), |id| format!("process {id}")),
                        );
                    }
                    is_told = true;
                    thread::sleep(LOOK_EVERY);
                }
                held => return held,
            }
        }
    }

    /// Takes the folder, which is made where it is missing. It is left as it was found if no run begins in it.
    ///
    /// # Errors
    /// As [`validate`](Self::validate), or a folder that cannot be written.
    pub fn claim(dir: &Path, start: Start, inputs: &[PathBuf]) -> Result<Self, TrainError> {
        Self::validate(dir, start, inputs)?;
        let made_dir = !dir.exists();
        fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, e))?;
        let path = dir.join(MARKER);
        let made_marker = !path.exists();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut marker = options.open(&path).map_err(|e| TrainError::io(&path, e))?;
        match marker.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, &mut marker)),
            Err(TryLockError::Error(e)) => {
                tracing::warn!(
                    "{}: {e}: this file system has no locks, so nothing keeps a second run out",
                    path.display()
                );
            }
            Ok(()) => {}
        }
        let said = read(&mut marker);
        let folder = Self {
            dir: dir.into(),
            said: Marker {
                about: ABOUT.into(),
                process: std::process::id(),
                made: said.made,
            },
            marker,
            made: (made_marker, made_dir),
            begun: false,
        };
        folder.write()?;
        if start == Start::New && !contents::is_free(dir)? {
            // Another run came and went since this one looked.
            return Err(TrainError::Occupied { path: dir.into() });
        }
        Ok(folder)
    }

    /// The run begins: what an earlier one left goes where it is to be replaced, and what a killed one left half-written.
    /// `made` are the folders in this one that the run will make, beside those that every run makes.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn begin(
        &mut self,
        start: Start,
        made: &[String],
        inputs: &[PathBuf],
    ) -> Result<(), TrainError> {
        let dir = &self.dir;
        recover_folder(&dir.join(checkpoint::FOLDER), &checkpoint::FILES)?;
        recover_folder(&dir.join(adapters::FOLDER), &adapters::FILES)?;
        let all = contents::of_runs(dir, &self.said.made)?;
        match start {
            Start::Replace => {
                contents::spare(&all.files, dir, inputs)?;
                contents::remove(&all)?;
                self.said.made.clear();
            }
            Start::New | Start::Resume => contents::remove_temporary(&all)?,
        }
        for name in made {
            if !self.said.made.contains(name) {
                self.said.made.push(name.clone());
            }
        }
        self.begun = true;
        self.write()
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes what killed processes left half-written, where this is the folder of a run.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn sweep(&self) -> Result<(), TrainError> {
        let dir = &self.dir;
        if !dir.join(MARKER).is_file() {
            return Ok(());
        }
        recover_folder(&dir.join(checkpoint::FOLDER), &checkpoint::FILES)?;
        recover_folder(&dir.join(adapters::FOLDER), &adapters::FILES)?;
        contents::remove_temporary(&contents::of_runs(dir, &self.said.made)?)
    }

    /// Writes the configuration as used into the folder; a file of the user's own is left as it is.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_config(&self, text: &str, inputs: &[PathBuf]) -> Result<(), TrainError> {
        let path = self.dir.join(CONFIG);
        let whole = path.canonicalize().ok();
        let is_input = |input: &PathBuf| whole.is_some() && input.canonicalize().ok() == whole;
        match inputs.iter().any(is_input) {
            true => Ok(()),
            false => replace_file(&path, text),
        }
    }

    fn write(&self) -> Result<(), TrainError> {
        let path = self.dir.join(MARKER);
        let mut text =
            serde_json::to_vec_pretty(&self.said).map_err(|e| TrainError::format(&path, e))?;
        text.push(b'\n');
        let mut marker = &self.marker;
        let written = marker
            .seek(SeekFrom::Start(0))
            .and_then(|_| marker.write_all(&text))
            .and_then(|()| marker.set_len(text.len() as u64));
        written.map_err(|e| TrainError::io(&path, e))
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if self.begun {
            return;
        }
        // Best effort: what cannot be removed is an empty run, which the next may use.
        if self.made.0 {
            let _ = fs::remove_file(self.dir.join(MARKER));
        }
        if self.made.1 {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

/// The experiment that a folder is of, or lies in.
fn experiment_of(dir: &Path) -> Option<&Path> {
    let is_one =
        |above: &&Path| above.join(MARKER).is_file() && above.join(contents::EXPERIMENT).is_file();
    dir.ancestors().take(ABOVE).find(is_one)
}

/// Refuses links in the place of files that a run writes: what they name is not the run's.
fn refuse_links(dir: &Path) -> Result<(), TrainError> {
    for name in [MARKER, session::METRICS] {
        let path = dir.join(name);
        if path.is_symlink() {
            let problem =
                "a link, where a run writes a file of its own: remove it, or choose another folder";
            return Err(TrainError::format(&path, problem));
        }
    }
    Ok(())
}

/// What `--force` would remove.
fn removable(dir: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let said = File::open(dir.join(MARKER)).map(|mut marker| read(&mut marker));
    let made = said.unwrap_or_default().made;
    Ok(contents::of_runs(dir, &made)?.files)
}

/// What a marker says; nothing where a process was killed before it said anything.
fn read(marker: &mut File) -> Marker {
    let mut text = Vec::new();
    let read = marker.read_to_end(&mut text).ok();
    let said = read.and_then(|_| serde_json::from_slice(&text).ok());
    said.unwrap_or_default()
}

fn in_use(dir: &Path, marker: &mut File) -> TrainError {
    let process = Some(read(marker).process).filter(|id| *id != 0);
    let path = dir.into();
    TrainError::InUse { path, process }
}

#[cfg(test)]
mod tests;

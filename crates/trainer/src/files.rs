//! Files and folders that are whole or not there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use whole_file::sync_names;

use crate::checkpoint;
use crate::error::TrainError;

/// Writes a file under a temporary name, syncs it, and lets it take the place of the old one.
///
/// # Errors
/// A disk that is full or a folder that cannot be written; the old file is then as it was.
pub fn replace_file(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), TrainError> {
    whole_file::replace(path, bytes).map_err(|e| TrainError::io(path, e))
}

/// Lets `write` fill a new folder beside `dir`, syncs it, and lets it take the place of the old one as a whole: whoever opens
/// `dir` finds the files of one or of the other. Files of the old folder that are not among `ours` move into the new one.
///
/// # Errors
/// What `write` returns, a disk that is full, or a folder that cannot be written; the old folder is then as it was.
pub(crate) fn replace_folder(
    dir: &Path,
    ours: &[&str],
    write: impl FnOnce(&Path) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    recover_folder(dir, ours)?;
    let dir = &target(dir);
    let (new, old) = (sibling(dir, "new"), sibling(dir, "old"));
    fs::create_dir_all(&new).map_err(|e| TrainError::io(&new, e))?;
    if let Err(error) = write(&new).and_then(|()| sync(&new)) {
        // The disk may be full: what was not finished takes no room. Its failure to go is not what went wrong.
        let _ = retire(&new, dir, ours);
        return Err(error);
    }
    let failed = |e| TrainError::io(dir, e);
    if !dir.exists() {
        fs::rename(&new, dir).map_err(failed)?;
    } else if exchange(&new, dir).is_err() {
        fs::rename(dir, &old).map_err(failed)?;
        fs::rename(&new, dir).map_err(failed)?;
    }
    let parent = dir.parent().unwrap_or(Path::new("."));
    sync_names(parent).map_err(|e| TrainError::io(parent, e))?;
    retire(&new, dir, ours)?;
    retire(&old, dir, ours)
}

/// Puts right what a process that was killed within [`replace_folder`] left: the old folder gets its name again where no other
/// has it, and what was not finished goes.
///
/// # Errors
/// A folder that cannot be written.
pub(crate) fn recover_folder(dir: &Path, ours: &[&str]) -> Result<(), TrainError> {
    let dir = &target(dir);
    let (new, old) = (sibling(dir, "new"), sibling(dir, "old"));
    if !dir.exists() && old.is_dir() {
        fs::rename(&old, dir).map_err(|e| TrainError::io(dir, e))?;
    }
    retire(&new, dir, ours)?;
    retire(&old, dir, ours)
}

/// Where a folder lies that may be a link, such as one to a larger disk: it is replaced there, and the link stays.
fn target(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.into())
}

/// `dir`, or where a process was killed between two renames, the folder that was there before.
pub(crate) fn found_folder(dir: &Path) -> Option<PathBuf> {
    let candidates = [dir.to_path_buf(), sibling(dir, "old")];
    candidates.into_iter().find(|dir| dir.exists())
}

/// Swaps two folders in one step, where the system can.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes a folder that another has taken the place of. What is not ours moves there.
fn retire(gone: &Path, successor: &Path, ours: &[&str]) -> Result<(), TrainError> {
    let error = |e| TrainError::io(gone, e);
    if gone.is_symlink() {
        return Ok(()); // Not of our making.
    }
    let entries = match fs::read_dir(gone) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(error)?,
    };
    for entry in entries {
        let entry = entry.map_err(error)?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_file = entry.file_type().map_err(error)?.is_file();
        let known = name.to_str().is_some_and(|name| {
            ours.contains(&name) || temporary_of(name).is_some_and(|name| ours.contains(&name))
        });
        let done = match (is_file && known, successor.join(&name)) {
            (true, _) => fs::remove_file(&path),
            (false, place) if successor.is_dir() && !place.exists() => fs::rename(&path, place),
            (false, _) => Ok(()), // Stays where it is.
        };
        done.map_err(|e| TrainError::io(&path, e))?;
    }
    match fs::remove_dir(gone) {
        Err(e) if e.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error(e)),
        _ => Ok(()),
    }
}

/// The name of the file that a temporary one was to become; none for other files. burn gives that of the optimiser's states no dot
/// in front.
pub(crate) fn temporary_of(name: &str) -> Option<&str> {
    let inner = name.strip_suffix(".tmp")?;
    let (name, _) = inner.rsplit_once('.')?;
    let of_burn = (name == checkpoint::OPTIMIZER).then_some(name);
    name.strip_prefix('.').or(of_burn)
}

fn sibling(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

/// Has the files of a folder, and their names, on the disk.
fn sync(dir: &Path) -> Result<(), TrainError> {
    for entry in fs::read_dir(dir).map_err(|e| TrainError::io(dir, e))? {
        let path = entry.map_err(|e| TrainError::io(dir, e))?.path();
        let file = File::options().read(true).write(true).open(&path);
        file.and_then(|f| f.sync_all())
            .map_err(|e| TrainError::io(&path, e))?;
    }
    sync_names(dir).map_err(|e| TrainError::io(dir, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(dir: &Path, text: &str) -> Result<(), TrainError> {
        fs::write(dir.join("a"), text).map_err(|e| TrainError::io(dir, e))
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole_and_keeps_what_others_put_there() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("folder");
        replace_folder(&dir, &["a", "b"], |new| filled(new, "1")).unwrap();
        fs::write(dir.join("b"), "ours, of the old one").unwrap();
        fs::write(dir.join("notes.txt"), "mine").unwrap();
        replace_folder(&dir, &["a", "b"], |new| filled(new, "2")).unwrap();
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "2");
        assert_eq!(fs::read_to_string(dir.join("notes.txt")).unwrap(), "mine");
        assert!(!dir.join("b").exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_a_link_is_replaced_where_it_lies() {
        let parent = tempfile::tempdir().unwrap();
        let (place, link) = (parent.path().join("disk"), parent.path().join("link"));
        fs::create_dir(&place).unwrap();
        std::os::unix::fs::symlink("disk", &link).unwrap();
        for text in ["1", "2"] {
            replace_folder(&link, &["a"], |new| filled(new, text)).unwrap();
            assert_eq!(fs::read_to_string(place.join("a")).unwrap(), text);
        }
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_folder() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("folder");
        replace_folder(&dir, &["a"], |new| filled(new, "1")).unwrap();
        let failed = replace_folder(&dir, &["a"], |new| {
            filled(new, "2")?;
            Err(TrainError::Usage("no room".into()))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "1");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn temporary_files_tell_what_they_were_to_become() {
        assert_eq!(temporary_of(".config.toml.x1Yz9Q.tmp"), Some("config.toml"));
        assert_eq!(
            temporary_of("optimizer.bpk.12849-3.tmp"),
            Some("optimizer.bpk")
        );
        assert_eq!(temporary_of("notes.txt.1.tmp"), None);
        assert_eq!(temporary_of(".tmpAbCdEf"), None);
        assert_eq!(temporary_of("config.toml"), None);
    }
}

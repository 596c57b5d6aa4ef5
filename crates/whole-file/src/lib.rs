//! Files that are whole or not there.
//!
//! A file is written under the temporary name `.NAME.random.tmp` in the folder of its own, synced, and renamed. Whoever is killed on
//! the way leaves what was there before, and at most a temporary file. A program that ends itself at once, as at a second Ctrl-C,
//! calls [`abandon`] first, and leaves none.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

/// What is to be removed where the program ends at once.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn temporary() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file or folder of this process that [`abandon`] removes as long as the value is there.
#[derive(Debug)]
pub struct Temporary(PathBuf);

impl Temporary {
    /// Makes it known; whoever makes it removes it in the usual way.
    pub fn new(path: &Path) -> Self {
        // The program may change its working folder.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        temporary().push(path.clone());
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let mut all = temporary();
        if let Some(at) = all.iter().position(|path| *path == self.0) {
            all.swap_remove(at);
        }
    }
}

/// Removes every temporary file and folder of this process, which is about to end.
pub fn abandon() {
    for path in temporary().drain(..) {
        // Best effort: nobody is left to be told.
        let _ = match path.is_dir() {
            true => std::fs::remove_dir_all(&path),
            false => std::fs::remove_file(&path),
        };
    }
}

/// A file that has a temporary name until it is finished, and vanishes if it never is. Others may read it as far as new files
/// are for them.
#[derive(Debug)]
pub struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
    _known: Temporary,
}

impl Unfinished {
    /// An empty file that is to become `path`.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn new(path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!(".{name}.");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        // Temporary files are their owner's alone, if nothing is said.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder_of(path))?;
        Ok(Self {
            _known: Temporary::new(file.path()),
            file,
            path: path.into(),
        })
    }

    /// A file with these bytes, which are on the disk.
    ///
    /// # Errors
    /// A disk that is full, or a folder that cannot be written.
    pub fn with(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<Self> {
        let mut this = Self::new(path)?;
        this.file.write_all(bytes.as_ref())?;
        this.sync()?;
        Ok(this)
    }

    /// The temporary name, for whoever writes it.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// Has what was written on the disk.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_file().sync_all()
    }

    /// Gives the file its name, in the place of the one that had it.
    ///
    /// # Errors
    /// A folder that cannot be written; what was there is then as it was.
    pub fn finish(self) -> io::Result<()> {
        self.file
            .persist(&self.path)
            .map_err(|failed| failed.error)?;
        sync_names(folder_of(&self.path))
    }
}

/// Writes a file in the place of the one that is there.
///
/// # Errors
/// A disk that is full, or a folder that cannot be written; what was there is then as it was.
pub fn replace(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    Unfinished::with(path, bytes)?.finish()
}

fn folder_of(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(Path::new("")))
}

/// The folder of a bare name is the one in which the program runs.
fn or_here(folder: &Path) -> &Path {
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

/// Has the names in a folder on the disk, where the system can.
///
/// # Errors
/// A folder that cannot be opened.
#[cfg(unix)]
pub fn sync_names(folder: &Path) -> io::Result<()> {
    std::fs::File::open(or_here(folder))?.sync_all()
}

/// Has the names in a folder on the disk, where the system can.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn sync_names(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_once_it_is_whole_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        replace(&path, "old").unwrap();
        let new = Unfinished::with(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let name = new
            .temporary()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        assert!(
            name.starts_with(".a.json.") && name.ends_with(".tmp"),
            "{name}"
        );
        new.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        drop(Unfinished::with(&path, "never").unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        // The program ends while a file is being written and a folder is in use.
        let file = Unfinished::with(&path, "never").unwrap();
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        let known = Temporary::new(&folder);
        abandon();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        drop((file, known));
    }
}

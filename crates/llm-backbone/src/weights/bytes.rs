use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::WeightError;

/// A file that is read in pieces from any position.
///
/// Plain reads rather than a memory map: a map needs `unsafe`, and a file that shrinks under it kills the process.
#[derive(Debug)]
pub(crate) struct ByteFile {
    path: PathBuf,
    file: Mutex<File>,
    len: u64,
}

impl ByteFile {
    pub(crate) fn new(path: &Path, file: File) -> Result<Self, WeightError> {
        let about = file
            .metadata()
            .map_err(|source| WeightError::io(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            len: about.len(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads `count` bytes from `position`; callers have checked that they lie inside the file.
    pub(crate) fn read(&self, position: u64, count: usize) -> Result<Vec<u8>, WeightError> {
        let end = position.saturating_add(count as u64);
        if end > self.len {
            return Err(WeightError::truncated(&self.path, "data", self.len, end));
        }
        // A panic elsewhere cannot leave the file in a bad state: every read seeks first.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0; count];
        file.seek(SeekFrom::Start(position))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|source| WeightError::io(&self.path, source))?;
        Ok(bytes)
    }
}
